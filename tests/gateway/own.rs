//! Streams that the gateway makes itself from the tuner's raw stream, without a job at the server. A stream that it cannot
//! make is adopted instead.

use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt as _;
use std::process::Stdio;
use std::time::{Duration, Instant};

use domain::produce::{Produce, ProductionMethod};
use domain::producer::State;
use domain::reason::{Failure, StopReason};
use jellyfin_alike::{Origin, Settings};
use rustix::process::{Signal, kill_process};
use tokio::process::Command;
use warmgate::config::{ByteSize, Config};

use crate::support::stage::{
    Stage, VERSIONS, all_fetched, delaying, is_hit, is_ours, poll, tune, tune_with, watching, with_key,
};
use crate::support::wait::{eventually, soon};
use crate::support::watch::Watch;

const PATIENCE: Duration = Duration::from_secs(25);

fn own(config: &mut Config) {
    config.produce.default = Produce::Auto;
}

fn means(stage: &Stage) -> Vec<ProductionMethod> {
    stage.snapshot().streams.iter().map(|stream| stream.method).collect()
}

/// How often the gateway requested a raw stream, apart from the server's own FFmpeg.
fn pulls(stage: &Stage) -> usize {
    let own = |agent: &String| agent.starts_with("warmgate");
    stage.asked("/stream.ts").iter().filter(|seen| seen.user_agent.as_ref().is_some_and(own)).count()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_channel_is_made_without_a_job_at_the_server() {
    let stage = Stage::with(|_| (), own).await;
    let (alice, bob) = (stage.viewer(0, "tv"), stage.viewer(1, "phone"));
    let (_, cold) = tune(&alice, &stage.channel(1)).await;
    assert!(is_ours(&cold), "{}", cold.field("cache-status"));
    all_fetched(&alice, &cold).await;
    let (again, warm) = tune(&bob, &stage.channel(1)).await;
    assert!(is_hit(&warm), "{}", warm.field("cache-status"));
    all_fetched(&bob, &warm).await;
    let last = warm.segments().last().cloned();
    eventually("it goes on", async || poll(&bob, &again).await.segments().last().cloned() != last).await;
    assert_eq!(means(&stage), [ProductionMethod::Own]);
    let counts = stage.origin().counts();
    assert_eq!((counts.jobs_started, counts.tuners_open), (0, 1));
    assert_eq!(pulls(&stage), 1, "however many watch");
    assert!(stage.asked("/live.m3u8").is_empty());
    stage.shut_down().await;
    assert_eq!(stage.origin().counts().consumers.values().sum::<usize>(), 2, "the viewers' own are left");
}

#[tokio::test(flavor = "multi_thread")]
async fn it_outlives_its_viewer_and_gives_everything_back() {
    for version in VERSIONS {
        let config = |config: &mut Config| {
            own(config);
            config.warm.encode = Duration::from_secs(1);
            config.warm.feed = Duration::from_secs(1);
        };
        let stage = Stage::with(|settings| settings.version = version, config).await;
        let viewer = stage.viewer(0, "tv");
        let (playback, _) = tune(&viewer, &stage.channel(1)).await;
        soon(viewer.report(&playback, "Playing")).await.unwrap();
        soon(viewer.leave(&playback)).await.unwrap();
        assert_eq!(stage.origin().counts().tuners_open, 1, "ours is left");
        stage.nothing_open().await;
        eventually("it is forgotten", async || stage.snapshot().streams.is_empty()).await;
    }
}

/// Subtitles that are burnt in cannot be made here, and the next viewer does not wait for another attempt.
#[tokio::test(flavor = "multi_thread")]
async fn what_is_better_left_to_the_server_is_adopted_at_once() {
    let config = |config: &mut Config| {
        own(config);
        config.pool.idle_timeout = Duration::from_millis(100);
    };
    let stage = Stage::with(|_| (), config).await;
    let viewer = stage.viewer(0, "tv");
    for _ in 0..2 {
        let (playback, _) = tune_with(
            &viewer,
            &stage.channel(1),
            "&SubtitleStreamIndex=2&SubtitleMethod=Encode&AllowVideoStreamCopy=false",
        )
        .await;
        assert_eq!(means(&stage), [ProductionMethod::Adopted]);
        assert_eq!(stage.snapshot().tally.failures.get(&Failure::Unsuitable), Some(&1));
        assert_eq!(pulls(&stage), 1);
        eventually("its own input is let go", async || {
            stage.origin().counts().consumers.values().sum::<usize>() == 2
        })
        .await;
        soon(viewer.leave(&playback)).await.unwrap();
        stage.nothing_open().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn who_wants_adoption_only_gets_nothing_else() {
    let stage = Stage::with(|_| (), |config| config.produce.default = Produce::Adopt).await;
    let viewer = stage.viewer(0, "tv");
    tune(&viewer, &stage.channel(1)).await;
    assert_eq!(pulls(&stage), 0);
    assert_eq!(stage.origin().counts().jobs_started, 1);
}

/// The provider disconnects in mid-stream: the gateway opens the channel again, and the playlists go on.
#[tokio::test(flavor = "multi_thread")]
async fn a_tuner_that_ends_is_opened_again() {
    let stage = Stage::with(|_| (), own).await;
    let mut watch = Watch::begin(stage.viewer(0, "tv"), &stage.channel(1)).await;
    stage.origin().end(1);
    watch.resume(PATIENCE).await;
    assert_eq!(stage.origin().counts().jobs_started, 0);
}

/// An input sends nothing for longer than the gateway waits, and then goes on.
#[tokio::test(flavor = "multi_thread")]
async fn a_tuner_that_stalls_is_waited_for() {
    let silence = watching(8, 40);
    let config = |config: &mut Config| {
        own(config);
        config.feed.stall = silence / 4;
    };
    let stage = Stage::with(|_| (), config).await;
    let mut watch = Watch::begin(stage.viewer(0, "tv"), &stage.channel(1)).await;
    stage.origin().stall(1);
    let begun = Instant::now();
    while begun.elapsed() < silence {
        watch.look().await;
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    stage.origin().recover(1);
    watch.resume(PATIENCE).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_comes_back_is_tapped_again() {
    let mut stage = Stage::with(|_| (), own).await;
    let mut watch = Watch::begin(stage.viewer(0, "tv"), &stage.channel(1)).await;
    let settings = stage.kill_origin().await;
    stage.restart_origin(settings).await;
    watch.resume(PATIENCE).await;
    stage.shut_down().await;
    stage.nothing_open().await;
}

/// A client that opens many channels and plays none has the gateway open no more inputs than it has slots.
#[tokio::test(flavor = "multi_thread")]
async fn only_the_latest_openings_have_their_inputs_opened() {
    let config = |config: &mut Config| {
        own(config);
        config.pool.slots = 2;
    };
    let stage = Stage::with(|settings| settings.tuners = 4, config).await;
    let viewer = stage.viewer(0, "tv");
    for channel in 1..=4 {
        soon(viewer.open(&stage.channel(channel))).await.unwrap();
    }
    let live_streams = stage.origin().channels().into_iter().map(|channel| channel.live_stream_id);
    let live_streams: Vec<_> = live_streams.take(4).collect();
    eventually("two inputs are left", async || {
        let consumers = stage.origin().counts().consumers;
        let of_each: Vec<_> = live_streams.iter().filter_map(|id| consumers.get(id)).collect();
        of_each == [&1, &1, &2, &2] && stage.snapshot().inputs.len() == 2
    })
    .await;
}

/// The server writes to its disk for as long as its raw stream is read, whether or not the gateway makes a stream of it.
#[tokio::test(flavor = "multi_thread")]
async fn an_input_that_nobody_watches_does_not_fill_the_disk() {
    let config = |config: &mut Config| {
        own(config);
        config.warm.encode = Duration::from_millis(100);
        config.upstream.disk_budget = ByteSize(1 << 20);
    };
    let stage = Stage::with(|_| (), config).await;
    let viewer = stage.viewer(0, "tv");
    let mut playback = soon(viewer.open(&stage.channel(1))).await.unwrap();
    playback.playlist += "&MaxHeight=90";
    assert!(is_ours(&poll(&viewer, &playback).await));
    soon(viewer.leave(&playback)).await.unwrap();
    eventually("it rests", async || {
        stage.snapshot().streams.iter().any(|stream| stream.state == State::Resting)
    })
    .await;
    assert!(stage.snapshot().inputs.iter().all(|input| input.written < 1 << 20));
    stage.nothing_open().await;
    assert_eq!(stage.snapshot().tally.stopped.get(&StopReason::DiskBudget), Some(&1));
}

#[tokio::test(flavor = "multi_thread")]
async fn who_comes_to_a_resting_stream_wakes_it_at_once() {
    let config = |config: &mut Config| {
        own(config);
        config.warm.encode = Duration::from_millis(100);
    };
    let stage = Stage::with(|_| (), config).await;
    let viewer = stage.viewer(0, "tv");
    let (playback, _) = tune_with(&viewer, &stage.channel(1), "&MaxHeight=90").await;
    soon(viewer.leave(&playback)).await.unwrap();
    eventually("it rests", async || {
        stage.snapshot().streams.iter().any(|stream| stream.state == State::Resting)
            && stage.encoders().is_empty()
    })
    .await;
    let begun = Instant::now();
    let polling = tokio::spawn(async move { poll(&viewer, &playback).await });
    eventually("it is made again", async || !stage.encoders().is_empty()).await;
    assert!(begun.elapsed() < Duration::from_secs(3), "{:?}", begun.elapsed());
    assert!(is_ours(&polling.await.unwrap()));
}

/// A profile that the source does not satisfy, with half the height, goes through an FFmpeg of the gateway.
#[tokio::test(flavor = "multi_thread")]
async fn another_profile_is_encoded_from_the_same_pull() {
    let stage = Stage::with(|_| (), own).await;
    let viewer = stage.viewer(0, "tv");
    let (_, _) = tune(&viewer, &stage.channel(1)).await;
    let (small, answer) = tune_with(&stage.viewer(1, "phone"), &stage.channel(1), "&MaxHeight=90").await;
    all_fetched(&viewer, &answer).await;
    assert_eq!(means(&stage), [ProductionMethod::Own, ProductionMethod::Own]);
    assert_eq!((stage.origin().counts().jobs_started, pulls(&stage)), (0, 1));
    let url = format!("{}{}", stage.base, small.playlist);
    let probe = Command::new("ffprobe")
        .args([
            "-v",
            "error",
            "-select_streams",
            "v",
            "-show_entries",
            "stream=height",
            "-of",
            "csv=p=0",
            &url,
        ])
        .kill_on_drop(true)
        .output();
    let output = tokio::time::timeout(PATIENCE, probe).await.unwrap().unwrap();
    assert!(String::from_utf8_lossy(&output.stdout).trim().starts_with("90"), "{output:?}");
}

/// A server that encodes in hardware is left what needs an encoder; what can be copied is still made here.
#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_encodes_in_hardware_is_let_do_it() {
    for (produce, encoded) in
        [(Produce::Auto, ProductionMethod::Adopted), (Produce::Own, ProductionMethod::Own)]
    {
        let stage =
            Stage::with(|server| server.hardware = true, |config| config.produce.default = produce).await;
        let viewer = stage.viewer(0, "tv");
        let (_, _) = tune(&viewer, &stage.channel(1)).await;
        tune_with(&stage.viewer(1, "phone"), &stage.channel(1), "&MaxHeight=90").await;
        assert_eq!(means(&stage), [ProductionMethod::Own, encoded]);
    }
}

/// A viewer does not wait until the server has told how it encodes.
#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_does_not_say_how_it_encodes_is_not_waited_for() {
    let settings = Settings::quick();
    let origin = Origin::start(settings.clone()).await.unwrap();
    let slow = delaying(origin.addr(), "/configuration/encoding", || 2 * PATIENCE).await;
    let stage = Stage::before(origin, &settings, &slow.to_string(), own).await;
    let viewer = stage.viewer(0, "tv");
    tune_with(&viewer, &stage.channel(1), "&MaxHeight=90").await;
    assert_eq!(means(&stage), [ProductionMethod::Own]);
}

/// At its start the gateway does not know its encoders yet, and does not take that for a lack of them.
#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_known_yet_is_no_reason_for_later() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("ffmpeg");
    std::fs::write(&path, "#!/bin/sh\nexec sleep 60\n").unwrap();
    std::fs::set_permissions(&path, Permissions::from_mode(0o755)).unwrap();
    let config = |config: &mut Config| {
        own(config);
        config.ffmpeg.path = path.clone();
    };
    let stage = Stage::with(|_| (), config).await;
    let viewer = stage.viewer(0, "tv");
    tune_with(&viewer, &stage.channel(1), "&MaxHeight=90").await;
    assert_eq!(means(&stage), [ProductionMethod::Adopted]);
    assert_eq!(stage.snapshot().tally.failures, [(Failure::Busy, 1)].into());
}

/// The encoder is killed: another follows after a discontinuity, and the input stays open.
#[tokio::test(flavor = "multi_thread")]
async fn a_killed_encoder_is_replaced() {
    let stage = Stage::with(|_| (), own).await;
    let mut watch = Watch::begin_with(stage.viewer(0, "tv"), &stage.channel(1), "&MaxHeight=90").await;
    assert_eq!(means(&stage), [ProductionMethod::Own]);
    let encoders = stage.encoders();
    assert_eq!(encoders.len(), 1);
    kill_process(encoders[0], Signal::KILL).unwrap();
    watch.resume(PATIENCE).await;
    assert_eq!((stage.origin().counts().jobs_started, pulls(&stage)), (0, 1));
}

/// FFmpeg plays the stream without an error and misses no picture.
#[tokio::test(flavor = "multi_thread")]
async fn ffmpeg_has_nothing_to_complain_of() {
    let stage = Stage::with(|_| (), own).await;
    let viewer = stage.viewer(0, "tv");
    let (playback, _) = tune(&viewer, &stage.channel(1)).await;
    let url = format!("{}{}", stage.base, playback.playlist);
    let ffmpeg = Command::new("ffmpeg")
        .args(["-v", "warning", "-xerror", "-i", &url, "-t", "12", "-f", "null", "-"])
        .stdin(Stdio::null())
        .kill_on_drop(true)
        .output();
    let output = tokio::time::timeout(Duration::from_secs(40), ffmpeg).await.unwrap().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
    assert!(said.trim().is_empty(), "{said}");
}

/// The same with an API key and a base path.
#[tokio::test(flavor = "multi_thread")]
async fn a_base_path_and_a_key_make_no_difference() {
    let asked = Settings { base_path: "/jellyfin".to_owned(), ..Settings::quick() };
    let origin = Origin::start(asked.clone()).await.unwrap();
    let upstream = origin.addr().to_string();
    let stage = Stage::before(origin, &asked, &upstream, |config| {
        own(config);
        with_key(config, &asked);
    })
    .await;
    let viewer = stage.viewer(0, "tv");
    let (_, answer) = tune(&viewer, &stage.channel(1)).await;
    all_fetched(&viewer, &answer).await;
    assert_eq!((means(&stage), stage.origin().counts().jobs_started), (vec![ProductionMethod::Own], 0));
}
