//! Consumers: the gateway tells viewers apart, counts none twice, lets them go after a silence and takes them back at their
//! next request. When the last one has left, it gives everything back in the right order.

use std::time::Duration;

use domain::reason::{LeaveReason, StopReason};
use futures_util::future::join_all;
use jellyfin_alike::Settings;
use warmgate::config::Config;

use crate::support::stage::{Stage, all_fetched, household, is_hit, is_ours, poll, short, tune};
use crate::support::wait::{eventually, soon};

/// What a client behind a trusted proxy makes up about its address costs the server nothing.
#[tokio::test(flavor = "multi_thread")]
async fn a_made_up_address_is_not_asked_about() {
    let trusting = |config: &mut Config| config.trusted_proxies.push("127.0.0.1/32".parse().unwrap());
    let stage = Stage::with(|_| (), trusting).await;
    let viewer = stage.viewer(0, "tv").from("9.9.9.1, 192.0.2.1");
    let (playback, _) = tune(&viewer, &stage.channel(1)).await;
    let asked = stage.asked("/Users/Me").len();
    for last in 2..6 {
        let answer = poll(&viewer.clone().from(&format!("9.9.9.{last}, 192.0.2.1")), &playback).await;
        assert!(is_hit(&answer), "{}", answer.field("cache-status"));
    }
    assert_eq!(stage.asked("/Users/Me").len(), asked);
    poll(&viewer.from("192.0.2.2"), &playback).await;
    assert_eq!(stage.asked("/Users/Me").len(), asked + 1, "the server judges the address as well");
}

