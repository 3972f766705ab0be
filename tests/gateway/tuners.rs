//! The server's tuners: their number is known, recordings get theirs, and what is warm is given up only for a shortage.

use std::collections::{BTreeMap, BTreeSet};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use domain::guid;
use domain::reason::{LimitSource, StopReason};
use domain::tuners::TunerLimit;
use futures_util::StreamExt;
use jellyfin_alike::viewer::Viewer;
use jellyfin_alike::{Origin, SecondHost, Settings, Status, Timer};
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async};
use warmgate::config::Config;

use crate::support::stage::{Stage, delaying, tune, warm, with_key};
use crate::support::wait::{eventually, soon};

/// A client's WebSocket.
async fn socket(stage: &Stage) -> WebSocketStream<MaybeTlsStream<TcpStream>> {
    let socket = format!("{}/socket?ApiKey={}", stage.base.replacen("http", "ws", 1), stage.token(0));
    soon(connect_async(socket)).await.unwrap().0
}

/// An earlier gateway at the same address has learned that so many channels of the origin can be open at once.
fn remember(config: &mut Config, folder: &Path, proven: u32) {
    config.listen = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    config.state_dir = Some(folder.to_owned());
    let host = guid::md5("http://127.0.0.1:9981/channels.m3u");
    let learned = json!({host: {"proven": proven, "ceiling": null}});
    std::fs::write(learned_limits(config), learned.to_string()).unwrap();
}

/// Where a gateway at a known address keeps what it learns.
fn learned_limits(config: &Config) -> PathBuf {
    config.state_dir.as_ref().unwrap().join(format!("tuners-{}.json", config.listen.port()))
}

