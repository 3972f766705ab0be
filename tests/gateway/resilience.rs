//! Failures at the server: the stream goes on at the same URLs, with another generation after a discontinuity. A gateway
//! that ends closes what it has opened.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use domain::key::ConsumerId;
use domain::produce::Produce;
use domain::reason::{Failure, StopReason};
use futures_util::future::join_all;
use http::HeaderValue;
use http::header::{ACCESS_CONTROL_ALLOW_ORIGIN, ORIGIN};
use jellyfin_alike::viewer::{Answer, Playback, Viewer};
use jellyfin_alike::{Origin, Settings, Version};

use crate::passthrough::wire;
use crate::support::program::Program;
use crate::support::servers::{fetch, get, http};
use crate::support::stage::{Stage, all_fetched, at_the_server, is_ours, poll, tune, unavailable};
use crate::support::wait::{eventually, soon};
use crate::support::watch::Watch;

#[tokio::test(flavor = "multi_thread")]
async fn three_players_outlive_the_server() {
    let mut stage = Stage::quick().await;
    let mut watches = Vec::new();
    for (user, device, channel) in [(0, "one", 1), (1, "two", 1), (0, "three", 2)] {
        watches.push(Watch::begin(stage.viewer(user, device), &stage.channel(channel)).await);
    }
    let settings = stage.kill_origin().await;
    let down = Instant::now();
    while down.elapsed() < Duration::from_secs(3) {
        for watch in &mut watches {
            watch.look().await;
            all_fetched(&watch.viewer, &watch.last).await;
        }
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    stage.restart_origin(settings).await;
    for watch in &mut watches {
        watch.resume(Duration::from_secs(25)).await;
    }
    assert_eq!(stage.origin().counts().jobs_started, 2);
    assert_eq!(stage.origin().counts().tuners_open, 2);
    stage.shut_down().await;
    stage.nothing_open().await;
}

/// A page of another origin, such as a Chromecast's receiver, plays on after it asked while the server started.
#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_is_still_starting_forbids_no_origin() {
    let mut stage = Stage::quick().await;
    let allowed = async |stage: &Stage, path: &str| {
        let mut request = get(format!("{}{path}", stage.base));
        request.headers_mut().insert(ORIGIN, HeaderValue::from_static("https://cast.example"));
        let (head, _) = fetch(&http(), request).await;
        (head.status.as_u16(), head.headers.contains_key(ACCESS_CONTROL_ALLOW_ORIGIN))
    };
    let ours = format!("/videos/x/hls/wg{}/0.ts", ConsumerId::from_bits(1));
    let settings = stage.kill_origin().await;
    let starting = unavailable(settings.listen).await;
    assert_eq!(allowed(&stage, "/System/Info/Public").await, (503, false));
    assert_eq!(allowed(&stage, "/videos/x/live.m3u8").await, (503, false));
    assert_eq!(allowed(&stage, &ours).await, (404, true));
    starting.abort();
    drop(starting.await);
    // This server allows another origin alone.
    stage.restart_origin(Settings { cors_hosts: vec!["https://tv.example".to_owned()], ..settings }).await;
    assert_eq!(allowed(&stage, "/System/Info/Public").await, (200, false));
    assert_eq!(allowed(&stage, &ours).await, (404, true));
    let viewer = stage.viewer(0, "tv");
    let (playback, _) = tune(&viewer, &stage.channel(1)).await;
    let master = at_the_server(&playback.playlist).replace("live.m3u8", "master.m3u8");
    assert_eq!(allowed(&stage, &master).await, (200, false));
    assert_eq!(allowed(&stage, &ours).await, (404, false));
}

/// A source comes back with key frames that are further apart than the list allows: another stream begins, whose list goes on.
#[tokio::test(flavor = "multi_thread")]
async fn a_list_keeps_its_promise_when_segments_grow_longer() {
    let is_last = |longest, _: &Answer| longest >= Some(5);
    let failures = segments_grow_longer(Produce::Adopt, true, is_last).await;
    assert_eq!(failures.get(&Failure::Overlong), Some(&1));
}