/// Two devices with one token are two consumers, and each one's silence is judged by its own requests.
#[tokio::test(flavor = "multi_thread")]
async fn one_leaves_and_the_other_plays_on() {
    let settings = |settings: &mut Settings| settings.users = vec![household("family", &["shared"])];
    let config = |config: &mut Config| config.pool.idle_timeout = Duration::from_millis(100);
    let stage = Stage::with(settings, config).await;
    let (stays, goes) = (stage.viewer(0, "living-room"), stage.viewer(0, "kitchen"));
    let (playing, _) = tune(&stays, &stage.channel(1)).await;
    let (left, _) = tune(&goes, &stage.channel(1)).await;
    assert_eq!(stage.snapshot().present(), 2);
    soon(goes.report(&left, "Playing")).await.unwrap();
    soon(goes.leave(&left)).await.unwrap();
    eventually("one has left", async || stage.snapshot().present() == 1).await;
    assert_eq!(stage.snapshot().tally.left.get(&LeaveReason::Goodbye), Some(&1));
    let newest = async || {
        let answer = poll(&stays, &playing).await;
        assert!(is_hit(&answer), "{} {}", answer.status, answer.field("cache-status"));
        all_fetched(&stays, &answer).await;
        answer.segments().last().cloned().unwrap()
    };
    let mut seen = newest().await;
    for _ in 0..3 {
        eventually("another segment", async || newest().await != seen).await;
        seen = newest().await;
    }
    assert_eq!(stage.origin().counts().jobs_started, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_storm_of_polls_changes_no_count() {
    let stage = Stage::quick().await;
    let viewers = ["one", "two"].map(|device| stage.viewer(0, device));
    let mut playbacks = Vec::new();
    for viewer in &viewers {
        playbacks.push(tune(viewer, &stage.channel(1)).await.0);
    }
    let before = (stage.snapshot().tally.tuned.clone(), stage.asked("/live.m3u8").len());
    let storm = |_| async {
        for (viewer, playback) in viewers.iter().zip(&playbacks) {
            let answer = poll(viewer, playback).await;
            soon(viewer.segment(playback, &answer.segments()[0])).await.unwrap();
        }
    };
    for _ in 0..10 {
        join_all((0..20).map(storm)).await;
    }
    assert_eq!(stage.snapshot().present(), 2);
    assert_eq!(stage.snapshot().streams[0].consumers.len(), 2);
    assert_eq!((stage.snapshot().tally.tuned.clone(), stage.asked("/live.m3u8").len()), before);
    assert!(stage.fetched().values().all(|count| *count == 1), "{:?}", stage.fetched());
}

/// A player that was believed gone (a hidden tab, a tunnel) goes on with its consumer token, at a playlist or at a segment.
#[tokio::test(flavor = "multi_thread")]
async fn who_was_believed_gone_is_welcome_back() {
    let impatient = |config: &mut Config| {
        config.viewers.silence = Duration::from_millis(200);
        config.viewers.patience = Duration::from_millis(200);
    };
    let stage = Stage::with(|_| (), impatient).await;
    let viewer = stage.viewer(0, "tv");
    let playback = short(soon(viewer.open(&stage.channel(1))).await.unwrap());
    let first = poll(&viewer, &playback).await;
    assert!(is_ours(&first));
    let before = stage.snapshot().tally;
    let silent = before.left.get(&LeaveReason::Silence).copied().unwrap_or_default();
    for round in 1..=2 {
        stage.deserted().await;
        assert_eq!(stage.snapshot().tally.left.get(&LeaveReason::Silence), Some(&(silent + round)));
        if round == 1 {
            let segment = soon(viewer.segment(&playback, &first.segments()[0])).await.unwrap();
            assert_eq!(segment.status, 200);
        } else {
            let back = poll(&viewer, &playback).await;
            assert!(is_hit(&back) && is_ours(&back), "its token is still its own");
        }
        assert_eq!((stage.snapshot().present(), stage.snapshot().tally.revived), (1, before.revived + round));
    }
    assert_eq!(stage.origin().counts().jobs_started, 1);
}

/// A device that tunes has left the stream it watched, with or without a report; another device has not.
#[tokio::test(flavor = "multi_thread")]
async fn a_zap_is_a_goodbye() {
    let stage = Stage::quick().await;
    let (alice, bob) = (stage.viewer(0, "tv"), stage.viewer(1, "phone"));
    for viewer in [&alice, &bob] {
        tune(viewer, &stage.channel(1)).await;
    }
    tune(&alice, &stage.channel(2)).await;
    let present: Vec<usize> = stage
        .snapshot()
        .streams
        .iter()
        .map(|stream| {
            let there = |consumer: &&domain::pool::ConsumerView| consumer.verdict.state.is_present();
            stream.consumers.iter().filter(there).count()
        })
        .collect();
    assert_eq!(present, [1, 1]);
    assert_eq!(stage.snapshot().tally.left.get(&LeaveReason::Zapped), Some(&1));
}

/// The gateway deletes the job first and then gives the consumer back, after which the tuner is free.
#[tokio::test(flavor = "multi_thread")]
async fn when_nobody_is_left_everything_is_given_back() {
    let stage = Stage::with(|_| (), |config| config.pool.idle_timeout = Duration::from_millis(500)).await;
    let viewer = stage.viewer(0, "tv");
    let (playback, _) = tune(&viewer, &stage.channel(1)).await;
    eventually("we hold it too", async || stage.origin().counts().opens == 2).await;
    soon(viewer.report(&playback, "Playing")).await.unwrap();
    soon(viewer.leave(&playback)).await.unwrap();
    assert_eq!(stage.origin().counts().tuners_open, 1, "it is kept for a while");
    stage.nothing_open().await;
    let counts = stage.origin().counts();
    assert_eq!((counts.opens, counts.closes), (2, 2));
    let own = || {
        let requests = stage.origin().requests().into_iter();
        let own = requests
            .filter(|seen| seen.user_agent.as_deref().is_some_and(|agent| agent.starts_with("warmgate")))
            .filter(|seen| seen.path == "/Videos/ActiveEncodings" || seen.path == "/LiveStreams/Close");
        own.map(|seen| (seen.path, seen.status)).collect::<Vec<_>>()
    };
    let expected = ["/Videos/ActiveEncodings", "/LiveStreams/Close"].map(|path| (path.to_owned(), Some(204)));
    eventually("both are answered", async || own().iter().all(|(_, status)| status.is_some())).await;
    assert_eq!(own(), expected);
    eventually("and forgotten", async || stage.snapshot().streams.is_empty()).await;
    assert_eq!(stage.snapshot().tally.stopped.get(&StopReason::Idle), Some(&1));
    // The next request starts it again.
    let (_, answer) = tune(&viewer, &stage.channel(1)).await;
    all_fetched(&viewer, &answer).await;
    assert_eq!(stage.origin().counts().jobs_started, 2);
}

/// The server's own account of a channel: the viewer's opening and the gateway's, and after the goodbye the gateway's alone.
#[tokio::test(flavor = "multi_thread")]
async fn each_opening_is_given_back_by_whom_it_belongs_to() {
    let stage = Stage::quick().await;
    let viewer = stage.viewer(0, "tv");
    let (playback, _) = tune(&viewer, &stage.channel(1)).await;
    let ours = || {
        let consumers = stage.origin().consumers().remove(&playback.live_stream).unwrap_or_default();
        consumers.iter().map(|consumer| consumer.user_agent().starts_with("warmgate")).collect::<Vec<_>>()
    };
    eventually("the gateway holds it too", async || ours() == [false, true]).await;
    soon(viewer.report(&playback, "Playing")).await.unwrap();
    soon(viewer.leave(&playback)).await.unwrap();
    assert_eq!(ours(), [true]);
}