async fn limit(stage: &Stage) -> TunerLimit {
    eventually("the limit is known", async || stage.snapshot().tuners.limit.is_some()).await;
    stage.snapshot().tuners.limit.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_server_says_how_many_tuners_it_has() {
    let settings = Settings::quick();
    let stage = Stage::with(|_| (), |config| with_key(config, &settings)).await;
    assert_eq!(
        limit(&stage).await,
        TunerLimit { count: 3, source: LimitSource::Server },
        "before anybody comes"
    );

    let stage = Stage::with(|settings| settings.tuners = 5, |config| config.tuners.limit = Some(4)).await;
    tune(&stage.viewer(0, "tv"), &stage.channel(1)).await;
    assert_eq!(limit(&stage).await, TunerLimit { count: 4, source: LimitSource::Configured });
    eventually("the operator's number is not all", async || !stage.asked("/Configuration/livetv").is_empty())
        .await;
}

/// Each of two playlists allows channels of its own. Which one a channel is on follows from the id of its item.
#[tokio::test(flavor = "multi_thread")]
async fn each_host_has_its_own_tuners() {
    let two = |settings: &mut Settings| {
        (settings.tuners, settings.second_host) = (2, Some(SecondHost { from: 3, tuners: 1 }));
    };
    let stage = Stage::with(two, |config| config.pool.idle_timeout = Duration::from_secs(600)).await;
    warm(&stage, 3).await;
    let taken = || stage.snapshot().tuners.hosts.iter().map(|host| host.in_use).collect::<Vec<_>>();
    assert_eq!(taken(), [2, 1]);
    assert_eq!(stage.snapshot().tally.stopped.len(), 0);
}

/// Every tuner of two hosts is warm for nobody. A channel that has never been open costs one of its own host, although that was left
/// last; a dead one on a host with a free tuner costs nothing.
#[tokio::test(flavor = "multi_thread")]
async fn a_channel_costs_none_of_another_host() {
    let two = |settings: &mut Settings| {
        (settings.tuners, settings.second_host) = (2, Some(SecondHost { from: 3, tuners: 1 }));
    };
    let stage = Stage::with(two, |config| config.pool.idle_timeout = Duration::from_secs(600)).await;
    warm(&stage, 3).await;
    let are_known = || stage.snapshot().tuners.hosts.iter().filter(|host| host.limit.is_some()).count() >= 2;
    eventually("the limits are known", async || are_known()).await;
    let (playback, _) = tune(&stage.viewer(0, "tv"), &stage.channel(4)).await;
    soon(stage.viewer(0, "tv").leave(&playback)).await.unwrap();
    let open = || stage.origin().consumers().into_keys().collect::<BTreeSet<_>>();
    let of = |number: usize| stage.origin().channels()[number - 1].live_stream_id.clone();
    let expected = BTreeSet::from([of(1), of(2), of(4)]);
    assert_eq!(open(), expected);
    stage.origin().fail(5);
    assert!(soon(stage.viewer(0, "tv").open(&stage.channel(5))).await.is_err());
    assert!(open().contains(&of(1)) && open().contains(&of(2)), "they are on the other host");
}

/// One idle channel shows that no tuner was short, whether their number is told, so that one counts as free, or only learned.
#[tokio::test(flavor = "multi_thread")]
async fn a_dead_channel_costs_one_at_most() {
    for tells in [true, false] {
        let folder = tempfile::tempdir().unwrap();
        let settings = |settings: &mut Settings| (settings.tuners, settings.tells_tuners) = (6, tells);
        let stage = Stage::with(settings, |config| {
            config.pool.slots = 6;
            if !tells {
                remember(config, folder.path(), 5);
            }
        })
        .await;
        warm(&stage, 5).await;
        if tells {
            limit(&stage).await;
        }
        stage.origin().fail(6);
        for _ in 0..3 {
            assert!(soon(stage.viewer(0, "tv").open(&stage.channel(6))).await.is_err());
        }
        assert_eq!(stage.snapshot().tally.stopped.get(&StopReason::TunerNeeded), Some(&1), "{tells}");
        assert_eq!(stage.origin().counts().tuners_open, 4, "{tells}");
    }
}

/// A player beside the gateway has a tuner that counts as free.
#[tokio::test(flavor = "multi_thread")]
async fn a_tuner_that_is_taken_beside_the_gateway_costs_no_viewer_its_channel() {
    let stage = Stage::with(|settings| settings.tuners = 3, |_| ()).await;
    warm(&stage, 2).await;
    limit(&stage).await;
    soon(stage.direct(1, "tablet").open(&stage.channel(3))).await.unwrap();
    soon(stage.viewer(0, "tv").open(&stage.channel(4))).await.unwrap();
    assert_eq!(stage.snapshot().tally.stopped.get(&StopReason::TunerNeeded), Some(&1));
}

/// A timer for a programme that starts in `start`.
fn timer(channel: u32, start: Duration) -> Timer {
    let start = SystemTime::now() + start;
    Timer::new(channel, start, start + Duration::from_secs(3600))
}

/// Every tuner is warm for nobody when two recordings are to begin: the one shares its channel, the other gets a tuner.
#[tokio::test(flavor = "multi_thread")]
async fn a_recording_begins_on_time_although_every_tuner_is_warm() {
    let stage = Stage::with(|_| (), |config| config.pool.idle_timeout = Duration::from_secs(600)).await;
    for channel in [1, 4] {
        stage.origin().schedule(timer(channel, Duration::from_secs(38)));
    }
    warm(&stage, 3).await;
    let begun = || stage.origin().recordings().iter().all(|recording| recording.began.is_some());
    eventually("both have begun", async || begun()).await;
    for recording in stage.origin().recordings() {
        assert_eq!((recording.status, recording.failures), (Status::InProgress, 0), "{recording:?}");
        assert!(recording.late().unwrap() < Duration::from_secs(2), "{recording:?}");
    }
    assert_eq!(stage.snapshot().tally.stopped.get(&StopReason::Recording), Some(&1), "one tuner was needed");
}

/// Where the server does not tell its limit, a recording gets a tuner of those that are known to be harmless together.
#[tokio::test(flavor = "multi_thread")]
async fn a_recording_begins_on_time_although_the_limit_is_unknown() {
    let folder = tempfile::tempdir().unwrap();
    let stage = Stage::with(
        |settings| settings.tells_tuners = false,
        |config| {
            config.pool.idle_timeout = Duration::from_secs(600);
            remember(config, folder.path(), 3);
        },
    )
    .await;
    stage.origin().schedule(timer(4, Duration::from_secs(38)));
    warm(&stage, 3).await;
    eventually("it has begun", async || stage.origin().recordings()[0].began.is_some()).await;
    let recording = stage.origin().recordings().remove(0);
    assert_eq!((recording.status, recording.failures), (Status::InProgress, 0), "{recording:?}");
    assert_eq!(stage.snapshot().tally.stopped.get(&StopReason::Recording), Some(&1));
}

/// Somebody else records what begins soon, beside the gateway: only the server's notice to a client tells in time.
#[tokio::test(flavor = "multi_thread")]
async fn a_timer_is_noticed_in_passing() {
    let stage = Stage::with(|_| (), |config| config.pool.idle_timeout = Duration::from_secs(600)).await;
    let mut socket = socket(&stage).await;
    warm(&stage, 3).await;
    eventually("the timers are known", async || !stage.asked("/LiveTv/Timers").is_empty()).await;
    stage.origin().schedule(timer(4, Duration::from_secs(5)));
    eventually("it has begun", async || stage.origin().recordings()[0].began.is_some()).await;
    let recording = stage.origin().recordings().remove(0);
    assert_eq!((recording.status, recording.failures), (Status::InProgress, 0), "{recording:?}");
    assert_eq!(stage.snapshot().tally.stopped.get(&StopReason::Recording), Some(&1));
    let mut kinds = Vec::new();
    while kinds.last().is_none_or(|kind| kind != "TimerCreated") {
        let message = soon(socket.next()).await.unwrap().unwrap();
        let message: Value = serde_json::from_str(message.to_text().unwrap()).unwrap();
        kinds.push(message["MessageType"].as_str().unwrap().to_owned());
    }
    assert_eq!(kinds, ["ForceKeepAlive", "TimerCreated"]);
}

/// No viewer loses its channel for a recording. The bare server would not have had a tuner for it either.
#[tokio::test(flavor = "multi_thread")]
async fn a_watched_channel_is_not_given_up_for_a_recording() {
    let stage = Stage::with(|settings| settings.tuners = 1, |_| ()).await;
    stage.origin().schedule(timer(2, Duration::from_secs(5)));
    let viewer = stage.viewer(0, "tv");
    let (playback, _) = tune(&viewer, &stage.channel(1)).await;
    eventually("the recorder was denied a tuner", async || {
        assert_eq!(soon(viewer.poll(&playback)).await.unwrap().status, 200);
        stage.origin().recordings()[0].failures > 0
    })
    .await;
    assert_eq!(soon(viewer.poll(&playback)).await.unwrap().status, 200);
    assert!(stage.snapshot().tally.stopped.is_empty());
}

/// Two tuners, a viewer, an idle channel, and two recordings that overlap. The first gets the idle one's tuner; the later is denied one as by
/// the bare server, and begins with its next attempt after the viewer has left, although that channel could be kept warm.
#[tokio::test(flavor = "multi_thread")]
async fn of_two_recordings_beside_a_viewer_the_later_waits_for_the_viewer() {
    let stage = Stage::with(
        |settings| settings.tuners = 2,
        |config| config.pool.idle_timeout = Duration::from_secs(600),
    )
    .await;
    let mut socket = socket(&stage).await;
    let (zapper, viewer) = (stage.viewer(1, "phone"), stage.viewer(0, "tv"));
    let (left, _) = tune(&zapper, &stage.channel(4)).await;
    soon(zapper.leave(&left)).await.unwrap();
    let (playback, _) = tune(&viewer, &stage.channel(1)).await;
    for (channel, start) in [(2, 5), (3, 6)] {
        stage.origin().schedule(timer(channel, Duration::from_secs(start)));
        soon(socket.next()).await.unwrap().unwrap();
    }
    let [first, later] = [0, 1].map(|at| move |stage: &Stage| stage.origin().recordings()[at].clone());
    eventually("the later one was denied a tuner", async || {
        assert_eq!(soon(viewer.poll(&playback)).await.unwrap().status, 200);
        later(&stage).failures > 0
    })
    .await;
    assert_eq!((first(&stage).status, first(&stage).failures), (Status::InProgress, 0));
    assert_eq!(later(&stage).began, None);
    assert_eq!(soon(viewer.poll(&playback)).await.unwrap().status, 200);
    assert_eq!(stage.snapshot().tally.stopped, BTreeMap::from([(StopReason::Recording, 1)]));
    soon(viewer.leave(&playback)).await.unwrap();
    eventually("it has begun", async || later(&stage).began.is_some()).await;
    assert_eq!(first(&stage).status, Status::InProgress);
}

/// A viewer records what is on now, through the gateway. There is no time to read the server's timers.
#[tokio::test(flavor = "multi_thread")]
async fn a_recording_of_what_is_on_now_begins_at_once() {
    for tells_tuners in [true, false] {
        let folder = tempfile::tempdir().unwrap();
        let stage = Stage::with(
            |settings| settings.tells_tuners = tells_tuners,
            |config| {
                config.pool.idle_timeout = Duration::from_secs(600);
                remember(config, folder.path(), 3);
            },
        )
        .await;
        // By it the server tells that there is a timer, while its recorder opens the channel.
        let _socket = socket(&stage).await;
        warm(&stage, 3).await;
        let timer = json!({
            "ChannelId": stage.channel(4),
            "StartDate": "2026-11-28T12:00:00.0000000Z", "EndDate": "2126-11-28T12:00:00.0000000Z",
        });
        let stranger = Viewer::new(&stage.base, "stranger", "nobody", "tv");
        let record =
            async |viewer: &Viewer| soon(viewer.post("/LiveTv/Timers", &timer)).await.unwrap().status;
        assert_eq!(record(&stranger).await, 401);
        assert!(stage.snapshot().tally.stopped.is_empty(), "a stranger costs nothing");
        assert_eq!(record(&stage.viewer(0, "phone")).await, 204);
        eventually("it is seen", async || stage.origin().recordings()[0].began.is_some()).await;
        assert_eq!(stage.origin().recordings()[0].failures, 0);
        assert_eq!(stage.snapshot().tally.stopped.get(&StopReason::Recording), Some(&1));
    }
}

/// The bare server takes the timer at once, whether or not the client waits for the answer.
#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_breaks_off_while_a_tuner_is_freed_has_its_timer() {
    let settings = Settings::quick();
    let origin = Origin::start(settings.clone()).await.unwrap();
    let slow = delaying(origin.addr(), "/livestreams/close", || Duration::from_secs(1)).await;
    let idle = |config: &mut Config| config.pool.idle_timeout = Duration::from_secs(600);
    let stage = Stage::before(origin, &settings, &slow.to_string(), idle).await;
    warm(&stage, 3).await;
    let timer = json!({
        "ChannelId": stage.channel(4),
        "StartDate": "2026-11-28T12:00:00.0000000Z", "EndDate": "2126-11-28T12:00:00.0000000Z",
    });
    let phone = stage.viewer(0, "phone");
    timeout(Duration::from_millis(300), phone.post("/LiveTv/Timers", &timer)).await.unwrap_err();
    drop(phone);
    eventually("it is made", async || stage.origin().recordings().len() == 1).await;
}