/// The same after the gateway has cut the stream itself, which it no longer can, since the tap is gone: the list takes pieces, so
/// the server's segments are cut into pieces.
#[tokio::test(flavor = "multi_thread")]
async fn a_list_of_pieces_goes_on_with_pieces_of_longer_segments() {
    let is_last = |_, answer: &Answer| {
        let text = answer.text();
        let behind = text.split_once("#EXT-X-DISCONTINUITY\n").map(|(_, behind)| behind);
        behind.is_some_and(|behind| behind.matches("#EXTINF").count() >= 5)
    };
    let failures = segments_grow_longer(Produce::Auto, false, is_last).await;
    assert!(!failures.contains_key(&Failure::Overlong), "{failures:?}");
}

/// Checks the lists of one that was there before until one `is_last`, and that a newcomer gets ours too. Returns what has failed.
async fn segments_grow_longer(
    produce: Produce,
    shares_raw_streams: bool,
    is_last: impl Fn(Option<u64>, &Answer) -> bool,
) -> BTreeMap<Failure, u64> {
    let mut stage = Stage::with(|_| (), |config| config.produce.default = produce).await;
    let viewer = stage.viewer(0, "tv");
    let (playback, first) = tune(&viewer, &stage.channel(1)).await;
    let newcomer = stage.viewer(1, "phone");
    let newcomers = soon(newcomer.open(&stage.channel(1))).await.unwrap();
    let settings = stage.kill_origin().await;
    stage.restart_origin(Settings { gop: Duration::from_secs(6), shares_raw_streams, ..settings }).await;
    // It waits for what comes, and the stream may end meanwhile.
    let joining = tokio::spawn(async move { poll(&newcomer, &newcomers).await });
    let mut sequence = first.tag("EXT-X-MEDIA-SEQUENCE");
    eventually("the longer segments are listed", async || {
        let answer = poll(&viewer, &playback).await;
        assert_eq!(answer.status, 200, "{} {}", answer.field("cache-status"), answer.text());
        let text = answer.text();
        let seconds = text
            .lines()
            .filter_map(|line| line.strip_prefix("#EXTINF:")?.split(',').next()?.parse::<f64>().ok());
        let longest = seconds.map(|seconds| seconds.round() as u64).max();
        assert!(longest <= answer.tag("EXT-X-TARGETDURATION"), "{text}");
        assert!(answer.tag("EXT-X-MEDIA-SEQUENCE") >= sequence, "{text}");
        sequence = answer.tag("EXT-X-MEDIA-SEQUENCE");
        is_last(longest, &answer)
    })
    .await;
    let joined = soon(joining).await.unwrap();
    assert!(is_ours(&joined), "{} {}", joined.status, joined.field("cache-status"));
    stage.snapshot().tally.failures
}

/// The server restarts: it answers 503 to everything at first, and then has nothing open.
#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_is_still_starting_is_waited_for() {
    let mut stage = Stage::quick().await;
    let mut watches = Vec::new();
    for (user, device, channel) in [(0, "one", 1), (1, "two", 1), (0, "three", 2)] {
        watches.push(Watch::begin(stage.viewer(user, device), &stage.channel(channel)).await);
    }
    let settings = stage.kill_origin().await;
    let starting = unavailable(settings.listen).await;
    let begun = Instant::now();
    while begun.elapsed() < Duration::from_secs(4) {
        for watch in &mut watches {
            watch.look().await;
            all_fetched(&watch.viewer, &watch.last).await;
        }
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    starting.abort();
    assert!(starting.await.unwrap_err().is_cancelled());
    stage.restart_origin(settings).await;
    for watch in &mut watches {
        watch.resume(Duration::from_secs(25)).await;
    }
    assert_eq!((stage.origin().counts().jobs_started, stage.origin().counts().tuners_open), (2, 2));
    stage.shut_down().await;
    stage.nothing_open().await;
}

