//! Openings that the server denies a tuner: repeated however their body came and however late the denial is, and what strangers
//! send is kept by nobody.

use std::time::Duration;

use domain::reason::StopReason;
use http::Request;
use jellyfin_alike::{Origin, Settings};
use warmgate::body::{self, Body};
use warmgate::config::ThriftChoice;

use crate::passthrough::wire;
use crate::support::servers::{self, h2c, http};
use crate::support::stage::{Stage, delaying, tune, warm};
use crate::support::wait::{eventually, soon};

/// A body of unknown length.
fn unmeasured(text: String) -> Body {
    let frames = text.into_bytes().chunks(7).map(bytes::Bytes::copy_from_slice).collect::<Vec<_>>();
    let frames = frames.into_iter().map(|bytes| Ok::<_, body::BoxError>(http_body::Frame::data(bytes)));
    body::boxed(http_body_util::StreamBody::new(futures_util::stream::iter(frames)))
}

/// An opening of the channel with this number, by the first user.
fn opening(stage: &Stage, channel: usize, body: Body) -> Request<Body> {
    let credential = format!("MediaBrowser DeviceId=\"phone\", Token=\"{}\"", stage.token(0));
    Request::post(format!("{}/Items/{}/PlaybackInfo", stage.base, stage.channel(channel)))
        .header("authorization", credential)
        .header("content-type", "application/json")
        .body(body)
        .unwrap()
}

fn wish() -> String {
    r#"{"AutoOpenLiveStream":true,"DeviceProfile":{}}"#.to_owned()
}

/// How often the server has denied an opening a tuner.
fn denied(stage: &Stage) -> usize {
    stage.asked("/PlaybackInfo").iter().filter(|seen| seen.status == Some(500)).count()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_without_length_is_repeated_too() {
    for client in [http(), h2c()] {
        let stage = Stage::quick().await;
        warm(&stage, 3).await;
        let (head, answer) = servers::fetch(&client, opening(&stage, 4, unmeasured(wish()))).await;
        assert_eq!(head.status, 200, "{:?}", String::from_utf8_lossy(&answer));
        assert_eq!(denied(&stage), 1);
        assert_eq!(stage.snapshot().tally.stopped.get(&StopReason::TunerNeeded), Some(&1));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_too_large_to_be_kept_passes_as_it_is() {
    // To read so much takes long here.
    let stage = Stage::with(|_| (), |config| config.pool.thrift = ThriftChoice::Lru).await;
    warm(&stage, 3).await;
    let large = format!("{{\"Padding\":\"{}\",{}", "x".repeat(5 << 18), &wish()[1..]);
    for body in [unmeasured(large.clone()), body::full(large)] {
        let (head, _) = servers::fetch(&http(), opening(&stage, 4, body)).await;
        assert_eq!(head.status, 500, "the server has read it to its end");
    }
    assert_eq!(denied(&stage), 2, "neither is repeated");
    assert_eq!(stage.snapshot().tally.stopped.get(&StopReason::TunerNeeded), None);
}

/// Openings wait in one queue at the server. What is idle when the denial comes counts, not what was when the request did.
#[tokio::test(flavor = "multi_thread")]
async fn a_denial_that_comes_late_is_repeated() {
    let settings = Settings { tuners: 1, ..Settings::quick() };
    let origin = Origin::start(settings.clone()).await.unwrap();
    let slow = delaying(origin.addr(), "/playbackinfo", || Duration::from_secs(2)).await;
    let stage = Stage::before(origin, &settings, &slow.to_string(), |_| ()).await;
    let (first, second) = (stage.viewer(0, "tv"), stage.viewer(1, "phone"));
    let (playback, _) = tune(&first, &stage.channel(1)).await;
    soon(first.report(&playback, "Playing")).await.unwrap();
    let item = stage.channel(2);
    let (opened, left) = tokio::join!(second.open(&item), async {
        tokio::time::sleep(Duration::from_millis(500)).await;
        first.leave(&playback).await
    });
    left.unwrap();
    opened.unwrap();
}

/// Nobody waits for the answer any more: nothing warm is given up for it.
#[tokio::test(flavor = "multi_thread")]
async fn a_denial_whose_client_has_gone_costs_nothing() {
    let settings = Settings::quick();
    let origin = Origin::start(settings.clone()).await.unwrap();
    let slow = delaying(origin.addr(), "/playbackinfo", || Duration::from_secs(1)).await;
    let stage = Stage::before(origin, &settings, &slow.to_string(), |_| ()).await;
    warm(&stage, 3).await;
    let viewer = stage.viewer(1, "phone");
    tokio::time::timeout(Duration::from_millis(300), viewer.open(&stage.channel(4))).await.unwrap_err();
    drop(viewer);
    eventually("it was denied", async || denied(&stage) == 1).await;
    tokio::time::sleep(Duration::from_millis(500)).await;
    assert_eq!(stage.snapshot().tally.stopped.get(&StopReason::TunerNeeded), None);
}

/// What has shown no credential, and what the server refuses, is passed on as it comes: nothing of it is kept.
#[tokio::test(flavor = "multi_thread")]
async fn a_strangers_body_is_passed_on_as_it_comes() {
    let stage = Stage::quick().await;
    warm(&stage, 1).await;
    let address = stage.base.trim_start_matches("http://").parse().unwrap();
    let paths = [format!("/Items/{}/PlaybackInfo", stage.channel(2)), "/LiveTv/Timers".to_owned()];
    for path in paths {
        for credential in ["", "authorization: MediaBrowser DeviceId=\"x\", Token=\"wrong\"\r\n"] {
            let head = format!(
                "POST {path} HTTP/1.1\r\nhost: x\r\n{credential}content-type: application/json\r\ncontent-length: 60000\r\n\r\n"
            );
            let mut stranger = wire::send(address, format!("{head}{{")).await;
            assert_eq!(
                wire::status(&wire::head(&mut stranger).await),
                401,
                "{path}: the rest is not waited for"
            );
        }
    }
}
