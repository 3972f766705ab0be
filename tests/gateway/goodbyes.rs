//! Viewers that fall silent after they have reported that they play: the gateway says goodbye in their name, and nobody's
//! consumer is taken but their own (issue: a silent client keeps its tuner for minutes, or for ever).

use std::path::Path;
use std::time::Duration;

use domain::reason::ReturnReason;
use jellyfin_alike::viewer::{Playback, Viewer};
use jellyfin_alike::{Origin, Settings, Version};
use tokio::time::timeout;
use warmgate::config::Config;

use crate::support::stage::{Stage, VERSIONS, delaying, is_hit, poll, short};
use crate::support::wait::{eventually, soon};

const NEVER: Duration = Duration::from_secs(600);

/// A gateway that soon takes a silent viewer for gone, and keeps streams warm for long.
fn impatient(config: &mut Config) {
    config.viewers.silence = Duration::from_secs(1);
    config.viewers.patience = Duration::from_secs(1);
    config.viewers.unfollowed = NEVER;
    config.pool.idle_timeout = NEVER;
}

async fn stage(version: Version) -> Stage {
    Stage::with(|settings| settings.version = version, impatient).await
}

/// A viewer tunes, plays and reports it.
async fn plays(viewer: &Viewer, item: &str) -> Playback {
    let playback = short(soon(viewer.open(item)).await.unwrap());
    assert_eq!(poll(viewer, &playback).await.status, 200);
    soon(viewer.report(&playback, "Playing")).await.unwrap();
    playback
}

/// Consumers of a live stream at the origin.
fn consumers(stage: &Stage, playback: &Playback) -> usize {
    stage.origin().counts().consumers.get(&playback.live_stream).copied().unwrap_or(0)
}

async fn consumed_by(stage: &Stage, playback: &Playback, count: usize) {
    let what = format!("{count} consumers of {}", playback.live_stream);
    eventually(&what, async || consumers(stage, playback) == count).await;
}

