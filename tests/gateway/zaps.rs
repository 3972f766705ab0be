//! Zapping where there are hardly any tuners: no viewer gets an error that the bare server would not have given.

use std::time::Duration;

use jellyfin_alike::viewer::Viewer;
use jellyfin_alike::{Settings, Version};

use crate::support::stage::{Stage, VERSIONS, poll, short};
use crate::support::wait::{eventually, soon};

const NEVER: Duration = Duration::from_secs(600);

/// A server with one tuner, before which nothing warm is given up for its age.
async fn one_tuner(version: Version) -> Stage {
    let settings = |settings: &mut Settings| (settings.version, settings.tuners) = (version, 1);
    Stage::with(settings, |config| config.pool.idle_timeout = NEVER).await
}

/// With the one tuner of a plan, a device that opens another channel gives up its own one, whether or not it says so first.
#[tokio::test(flavor = "multi_thread")]
async fn one_tuner_is_enough_to_zap() {
    for version in VERSIONS {
        let stage = one_tuner(version).await;
        let viewer = stage.viewer(0, "tv");
        for zap in 0..6 {
            let item = stage.channel(1 + zap % 3);
            let playback =
                short(soon(viewer.open(&item)).await.unwrap_or_else(|error| panic!("zap {zap}: {error}")));
            assert_eq!(poll(&viewer, &playback).await.status, 200);
            soon(viewer.report(&playback, "Playing")).await.unwrap();
            if zap % 2 == 0 {
                soon(viewer.report(&playback, "Playing/Stopped")).await.unwrap();
            }
        }
        assert!(stage.origin().counts().tuners_open <= 1);
    }
}

/// A fast zapper leaves a channel before its player has asked for a playlist, or before it has got one.
#[tokio::test(flavor = "multi_thread")]
async fn one_tuner_is_enough_to_zap_on_before_anything_plays() {
    for version in VERSIONS {
        let stage = one_tuner(version).await;
        let viewer = stage.viewer(0, "tv");
        for zap in 0..6 {
            let opened = soon(viewer.open(&stage.channel(1 + zap % 3))).await;
            let playback = short(opened.unwrap_or_else(|error| panic!("zap {zap}: {error}")));
            if zap % 2 == 0 {
                let _ = tokio::time::timeout(Duration::from_millis(20), viewer.poll(&playback)).await;
            }
        }
        assert!(stage.origin().counts().tuners_open <= 1);
    }
}

/// The server has tuned a channel seconds before it answers, since it probes the channel. Meanwhile another channel is asked for.
#[tokio::test(flavor = "multi_thread")]
async fn an_opening_that_is_not_answered_yet_has_its_tuner() {
    let slow = |settings: &mut Settings, tuners| {
        (settings.tuners, settings.delays.probe) = (tuners, Duration::from_secs(2));
    };
    let stage = Stage::with(|settings| slow(settings, 2), |config| config.pool.idle_timeout = NEVER).await;
    let (tv, phone) = (stage.viewer(0, "tv"), stage.viewer(1, "phone"));
    let playback = short(soon(tv.open(&stage.channel(1))).await.unwrap());
    plays(&tv, &playback).await;
    soon(tv.report(&playback, "Playing")).await.unwrap();
    soon(tv.leave(&playback)).await.unwrap();
    stage.deserted().await;
    let item = stage.channel(2);
    let opening = tokio::spawn(async move { phone.open(&item).await.map_err(|error| error.to_string()) });
    eventually("it is tuned", async || stage.origin().counts().tunes == 2).await;
    soon(tv.open(&stage.channel(3))).await.expect("the idle channel makes way");
    soon(opening).await.unwrap().unwrap();

    // Whoever breaks its opening off and opens another channel waits for the end of the first.
    let stage = Stage::with(|settings| slow(settings, 1), |config| config.pool.idle_timeout = NEVER).await;
    let broken_off = stage.viewer(0, "tv");
    let first = tokio::time::timeout(Duration::from_millis(300), broken_off.open(&stage.channel(1))).await;
    assert!(first.is_err(), "it is under way");
    drop(broken_off);
    // The gateway may learn that the client has gone only after the next opening was denied.
    let again = stage.viewer(0, "tv");
    soon(again.open(&stage.channel(2))).await.expect("the first is given back");
}

/// An opening is denied its tuner while another one is under way that comes to nothing: it gets the tuner that the other one leaves.
#[tokio::test(flavor = "multi_thread")]
async fn a_denial_waits_for_how_another_opening_ends() {
    let slow = |settings: &mut Settings| {
        (settings.tuners, settings.delays.probe) = (1, Duration::from_secs(2));
    };
    let stage = Stage::with(slow, |config| config.pool.idle_timeout = NEVER).await;
    let (first, second) = (stage.viewer(0, "tv"), stage.viewer(1, "phone"));
    let (one, two) = (stage.channel(1), stage.channel(2));
    let broken_off = tokio::spawn(async move { first.open(&one).await.map_err(|error| error.to_string()) });
    eventually("it is tuned", async || stage.origin().counts().tunes == 1).await;
    let opened = tokio::spawn(async move { second.open(&two).await.map_err(|error| error.to_string()) });
    eventually("it is denied", async || denials(&stage) == 1).await;
    broken_off.abort();
    soon(opened).await.unwrap().expect("the tuner is free");
    assert_eq!(denials(&stage), 1, "it is asked for once more");

    // Where the other one plays, nothing becomes free.
    let stage = Stage::with(slow, |config| config.pool.idle_timeout = NEVER).await;
    let (first, second) = (stage.viewer(0, "tv"), stage.viewer(1, "phone"));
    let one = stage.channel(1);
    let opened = tokio::spawn(async move { first.open(&one).await.map_err(|error| error.to_string()) });
    eventually("it is tuned", async || stage.origin().counts().tunes == 1).await;
    soon(second.open(&stage.channel(2))).await.unwrap_err();
    soon(opened).await.unwrap().unwrap();
    assert_eq!(denials(&stage), 1, "nothing has changed");
}

fn denials(stage: &Stage) -> usize {
    stage.asked("/PlaybackInfo").iter().filter(|seen| seen.status == Some(500)).count()
}

/// Two devices that want the one tuner: the second gets the server's refusal, and the first plays on.
#[tokio::test(flavor = "multi_thread")]
async fn nobody_takes_the_tuner_of_another_device() {
    let stage = Stage::with(|settings| settings.tuners = 1, |config| config.pool.idle_timeout = NEVER).await;
    let (first, second) = (stage.viewer(0, "tv"), stage.viewer(1, "phone"));
    let playback = short(soon(first.open(&stage.channel(1))).await.unwrap());
    plays(&first, &playback).await;
    for _ in 0..3 {
        soon(second.open(&stage.channel(2))).await.unwrap_err();
        plays(&first, &playback).await;
    }
    assert_eq!(stage.snapshot().tally.stopped.len(), 0);
}

async fn plays(viewer: &Viewer, playback: &jellyfin_alike::viewer::Playback) {
    assert_eq!(poll(viewer, playback).await.status, 200);
}