/// An administrator, or Jellyfin itself, deletes the job.
#[tokio::test(flavor = "multi_thread")]
async fn a_job_that_is_killed_is_started_again() {
    let stage = Stage::quick().await;
    let mut watch = Watch::begin(stage.viewer(0, "tv"), &stage.channel(1)).await;
    let own = stage.own_play_sessions().remove(0);
    let direct = stage.direct(1, "admin");
    soon(direct.leave(&Playback { play_session: own, ..watch.playback.clone() })).await.unwrap();
    watch.resume(Duration::from_secs(25)).await;
    assert_eq!(stage.origin().counts().jobs_started, 2);
    let sessions = stage.own_play_sessions();
    assert_ne!(sessions[0], sessions[1]);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_input_that_ends_is_opened_again() {
    let stage = Stage::quick().await;
    let mut watch = Watch::begin(stage.viewer(0, "tv"), &stage.channel(1)).await;
    stage.origin().end(1);
    watch.resume(Duration::from_secs(28)).await;
    assert_eq!(stage.origin().counts().tunes, 2);
    stage.shut_down().await;
    stage.nothing_open().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_input_that_stalls_is_given_up_and_tried_again() {
    let stage = Stage::quick().await;
    let mut watch = Watch::begin(stage.viewer(0, "tv"), &stage.channel(1)).await;
    stage.origin().stall(1);
    eventually("it is noticed", async || {
        watch.look().await;
        !stage.snapshot().tally.failures.is_empty()
    })
    .await;
    stage.origin().recover(1);
    watch.resume(Duration::from_secs(28)).await;
}

/// A tuner whose input has ended is closed when nobody watches any more.
#[tokio::test(flavor = "multi_thread")]
async fn an_input_that_ends_unwatched_is_given_back() {
    let stage = Stage::quick().await;
    let viewer = stage.viewer(0, "tv");
    let (playback, _) = tune(&viewer, &stage.channel(1)).await;
    soon(viewer.report(&playback, "Playing")).await.unwrap();
    soon(viewer.leave(&playback)).await.unwrap();
    stage.deserted().await;
    assert_eq!(stage.origin().counts().tuners_open, 1);
    stage.origin().end(1);
    stage.nothing_open().await;
    assert_eq!(stage.snapshot().tally.stopped.get(&StopReason::Failed), Some(&1));
}

/// A channel that fails is not retried for ever, and viewers get the server's response.
#[tokio::test(flavor = "multi_thread")]
async fn a_channel_that_is_dead_is_as_without_us() {
    // No viewer leaves before the gateway gives up.
    let stage = Stage::with(|_| (), |config| config.viewers.silence = Duration::from_secs(90)).await;
    let viewer = stage.viewer(0, "tv");
    let playback = soon(viewer.open(&stage.channel(1))).await.unwrap();
    stage.origin().fail(1);
    let direct = stage.direct(0, "tv");
    let expected = soon(direct.get(&at_the_server(&playback.playlist))).await.unwrap();
    let answer = poll(&viewer, &playback).await;
    assert_eq!((answer.status, &answer.body), (expected.status, &expected.body));
    eventually("it is given up", async || stage.snapshot().streams.is_empty()).await;
    assert!(stage.snapshot().tally.failures.keys().all(|failure| *failure == Failure::Refused));
    eventually("ours is given back", async || {
        let counts = stage.origin().counts();
        counts.opens == counts.closes + 1 && counts.jobs == 0
    })
    .await;
}

/// The gateway stops while the server still starts its job.
#[tokio::test(flavor = "multi_thread")]
async fn a_stop_in_the_middle_of_a_start_leaves_nothing() {
    join_all([0, 30, 150].map(|after| async move {
        let patient = |settings: &mut Settings| {
            settings.version = Version::V10_11;
            // The server does not end the job by itself.
            settings.delays.kill_timer = Duration::from_secs(60);
        };
        let stage = Stage::with(patient, |_| ()).await;
        let viewer = stage.viewer(0, "tv");
        let playback = soon(viewer.open(&stage.channel(1))).await.unwrap();
        let waiting = ask(&viewer, &playback);
        eventually("it has begun", async || !stage.snapshot().streams.is_empty()).await;
        tokio::time::sleep(Duration::from_millis(after)).await;
        stage.shut_down().await;
        soon(waiting).await.unwrap();
        let ended = stage.asked("/Videos/ActiveEncodings");
        for own in stage.own_play_sessions() {
            assert!(ended.iter().any(|seen| seen.query.contains(&own)), "a job was left after {after} ms");
        }
        close(&stage, &playback).await;
        stage.nothing_open().await;
    }))
    .await;
}

/// The gateway stops while its opening waits at the server, which opens one channel at a time, and finishes an opening even if
/// nobody waits for it any more.
#[tokio::test(flavor = "multi_thread")]
async fn a_stop_in_the_middle_of_an_opening_leaves_nothing() {
    let slow = |settings: &mut Settings| {
        settings.delays.open = Duration::from_millis(1500);
        // On this version a job that dies of silence gives nothing back, so the gateway has to.
        settings.version = Version::V10_11;
    };
    let stage = Stage::with(slow, |_| ()).await;
    let (viewer, other) = (stage.viewer(0, "tv"), stage.direct(1, "phone"));
    let playback = soon(viewer.open(&stage.channel(1))).await.unwrap();
    let item = stage.channel(2);
    let tuning = tokio::spawn(async move { other.open(&item).await.map_err(|error| error.to_string()) });
    eventually("the other tunes", async || stage.origin().counts().tunes == 2).await;
    let waiting = ask(&viewer, &playback);
    eventually("we want a consumer", async || !stage.asked("/LiveStreams/Open").is_empty()).await;
    assert_eq!(stage.origin().counts().opens, 1);
    stage.shut_down().await;
    soon(waiting).await.unwrap();
    close(&stage, &playback).await;
    let second = soon(tuning).await.unwrap().unwrap();
    close(&stage, &second).await;
    eventually("all have opened", async || stage.origin().counts().opens == 3).await;
    stage.nothing_open().await;
}

fn ask(viewer: &Viewer, playback: &Playback) -> tokio::task::JoinHandle<()> {
    let (viewer, playback) = (viewer.clone(), playback.clone());
    // Its result does not matter here.
    tokio::spawn(async move { drop(viewer.poll(&playback).await) })
}

/// A client that deletes its job and closes its live stream itself.
async fn close(stage: &Stage, playback: &Playback) {
    let direct = stage.direct(0, "tv");
    soon(direct.leave(playback)).await.unwrap();
    let path = format!("/LiveStreams/Close?liveStreamId={}", playback.live_stream);
    soon(direct.post(&path, &serde_json::Value::Null)).await.unwrap();
}

/// Sends a signal to the real program.
#[tokio::test(flavor = "multi_thread")]
async fn a_signal_gives_everything_back_within_the_grace_period() {
    for (produce, jobs) in [("adopt", 2), ("auto", 0)] {
        a_signal_gives_back(produce, jobs).await;
    }
}

async fn a_signal_gives_back(produce: &str, jobs: usize) {
    let settings = Settings::quick();
    let origin = Origin::start(settings.clone()).await.unwrap();
    let state = tempfile::tempdir().unwrap();
    let environment = [("WARMGATE__PRODUCE__DEFAULT", produce)];
    let mut gateway = Program::start(state.path(), "127.0.0.1:0", &origin, &environment).await;
    let viewer = gateway.viewer(&settings, "tv");
    let channels = origin.channels();
    for channel in &channels[..2] {
        let (playback, _) = tune(&viewer, &channel.item_id).await;
        soon(viewer.report(&playback, "Playing")).await.unwrap();
        soon(viewer.leave(&playback)).await.unwrap();
    }
    eventually("both are held", async || origin.counts().opens == 4).await;
    assert_eq!((origin.counts().jobs, origin.counts().tuners_open), (jobs, 2));
    let asked = Instant::now();
    assert!(gateway.terminate().await.success());
    assert!(asked.elapsed() < Duration::from_secs(10), "{:?}", asked.elapsed());
    let counts = origin.counts();
    assert_eq!((counts.jobs, counts.tuners_open), (0, 0));
}

/// The server refuses by the credential alone, so its client need not have sent the rest.
#[tokio::test(flavor = "multi_thread")]
async fn a_refusal_does_not_wait_for_the_rest_of_a_body() {
    let stage = Stage::quick().await;
    let item = stage.channel(1);
    // Whose `Stopped` would have to be read.
    soon(stage.viewer(0, "tv").open(&item)).await.unwrap();
    let playback_info = format!("Items/{item}/PlaybackInfo");
    let paths = ["Sessions/Playing", "Sessions/Playing/Progress", "Sessions/Playing/Stopped"];
    let others = ["Sessions/Capabilities/Full", "LiveTv/Timers", "LiveStreams/Open", &playback_info];
    for path in paths.into_iter().chain(others) {
        let head = format!(
            "POST /{path} HTTP/1.1\r\nHost: tv\r\nAuthorization: MediaBrowser Token=\"revoked\"\r\n\
             Content-Type: application/json\r\nContent-Length: 20\r\n\r\n{{"
        );
        let begun = Instant::now();
        let address = stage.base.trim_start_matches("http://").parse().unwrap();
        let mut stream = wire::send(address, head).await;
        assert_eq!(wire::status(&wire::head(&mut stream).await), 401, "{path}");
        assert!(begun.elapsed() < Duration::from_secs(5), "{path} {:?}", begun.elapsed());
    }
}
