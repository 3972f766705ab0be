//! Live streams that clients open and never play: the gateway gives them back in the clients' name, and never one that
//! somebody watches.

use std::time::Duration;

use domain::reason::ReturnReason;
use jellyfin_alike::viewer::{Answer, Viewer};
use jellyfin_alike::{Origin, Settings, Version};
use serde_json::json;
use tokio::time::timeout;
use warmgate::config::Config;

use crate::support::stage::{Stage, VERSIONS, delaying, is_hit, is_ours, poll, short, tune, with_key};
use crate::support::wait::{eventually, soon};

const SOON: Duration = Duration::from_secs(3);
const NEVER: Duration = Duration::from_secs(600);

async fn stage(version: Version, unfollowed: Duration) -> Stage {
    let config = |config: &mut Config| {
        config.viewers.unfollowed = unfollowed;
        config.viewers.silence = Duration::from_secs(1);
        config.viewers.patience = Duration::from_secs(1);
        config.pool.idle_timeout = Duration::from_secs(3);
    };
    Stage::with(|settings| settings.version = version, config).await
}

/// Posts `PlaybackInfo` alone, and returns the response.
async fn info(viewer: &Viewer, item: &str) -> Answer {
    let wish = json!({"AutoOpenLiveStream": true, "DeviceProfile": {}});
    soon(viewer.post(&format!("/Items/{item}/PlaybackInfo"), &wish)).await.unwrap()
}

fn consumers(stage: &Stage) -> usize {
    stage.origin().counts().consumers.values().sum()
}