/// Polls and reports as a player does, until `check` holds; every answer has to be a playlist.
async fn plays_on(viewer: &Viewer, playback: &Playback, what: &str, check: impl Fn() -> bool) {
    eventually(what, async || {
        let answer = poll(viewer, playback).await;
        assert_eq!(answer.status, 200, "{}", answer.text());
        soon(viewer.report(playback, "Playing/Progress")).await.unwrap();
        check()
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_viewer_that_falls_silent_is_said_goodbye_for_and_takes_nobody_along() {
    for version in VERSIONS {
        let stage = stage(version).await;
        let (silent, other) = (stage.viewer(0, "phone"), stage.viewer(1, "tv"));
        let playback = plays(&silent, &stage.channel(1)).await;
        let watched = plays(&other, &stage.channel(1)).await;
        consumed_by(&stage, &playback, 3).await;
        plays_on(&other, &watched, "the silent one's consumer is given back", || {
            consumers(&stage, &playback) == 2
        })
        .await;
        assert_eq!(stage.snapshot().tally.returned.get(&ReturnReason::Silent), Some(&1));
        let stopped = stage.asked("/Sessions/Playing/Stopped");
        assert_eq!(stopped.len(), 1, "{stopped:?}");
        soon(other.leave(&watched)).await.unwrap();
        consumed_by(&stage, &playback, 1).await;
    }
}

/// The server itself would never close the first channel of a device that has played another one since.
#[tokio::test(flavor = "multi_thread")]
async fn a_channel_that_its_device_has_left_without_a_word_is_given_back_at_once() {
    for (version, reports_first) in
        [VERSIONS.map(|version| (version, false)), VERSIONS.map(|version| (version, true))].concat()
    {
        let stage = stage(version).await;
        let viewer = stage.viewer(0, "phone");
        let first = short(soon(viewer.open(&stage.channel(1))).await.unwrap());
        if reports_first {
            soon(viewer.report(&first, "Playing")).await.unwrap();
        }
        assert_eq!(poll(&viewer, &first).await.status, 200);
        if !reports_first {
            soon(viewer.report(&first, "Playing")).await.unwrap();
        }
        let second = plays(&viewer, &stage.channel(2)).await;
        plays_on(&viewer, &second, "the first channel is the gateway's alone", || {
            consumers(&stage, &first) == 1
        })
        .await;
        assert_eq!(consumers(&stage, &second), 2, "its own and ours");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn who_was_there_after_all_gets_an_opening_of_its_own_before_its_next_report() {
    for version in VERSIONS {
        let stage = stage(version).await;
        let (silent, other) = (stage.viewer(0, "phone"), stage.viewer(1, "tv"));
        let playback = plays(&silent, &stage.channel(1)).await;
        let watched = plays(&other, &stage.channel(1)).await;
        plays_on(&other, &watched, "it is said goodbye for", || consumers(&stage, &playback) == 2).await;
        // Its network is back.
        let answer = poll(&silent, &playback).await;
        assert!(is_hit(&answer), "{} {}", answer.status, answer.text());
        soon(silent.report(&playback, "Playing/Progress")).await.unwrap();
        assert_eq!(consumers(&stage, &playback), 3, "{version:?}: its own, the other's and ours");
        soon(silent.leave(&playback)).await.unwrap();
        plays_on(&other, &watched, "it has taken its own with it", || consumers(&stage, &playback) == 2)
            .await;
        tokio::time::sleep(Duration::from_secs(1)).await;
        plays_on(&other, &watched, "and nobody else's", || true).await;
        assert_eq!(consumers(&stage, &playback), 2);
    }
}

/// Where no opening is to be had for it, its reports pass without the name of the live stream.
#[tokio::test(flavor = "multi_thread")]
async fn a_report_without_an_opening_names_no_live_stream() {
    let stage = stage(Version::V12).await;
    let (silent, other) = (stage.viewer(0, "phone"), stage.viewer(1, "tv"));
    let playback = plays(&silent, &stage.channel(1)).await;
    let watched = plays(&other, &stage.channel(1)).await;
    plays_on(&other, &watched, "it is said goodbye for", || consumers(&stage, &playback) == 2).await;
    // A goodbye that comes late is about nothing any more.
    soon(silent.leave(&playback)).await.unwrap();
    plays_on(&other, &watched, "nothing happens", || true).await;
    assert_eq!(consumers(&stage, &playback), 2);
}

/// The openings die with the server's process. A report with their live stream would make the next process believe in a
/// playback, and its end would take the gateway's consumer.
#[tokio::test(flavor = "multi_thread")]
async fn after_a_crash_of_the_server_a_goodbye_takes_only_its_own_opening() {
    for version in VERSIONS {
        let mut stage = stage(version).await;
        let viewer = stage.viewer(0, "phone");
        let playback = plays(&viewer, &stage.channel(1)).await;
        consumed_by(&stage, &playback, 2).await;
        let settings = stage.kill_origin().await;
        let _ = viewer.report(&playback, "Playing/Progress").await;
        stage.restart_origin(settings).await;
        eventually("the stream is back", async || {
            let answer = poll(&viewer, &playback).await;
            answer.status == 200 && consumers(&stage, &playback) >= 1
        })
        .await;
        plays_on(&viewer, &playback, "it has an opening of its own again", || {
            consumers(&stage, &playback) == 2
        })
        .await;
        soon(viewer.leave(&playback)).await.unwrap();
        consumed_by(&stage, &playback, 1).await;
        tokio::time::sleep(Duration::from_secs(1)).await;
        assert_eq!(consumers(&stage, &playback), 1, "{version:?}: ours is protected");
    }
}

/// A start after a clean stop knows what clients had opened, reported or not, and settles it.
#[tokio::test(flavor = "multi_thread")]
async fn a_clean_stop_forgets_nothing_that_clients_had_opened() {
    for version in VERSIONS {
        let folder = tempfile::tempdir().unwrap();
        let remembering = |config: &mut Config, unfollowed: Duration, folder: &Path| {
            impatient(config);
            config.viewers.silence = Duration::from_secs(20);
            config.viewers.patience = Duration::from_secs(20);
            config.viewers.unfollowed = unfollowed;
            config.state_dir = Some(folder.to_owned());
        };
        let set = |settings: &mut jellyfin_alike::Settings| settings.version = version;
        let stage = Stage::with(set, |config| remembering(config, NEVER, folder.path())).await;
        let viewer = stage.viewer(0, "phone");
        let playback = plays(&viewer, &stage.channel(1)).await;
        stage.shut_down().await;
        assert_eq!(consumers(&stage, &playback), 1, "the client's own");
        let soon_settled = Duration::from_secs(1);
        let port = stage.base.rsplit(':').next().unwrap().to_owned();
        let next = stage
            .again(|config| {
                remembering(config, soon_settled, folder.path());
                config.listen = format!("127.0.0.1:{port}").parse().unwrap();
            })
            .await;
        // Somebody's credential is needed to close it with.
        let other = next.viewer(1, "tv");
        let watched = plays(&other, &next.channel(2)).await;
        plays_on(&other, &watched, "it is closed", || consumers(&next, &playback) == 0).await;
    }
}

/// Three phones lost their network; a fourth channel is asked for. Nothing warm is given up while that would free no tuner,
/// and one channel is enough once it does.
#[tokio::test(flavor = "multi_thread")]
async fn a_channel_that_a_silent_client_still_holds_is_not_given_up_in_vain() {
    let stage = Stage::with(|settings| settings.tuners = 3, impatient).await;
    let mut playbacks = Vec::new();
    for number in 1..=3 {
        let viewer = stage.viewer(0, &format!("phone-{number}"));
        playbacks.push(plays(&viewer, &stage.channel(number)).await);
    }
    let tv = stage.viewer(1, "tv");
    tv.open(&stage.channel(4)).await.unwrap_err();
    assert_eq!(stage.snapshot().tally.stopped.len(), 0, "their viewers may yet be there");
    for playback in &playbacks {
        consumed_by(&stage, playback, 1).await;
    }
    plays(&tv, &stage.channel(4)).await;
    let stopped = stage.snapshot().tally.stopped;
    assert_eq!(stopped.values().sum::<u64>(), 1, "{stopped:?}");
}

/// jellyfin-web does not wait for the answer to its `Stopped`, which takes 0.65 s and more. A second one, in its name, would
/// take the gateway's consumer: on 12.0 once nobody is reported for the live stream, up to 10.10 always.
#[tokio::test(flavor = "multi_thread")]
async fn a_goodbye_that_is_under_way_is_not_said_again() {
    let slow = |settings: &mut jellyfin_alike::Settings| settings.delays.stop = Duration::from_millis(1500);
    let stage = Stage::with(slow, impatient).await;
    let viewer = stage.viewer(0, "tv");
    for zap in 0..2 {
        let playback = plays(&viewer, &stage.channel(1 + zap)).await;
        consumed_by(&stage, &playback, 2).await;
        let leaving = {
            let (viewer, playback) = (viewer.clone(), playback.clone());
            tokio::spawn(async move { viewer.leave(&playback).await.map_err(|error| error.to_string()) })
        };
        let next = plays(&viewer, &stage.channel(3)).await;
        soon(leaving).await.unwrap().unwrap();
        tokio::time::sleep(Duration::from_millis(500)).await;
        assert_eq!(consumers(&stage, &playback), 1, "zap {zap}: the gateway's is left");
        soon(viewer.leave(&next)).await.unwrap();
        consumed_by(&stage, &next, 1).await;
    }
    assert_eq!(stage.snapshot().tally.returned.len(), 0);
}

/// The server has closed the first opening and has yet to say so when the same channel's second one is reported.
#[tokio::test(flavor = "multi_thread")]
async fn a_channel_that_is_opened_again_while_its_stopped_is_under_way_is_closed_twice_and_no_more() {
    for version in VERSIONS {
        let slow = |settings: &mut jellyfin_alike::Settings| {
            (settings.delays.stop, settings.version) = (Duration::from_millis(1500), version);
        };
        let stage = Stage::with(slow, impatient).await;
        let viewer = stage.viewer(0, "tv");
        let first = plays(&viewer, &stage.channel(1)).await;
        consumed_by(&stage, &first, 2).await;
        let leaving = {
            let (viewer, first) = (viewer.clone(), first.clone());
            tokio::spawn(async move { viewer.leave(&first).await.map_err(|error| error.to_string()) })
        };
        consumed_by(&stage, &first, 1).await;
        let second = plays(&viewer, &stage.channel(1)).await;
        assert!(!leaving.is_finished(), "too slow a machine to tell");
        soon(leaving).await.unwrap().unwrap();
        assert_eq!((consumers(&stage, &second), stage.snapshot().openings), (2, 1), "{version:?}");
        soon(viewer.leave(&second)).await.unwrap();
        consumed_by(&stage, &second, 1).await;
        eventually("nothing is left to close", async || stage.snapshot().openings == 0).await;
    }
}

/// A page that is loaded again opens its channel again without a word. The server keeps one record for both openings.
#[tokio::test(flavor = "multi_thread")]
async fn a_device_that_opens_its_channel_twice_leaves_neither_opening_behind() {
    for version in VERSIONS {
        let stage = stage(version).await;
        let (viewer, other) = (stage.viewer(0, "phone"), stage.viewer(1, "tv"));
        let watched = plays(&other, &stage.channel(1)).await;
        plays(&viewer, &stage.channel(1)).await;
        let again = plays(&viewer, &stage.channel(1)).await;
        consumed_by(&stage, &again, 4).await;
        soon(viewer.leave(&again)).await.unwrap();
        plays_on(&other, &watched, "its own and ours are left", || consumers(&stage, &again) == 2).await;
        tokio::time::sleep(Duration::from_secs(1)).await;
        plays_on(&other, &watched, "and stay", || true).await;
        assert_eq!(consumers(&stage, &again), 2, "{version:?}");
    }
}

/// Whether the server closes an opening that was never reported depends on its version and on who else has reported.
#[tokio::test(flavor = "multi_thread")]
async fn a_viewer_that_leaves_before_its_first_report_leaves_nothing_open() {
    for version in VERSIONS {
        let stage = stage(version).await;
        let (viewer, other) = (stage.viewer(0, "phone"), stage.viewer(1, "tv"));
        let watched = plays(&other, &stage.channel(1)).await;
        let hasty = short(soon(viewer.open(&stage.channel(1))).await.unwrap());
        assert_eq!(poll(&viewer, &hasty).await.status, 200);
        consumed_by(&stage, &hasty, 3).await;
        soon(viewer.leave(&hasty)).await.unwrap();
        plays_on(&other, &watched, "the hasty one's is closed", || consumers(&stage, &hasty) == 2).await;
        soon(viewer.leave(&hasty)).await.unwrap();
        tokio::time::sleep(Duration::from_secs(1)).await;
        plays_on(&other, &watched, "and nobody else's", || true).await;
        assert_eq!(consumers(&stage, &hasty), 2, "{version:?}");
    }
}

/// A playback whose playlist the gateway passes on.
fn of_the_servers_own(playback: Playback) -> Playback {
    Playback { playlist: format!("{}&StartTimeTicks=10000000", playback.playlist), ..playback }
}

/// A viewer plays the server's own stream, since no other can be had, and falls silent: nobody but the gateway gives its tuner back soon.
#[tokio::test(flavor = "multi_thread")]
async fn who_played_the_servers_own_stream_is_said_goodbye_for_too() {
    let patient = |config: &mut Config| {
        impatient(config);
        config.viewers.unfollowed = Duration::from_secs(2);
    };
    for version in VERSIONS {
        let stage = Stage::with(|settings| settings.version = version, patient).await;
        let (silent, hasty) = (stage.viewer(0, "phone"), stage.viewer(0, "tablet"));
        let playback = of_the_servers_own(short(soon(silent.open(&stage.channel(1))).await.unwrap()));
        for _ in 0..8 {
            assert!(!is_hit(&poll(&silent, &playback).await));
            soon(silent.report(&playback, "Playing")).await.unwrap();
            tokio::time::sleep(Duration::from_millis(400)).await;
            assert_eq!(consumers(&stage, &playback), 1, "{version:?}: it plays");
        }
        let unreported = of_the_servers_own(short(soon(hasty.open(&stage.channel(2))).await.unwrap()));
        poll(&hasty, &unreported).await;
        consumed_by(&stage, &playback, 0).await;
        consumed_by(&stage, &unreported, 0).await;
    }
}

/// Some clients report `Stopped` and close the live stream besides, and some report `Stopped` twice. The second time would take the
/// consumer of whoever has just opened the channel.
#[tokio::test(flavor = "multi_thread")]
async fn who_gives_its_opening_back_twice_takes_nobody_along() {
    for version in VERSIONS {
        let stage = stage(version).await;
        let (thorough, other) = (stage.viewer(0, "phone"), stage.viewer(1, "tv"));
        let playback = soon(thorough.open(&stage.channel(1))).await.unwrap();
        soon(thorough.report(&playback, "Playing")).await.unwrap();
        let opened = short(soon(other.open(&stage.channel(1))).await.unwrap());
        soon(thorough.leave(&playback)).await.unwrap();
        assert_eq!(consumers(&stage, &opened), 1, "{version:?}: the other's");
        soon(thorough.leave(&playback)).await.unwrap();
        assert_eq!(consumers(&stage, &opened), 1, "{version:?}: it stays after a second Stopped");
        let close = format!("/LiveStreams/Close?liveStreamId={}", playback.live_stream);
        soon(thorough.post(&close, &serde_json::Value::Null)).await.unwrap();
        assert_eq!(consumers(&stage, &opened), 1, "{version:?}: and after a Close");
        assert_eq!(poll(&other, &opened).await.status, 200);
    }
}

/// The live stream was closed under its viewers. Who opens it again has another one, although its id is the same.
#[tokio::test(flavor = "multi_thread")]
async fn who_has_lost_its_opening_takes_nobodys_that_came_later() {
    for version in VERSIONS {
        let stage = stage(version).await;
        let (first, later) = (stage.viewer(0, "phone"), stage.viewer(1, "tv"));
        let playback = of_the_servers_own(short(soon(first.open(&stage.channel(1))).await.unwrap()));
        assert_eq!(poll(&first, &playback).await.status, 200);
        soon(first.report(&playback, "Playing")).await.unwrap();
        let close = format!("/LiveStreams/Close?liveStreamId={}", playback.live_stream);
        soon(stage.direct(1, "operator").post(&close, &serde_json::Value::Null)).await.unwrap();
        assert_eq!(consumers(&stage, &playback), 0);
        let opened = short(soon(later.open(&stage.channel(1))).await.unwrap());
        soon(first.leave(&playback)).await.unwrap();
        assert_eq!(consumers(&stage, &opened), 1, "{version:?}: the later one's");
        assert_eq!(poll(&later, &opened).await.status, 200);
    }
}

/// A device that is denied a tuner for another channel is said goodbye for. Its own `Stopped` may come once it has that other channel.
#[tokio::test(flavor = "multi_thread")]
async fn a_goodbye_after_the_next_opening_takes_nobody_along() {
    for version in VERSIONS {
        let stage = stage(version).await;
        let (zapper, other) = (stage.viewer(0, "phone"), stage.viewer(1, "tv"));
        let playback = plays(&zapper, &stage.channel(1)).await;
        consumed_by(&stage, &playback, 2).await;
        consumed_by(&stage, &playback, 1).await;
        soon(zapper.open(&stage.channel(2))).await.unwrap();
        let opened = short(soon(other.open(&stage.channel(1))).await.unwrap());
        soon(zapper.leave(&playback)).await.unwrap();
        assert_eq!(consumers(&stage, &opened), 2, "{version:?}: the other's and ours");
    }
}

/// Its tuner has gone to another channel, which nobody watches by now. It has no opening any more for which that would have been freed.
#[tokio::test(flavor = "multi_thread")]
async fn who_was_silent_and_has_lost_its_tuner_gets_one_at_once() {
    for version in VERSIONS {
        let few =
            |settings: &mut jellyfin_alike::Settings| (settings.version, settings.tuners) = (version, 1);
        let stage = Stage::with(few, impatient).await;
        let (silent, other) = (stage.viewer(0, "phone"), stage.viewer(1, "tv"));
        let playback = plays(&silent, &stage.channel(1)).await;
        eventually("its tuner is free", async || soon(other.open(&stage.channel(2))).await.is_ok()).await;
        let watched = plays(&other, &stage.channel(2)).await;
        soon(other.leave(&watched)).await.unwrap();
        consumed_by(&stage, &watched, 1).await;
        assert_eq!(poll(&silent, &playback).await.status, 200);
        assert_eq!(consumers(&stage, &watched), 0, "{version:?}");
        let tally = stage.snapshot().tally;
        assert!(tally.failures.is_empty(), "{version:?}: {:?}", tally.failures);
    }
}

/// It breaks off the report for which its opening is made anew, and leaves: the server has no record of that opening yet.
#[tokio::test(flavor = "multi_thread")]
async fn who_leaves_while_its_opening_is_made_anew_leaves_nothing_open() {
    for version in VERSIONS {
        let settings = Settings { version, ..Settings::quick() };
        let origin = Origin::start(settings.clone()).await.unwrap();
        let slow = delaying(origin.addr(), "/livestreams/open", || Duration::from_millis(600)).await;
        let stage = Stage::before(origin, &settings, &slow.to_string(), impatient).await;
        let (silent, other) = (stage.viewer(0, "phone"), stage.viewer(1, "tv"));
        let playback = plays(&silent, &stage.channel(1)).await;
        let watched = plays(&other, &stage.channel(1)).await;
        consumed_by(&stage, &playback, 3).await;
        plays_on(&other, &watched, "it is said goodbye for", || consumers(&stage, &playback) == 2).await;
        assert!(is_hit(&poll(&silent, &playback).await));
        let report = silent.report(&playback, "Playing/Progress");
        timeout(Duration::from_millis(200), report).await.unwrap_err();
        soon(silent.leave(&playback)).await.unwrap();
        plays_on(&other, &watched, "it has made and left its opening", || {
            stage.asked("/LiveStreams/Open").len() == 2 && consumers(&stage, &playback) == 2
        })
        .await;
    }
}
