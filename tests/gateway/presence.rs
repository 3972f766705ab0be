//! Hints of presence over HTTP: the gateway reads what players report and forwards it unchanged.

use std::time::{Duration, Instant};

use domain::consumer::Verdict;
use domain::reason::{Evidence, LeaveReason};
use jellyfin_alike::viewer::{Playback, Viewer};
use serde_json::json;
use tokio_tungstenite::connect_async;
use warmgate::config::Config;

use crate::support::stage::{Stage, poll, tune};
use crate::support::wait::{PATIENCE, eventually, soon};

/// A viewer that has fetched a segment.
async fn playing(stage: &Stage, viewer: &Viewer) -> Playback {
    let (playback, answer) = tune(viewer, &stage.channel(1)).await;
    let segment = soon(viewer.segment(&playback, &answer.segments()[0])).await.unwrap();
    assert_eq!(segment.status, 200);
    assert_eq!(verdict(stage).state.as_str(), "playing");
    playback
}

fn verdict(stage: &Stage) -> Verdict {
    let streams = stage.snapshot().streams;
    streams.into_iter().flat_map(|stream| stream.consumers).next().unwrap().verdict
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pause_is_heard_and_reports_pass_as_they_came() {
    let stage = Stage::quick().await;
    let viewer = stage.viewer(0, "tv");
    let playback = playing(&stage, &viewer).await;
    let progress = |paused: &str, more: serde_json::Value| {
        let mut report = json!({"playSessionId": playback.play_session, paused: true, "PositionTicks": -5});
        report.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        report
    };
    for paused in ["IsPaused", "isPaused"] {
        let report = progress(paused, json!({"Unknown": {"a": [1]}}));
        soon(viewer.post("/Sessions/Playing/Progress", &report)).await.unwrap();
        assert_eq!(verdict(&stage).state.as_str(), "paused");
        assert_eq!(verdict(&stage).because, [Evidence::SaysPaused].into());
        let plays = json!({"PlaySessionId": playback.play_session, "IsPaused": false});
        soon(viewer.post("/Sessions/Playing/Progress", &plays)).await.unwrap();
        assert_eq!(verdict(&stage).state.as_str(), "playing");
    }
    // A report too large for the gateway to read is forwarded all the same.
    let large = progress("IsPaused", json!({"NowPlayingQueue": "x".repeat(1 << 20)}));
    let before = stage.asked("/Progress").len();
    soon(viewer.post("/Sessions/Playing/Progress", &large)).await.unwrap();
    assert_eq!(stage.asked("/Progress").len(), before + 1);
    assert_eq!(verdict(&stage).state.as_str(), "playing");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_player_that_says_it_quits_has_left_at_once() {
    let stage = Stage::quick().await;
    let viewer = stage.viewer(0, "tv");
    let playback = playing(&stage, &viewer).await;
    let says =
        |said: &str| Playback { playlist: format!("{}&CMCD={said}", playback.playlist), ..playback.clone() };
    poll(&viewer, &says("bl%3D2100%2Cpr%3D0")).await;
    assert_eq!(verdict(&stage).state.as_str(), "paused");
    poll(&viewer, &says("bs%2Cpr%3D1%2Cbl%3D0")).await;
    assert_eq!(verdict(&stage).state.as_str(), "stalled");
    poll(&viewer, &says("sta%3Dq%2Cv%3D2")).await;
    assert_eq!(verdict(&stage).because, [Evidence::Quits].into());
    assert_eq!(stage.snapshot().tally.left.get(&LeaveReason::Goodbye), Some(&1));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_closed_live_stream_is_a_goodbye() {
    let stage = Stage::quick().await;
    let viewer = stage.viewer(0, "tv");
    let playback = playing(&stage, &viewer).await;
    let close = format!("/LiveStreams/Close?liveStreamId={}", playback.live_stream);
    soon(viewer.post(&close, &json!({}))).await.unwrap();
    assert_eq!(verdict(&stage).because, [Evidence::LiveStreamClosed].into());
    stage.deserted().await;
    assert_eq!(stage.snapshot().tally.left.get(&LeaveReason::Goodbye), Some(&1));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_closed_socket_is_evidence() {
    let stage = Stage::quick().await;
    let viewer = stage.viewer(0, "tv");
    let socket =
        format!("{}/socket?ApiKey={}&deviceId=tv", stage.base.replacen("http", "ws", 1), stage.token(0));
    let (socket, _) = soon(connect_async(socket)).await.unwrap();
    playing(&stage, &viewer).await;
    drop(socket);
    eventually("it is noticed", async || verdict(&stage).because.contains(&Evidence::SocketClosed)).await;
    assert!(verdict(&stage).state.is_present(), "but no proof");
}

/// The first viewer's connections close, as those of a killed player do.
#[tokio::test(flavor = "multi_thread")]
async fn closed_connections_are_evidence_unless_they_are_a_proxys() {
    for proxy in [false, true] {
        let trusting = |config: &mut Config| {
            let trusted: &[&str] = if proxy { &["127.0.0.1/32"] } else { &[] };
            config.trusted_proxies.extend(trusted.iter().map(|net| net.parse::<ipnet::IpNet>().unwrap()));
        };
        let stage = Stage::with(|_| (), trusting).await;
        let (other, viewer) = (stage.viewer(1, "phone"), stage.viewer(0, "tv"));
        let playback = playing(&stage, &viewer).await;
        poll(&viewer, &playback).await;
        drop(viewer);
        let closed = async || verdict(&stage).because.contains(&Evidence::ConnectionClosed);
        if proxy {
            soon(other.open(&stage.channel(1))).await.unwrap();
            assert!(!closed().await);
        } else {
            eventually("it is noticed", closed).await;
        }
        assert!(verdict(&stage).state.is_present(), "but no proof");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_zap_ends_the_old_lease_at_once_and_before_the_new_request_is_answered() {
    let stage = Stage::with(|settings| settings.delays.open = Duration::from_millis(300), |_| ()).await;
    let viewer = stage.viewer(0, "tv");
    playing(&stage, &viewer).await;
    let mut took = Vec::new();
    for (zaps, channel) in [2, 3, 1].into_iter().enumerate() {
        let next = soon(viewer.open(&stage.channel(channel))).await.unwrap();
        let (asking, asked) = (viewer.clone(), Instant::now());
        let answered = tokio::spawn(async move { poll(&asking, &next).await });
        let zapped = zaps as u64 + 1;
        while stage.snapshot().tally.left.get(&LeaveReason::Zapped) != Some(&zapped) {
            assert!(asked.elapsed() < PATIENCE, "never seen");
            tokio::task::yield_now().await;
        }
        took.push(asked.elapsed());
        soon(answered).await.unwrap();
        assert_eq!(stage.snapshot().present(), 1);
    }
    // One of several attempts: a busy machine may delay anything.
    assert!(took.iter().any(|took| *took < Duration::from_millis(50)), "{took:?}");
}