/// A provider that allows two connections and ends the oldest for a third one, before a server that does not know that. What is warm
/// for nobody may cost a viewer its channel once; what was learned from that is remembered.
#[tokio::test(flavor = "multi_thread")]
async fn a_provider_that_ends_its_oldest_connection_cuts_no_viewer_twice() {
    let folder = tempfile::tempdir().unwrap();
    let mut stage = Stage::with(
        |settings| {
            (settings.tuners, settings.tells_tuners) = (6, false);
            settings.provider_connections = Some(2);
        },
        |config| {
            config.pool.idle_timeout = Duration::from_secs(600);
            remember(config, folder.path(), 0);
        },
    )
    .await;
    let address = stage.base.trim_start_matches("http://").parse().unwrap();
    let at_the_same_address = |config: &mut Config| {
        config.state_dir = Some(folder.path().to_owned());
        config.listen = address;
    };
    let (steady, zapper) = (stage.viewer(1, "tv"), stage.viewer(0, "phone"));
    let (watched, _) = tune(&steady, &stage.channel(1)).await;
    soon(steady.report(&watched, "Playing")).await.unwrap();
    let tunes = |stage: &Stage| stage.origin().counts().tunes;
    let mut cuts = 0;
    for (zap, channel) in [2, 3, 4, 5, 2, 3, 4, 5].into_iter().enumerate() {
        let before = tunes(&stage);
        let (playback, _) = tune(&zapper, &stage.channel(channel)).await;
        soon(zapper.report(&playback, "Playing")).await.unwrap();
        // Long enough that a channel without bytes is noticed.
        for _ in 0..16 {
            tokio::time::sleep(Duration::from_millis(250)).await;
            assert_eq!(soon(steady.poll(&watched)).await.unwrap().status, 200);
        }
        // Its own tuning is one; any other opens the steady viewer's channel anew.
        cuts += tunes(&stage) - before - 1;
        assert!(cuts <= 1, "zap {zap}: {:?}", stage.snapshot().tuners);
        soon(zapper.leave(&playback)).await.unwrap();
    }
    assert_eq!(cuts, 1, "nobody could know before");
    stage.shut_down().await;
    stage = stage.again(at_the_same_address).await;
    let (playback, _) = tune(&stage.viewer(1, "tv"), &stage.channel(1)).await;
    assert_eq!(limit(&stage).await, TunerLimit { count: 2, source: LimitSource::Learned });
    soon(stage.viewer(1, "tv").leave(&playback)).await.unwrap();
}