async fn given_back(stage: &Stage, reason: ReturnReason) {
    eventually("it is given back", async || {
        stage.snapshot().tally.returned.get(&reason) == Some(&1) && consumers(stage) == 0
    })
    .await;
    assert_eq!((stage.snapshot().openings, stage.origin().counts().tuners_open), (0, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_nothing_follows_is_given_back() {
    for version in VERSIONS {
        let stage = stage(version, SOON).await;
        let answer = info(&stage.viewer(0, "tv"), &stage.channel(1)).await;
        assert_eq!(answer.status, 200);
        assert_eq!((consumers(&stage), stage.snapshot().openings), (1, 1));
        given_back(&stage, ReturnReason::Unfollowed).await;
        let closes = stage.asked("/LiveStreams/Close").len();
        // It is given back once: a second time would take another client's consumer.
        info(&stage.direct(1, "phone"), &stage.channel(1)).await;
        tokio::time::sleep(SOON).await;
        assert_eq!((consumers(&stage), stage.asked("/LiveStreams/Close").len()), (1, closes));
    }
}

/// The server finishes an opening whether or not its client still waits.
#[tokio::test(flavor = "multi_thread")]
async fn an_opening_answered_after_its_client_has_gone_is_given_back_at_once() {
    for version in VERSIONS {
        let slow = |settings: &mut Settings| {
            (settings.version, settings.delays.open) = (version, Duration::from_secs(1));
        };
        let stage = Stage::with(slow, |config| config.viewers.unfollowed = NEVER).await;
        let viewer = stage.viewer(0, "tv");
        let item = stage.channel(1);
        timeout(Duration::from_millis(300), viewer.open(&item)).await.unwrap_err();
        drop(viewer);
        given_back(&stage, ReturnReason::Abandoned).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_playlist_answered_after_its_client_has_gone_leaves_nothing_open() {
    for version in VERSIONS {
        let stage = stage(version, SOON).await;
        let viewer = stage.viewer(0, "tv");
        let playback = soon(viewer.open(&stage.channel(1))).await.unwrap();
        timeout(Duration::from_millis(100), viewer.poll(&playback)).await.unwrap_err();
        drop(viewer);
        eventually("nothing is open", async || consumers(&stage) == 0).await;
        stage.nothing_open().await;
        let returned = stage.snapshot().tally.returned;
        assert_eq!(returned.values().sum::<u64>(), 1, "{returned:?}");
    }
}

/// A player that reports nothing is killed: its opening is given back once the gateway believes that it has left.
#[tokio::test(flavor = "multi_thread")]
async fn who_never_reports_gives_back_when_it_has_left() {
    for version in VERSIONS {
        let stage = stage(version, SOON).await;
        let viewer = stage.viewer(0, "tv");
        let (playback, _) = tune(&viewer, &stage.channel(1)).await;
        let playback = short(playback);
        for _ in 0..5 {
            tokio::time::sleep(Duration::from_millis(500)).await;
            poll(&viewer, &playback).await;
        }
        assert_eq!(
            stage.snapshot().tally.returned.len(),
            0,
            "it watches, for longer than openings go unfollowed"
        );
        given_back(&stage, ReturnReason::Left).await;
        stage.nothing_open().await;
    }
}

/// On 10.11 a `Stopped` without a `Playing` before it gives nothing back. On 12.0 it does, and closing a second time would
/// take another client's consumer.
#[tokio::test(flavor = "multi_thread")]
async fn who_stops_before_it_starts_leaves_nothing_open_and_takes_nothing() {
    for version in VERSIONS {
        let stage = stage(version, SOON).await;
        let (watching, other) = (stage.viewer(1, "phone"), stage.viewer(0, "tv"));
        let (watched, _) = tune(&watching, &stage.channel(1)).await;
        let watched = short(watched);
        let playback = soon(other.open(&stage.channel(1))).await.unwrap();
        eventually("all three have it", async || consumers(&stage) == 3).await;
        soon(other.leave(&playback)).await.unwrap();
        let deadline = tokio::time::Instant::now() + 2 * SOON;
        eventually("it is as if it had not come, and stays so", async || {
            let answer = poll(&watching, &watched).await;
            assert!(is_hit(&answer) || answer.status == 200, "{}", answer.text());
            let counted = consumers(&stage);
            assert!(counted >= 2, "somebody was robbed: {counted}");
            counted == 2 && tokio::time::Instant::now() > deadline
        })
        .await;
        // The consumer that it gives back a second time is another's.
        let close = format!("/LiveStreams/Close?liveStreamId={}", playback.live_stream);
        soon(other.post(&close, &json!({}))).await.unwrap();
        if version == Version::V10_11 {
            assert_eq!(consumers(&stage), 2, "ours is protected");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_server_knows_of_may_yet_be_left_behind() {
    for version in VERSIONS {
        let stage = stage(version, SOON).await;
        let viewer = stage.viewer(0, "tv");
        let (reported, _) = tune(&viewer, &stage.channel(1)).await;
        soon(viewer.report(&reported, "Playing")).await.unwrap();
        assert_eq!(stage.snapshot().openings, 1, "it plays ours: the server may never close it");
        let plain = stage.viewer(1, "phone");
        let playback = soon(plain.open(&stage.channel(2))).await.unwrap();
        assert_eq!(stage.snapshot().openings, 2);
        let unshared = short(jellyfin_alike::viewer::Playback {
            playlist: format!("{}&StartTimeTicks=1", playback.playlist),
            ..playback
        });
        let answer = poll(&plain, &unshared).await;
        assert!(!is_ours(&answer), "{}", answer.text());
        assert_eq!(stage.snapshot().openings, 2, "a player of the server's own stream may fall silent too");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn zapping_faster_than_openings_are_answered_leaves_one() {
    let stage = stage(Version::V10_11, NEVER).await;
    let viewer = stage.viewer(0, "tv");
    for channel in 1..=3 {
        soon(viewer.open(&stage.channel(channel))).await.unwrap();
    }
    assert_eq!(consumers(&stage), 3);
    eventually("only the last is kept", async || consumers(&stage) == 1).await;
    assert_eq!(stage.snapshot().tally.returned.get(&ReturnReason::Superseded), Some(&2));
}

/// The response is the server's, but not compressed.
#[tokio::test(flavor = "multi_thread")]
async fn an_answer_that_is_read_passes_as_it_came() {
    let stage = stage(Version::V12, NEVER).await;
    let (viewer, direct) = (stage.viewer(0, "tv"), stage.direct(0, "tv"));
    let through = info(&viewer, &stage.channel(1)).await;
    let past = info(&direct, &stage.channel(1)).await;
    let keys = |answer: &Answer| {
        let json: serde_json::Value = serde_json::from_slice(&answer.body).unwrap();
        let mut source = json["MediaSources"][0].clone();
        source.as_object_mut().unwrap().remove("TranscodingUrl");
        (source.to_string(), answer.body.len())
    };
    assert_eq!(keys(&through), keys(&past));
}

/// A request settles an opening only once the server has answered it, and only if it is for media, a report or a `Close`.
#[tokio::test(flavor = "multi_thread")]
async fn what_the_server_refuses_settles_nothing() {
    for version in VERSIONS {
        let settings = Settings { version, ..Settings::quick() };
        let config = |config: &mut Config| {
            config.viewers.unfollowed = SOON;
            with_key(config, &settings);
        };
        let stage = Stage::with(|asked| asked.version = version, config).await;
        let viewer = stage.viewer(0, "tv");
        let playback = soon(viewer.open(&stage.channel(1))).await.unwrap();
        let named = format!("LiveStreamId={}", playback.live_stream);
        let get = async |path: &str| soon(viewer.get(&format!("{path}?{named}"))).await.unwrap().status;
        assert_eq!(get("/System/Endpoint").await, 200);
        assert_eq!(get(&format!("/videos/{}/nothing.ts", stage.channel(1))).await, 404);
        stage.origin().revoke(&stage.token(0));
        assert_eq!(soon(viewer.report(&playback, "Playing")).await.unwrap().status, 401);
        let close = format!("/LiveStreams/Close?{named}");
        assert_eq!(soon(viewer.post(&close, &json!({}))).await.unwrap().status, 401);
        assert_eq!((stage.snapshot().openings, consumers(&stage)), (1, 1));
        given_back(&stage, ReturnReason::Unfollowed).await;
    }
}

/// The server closes the opening whether or not its client waits: the gateway must not do it once more.
#[tokio::test(flavor = "multi_thread")]
async fn a_close_whose_client_breaks_off_is_not_repeated() {
    let settings = Settings::quick();
    let origin = Origin::start(settings.clone()).await.unwrap();
    let slow = delaying(origin.addr(), "/livestreams/close", || Duration::from_secs(1)).await;
    let hasty = |config: &mut Config| config.viewers.unfollowed = SOON;
    let stage = Stage::before(origin, &settings, &slow.to_string(), hasty).await;
    let viewer = stage.viewer(0, "tv");
    let playback = soon(viewer.open(&stage.channel(1))).await.unwrap();
    let close = format!("/LiveStreams/Close?liveStreamId={}", playback.live_stream);
    timeout(Duration::from_millis(300), viewer.post(&close, &json!({}))).await.unwrap_err();
    drop(viewer);
    assert_eq!(stage.snapshot().openings, 1, "the server has not answered");
    eventually("it is settled", async || stage.snapshot().openings == 0).await;
    tokio::time::sleep(SOON).await;
    assert_eq!((stage.asked("/LiveStreams/Close").len(), consumers(&stage)), (1, 0));
    assert!(stage.snapshot().tally.returned.is_empty());
}

/// A plugin's live streams have ids that say nothing of their channel. What one request pairs wrongly would be shown to everybody.
#[tokio::test(flavor = "multi_thread")]
async fn only_what_the_server_was_seen_to_pair_is_shared() {
    let stage = Stage::with(|settings| settings.plugin_tuner = true, |_| ()).await;
    let (alice, bob) = (stage.viewer(0, "tv"), stage.viewer(1, "phone"));
    let own = soon(alice.open(&stage.channel(1))).await.unwrap();
    let other = soon(stage.viewer(0, "tablet").open(&stage.channel(2))).await.unwrap();
    let mut mixed = own.clone();
    mixed.playlist = own.playlist.replace(&own.live_stream, &other.live_stream);
    assert_ne!(mixed.playlist, own.playlist);
    let answer = poll(&alice, &mixed).await;
    assert!(answer.status == 200 && !is_ours(&answer), "{}", answer.field("cache-status"));
    assert!(answer.field("cache-status").contains("unpaired"), "{}", answer.field("cache-status"));
    assert!(stage.snapshot().streams.is_empty());
    let (playback, answer) = tune(&bob, &stage.channel(1)).await;
    assert!(is_ours(&answer), "{}", answer.field("cache-status"));
    // Another process has seen nothing. Who is given the server's stream for that goes on with it.
    stage.shut_down().await;
    let stage = stage.again(|_| ()).await;
    let (bob, carol) = (stage.viewer(1, "phone"), stage.viewer(0, "desk"));
    soon(stage.direct(1, "phone").open(&stage.channel(1))).await.unwrap();
    let answer = poll(&bob, &playback).await;
    assert!(answer.field("cache-status").contains("unpaired"), "{}", answer.field("cache-status"));
    assert!(is_ours(&tune(&carol, &stage.channel(1)).await.1));
    assert!(!is_ours(&poll(&bob, &playback).await));
}
