//! A server that tunes by the gateway's playlist: the channel that it opens is pulled once, for it and for the gateway.

use std::net::{SocketAddr, TcpListener};
use std::time::{Duration, SystemTime};

use domain::guid;
use domain::lineup::Rules;
use domain::produce::{Produce, ProductionMethod};
use domain::reason::StopReason;
use jellyfin_alike::{Status, Timer};
use warmgate::config::{Location, Playlist, Secret};

use crate::support::provider::Provider;
use crate::support::servers;
use crate::support::stage::{Stage, all_fetched, is_hit, is_ours, poll, short, tune};
use crate::support::wait::{eventually, soon};

const TOKEN: &str = "t0k-s3cr3t";

/// A gateway with two channels of `provider`, which allows one connection, and an origin that tunes by its playlist.
async fn tuned(provider: &Provider, knows_itself: bool, warm: Duration) -> Stage {
    tuned_with(1, [provider.url(1), provider.url(2)].to_vec(), knows_itself, warm).await
}

/// The same with these channels, whose provider allows so many connections.
async fn tuned_with(tuners: u32, urls: Vec<String>, knows_itself: bool, warm: Duration) -> Stage {
    let folder = tempfile::tempdir().unwrap();
    let list = folder.path().join("list.m3u");
    let entry = |(number, url)| format!("#EXTINF:-1 tvg-id=\"c{number}\",C {number}\n{url}\n");
    let entries: String = (1..).zip(urls).map(entry).collect();
    std::fs::write(&list, format!("#EXTM3U\n{entries}")).unwrap();
    let playlist = Playlist {
        location: Location::File(list),
        tuners,
        reload: Duration::from_secs(60),
        guide: None,
        rules: Rules::default(),
    };
    // The gateway recognizes its own channels by its address.
    let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let listen = SocketAddr::from(([127, 0, 0, 1], free));
    let stage = Stage::with(
        |settings| settings.tuners = settings.tuners.max(tuners as usize),
        |config| {
            config.listen = listen;
            config.pool.slots = config.pool.slots.max(tuners as usize);
            config.produce.default = Produce::Auto;
            config.lineup = vec![playlist];
            config.lineup_server.enabled = true;
            config.lineup_server.token = Some(Secret::new(TOKEN));
            config.lineup_server.base = knows_itself.then(|| format!("http://{listen}"));
            (config.warm.encode, config.warm.feed) = (warm, warm);
        },
    )
    .await;
    let url = format!("{}/lineup/channels.m3u?token={TOKEN}", stage.base);
    eventually("the origin has channels", async || stage.origin().tune_by(&url).await.is_ok()).await;
    stage
}

/// How often the gateway requested a raw stream of the origin.
fn taps(stage: &Stage) -> usize {
    let own = |agent: &String| agent.starts_with("warmgate");
    stage.asked("/stream.ts").iter().filter(|seen| seen.user_agent.as_ref().is_some_and(own)).count()
}

/// Three viewers watch one channel, two of them with the same profile.
async fn is_watched(knows_itself: bool) {
    let provider = Provider::start().await;
    let stage = tuned(&provider, knows_itself, Duration::from_millis(500)).await;
    let [one, two] = &stage.origin().channels()[..] else { panic!("{:?}", stage.origin().channels()) };
    assert_eq!((one.name.as_str(), two.name.as_str()), ("C 1", "C 2"));
    let (alice, bob) = (stage.viewer(0, "tv"), stage.viewer(1, "phone"));
    let (playback, answer) = tune(&alice, &one.item_id).await;
    assert!(is_ours(&answer), "{} {}", answer.status, answer.field("cache-status"));
    all_fetched(&alice, &answer).await;
    let (again, answer) = tune(&bob, &one.item_id).await;
    assert!(is_hit(&answer), "{}", answer.field("cache-status"));
    let other = short(again.clone());
    let answer = poll(&bob, &other).await;
    assert!(is_ours(&answer), "{} {}", answer.status, answer.field("cache-status"));
    all_fetched(&bob, &answer).await;
    let last = answer.segments().last().cloned();
    eventually("it goes on", async || poll(&bob, &other).await.segments().last().cloned() != last).await;
    let methods: Vec<_> = stage.snapshot().streams.iter().map(|stream| stream.method).collect();
    assert_eq!(methods, [ProductionMethod::Own; 2]);
    assert_eq!((provider.asked().len(), provider.most()), (1, 1));
    let counts = stage.origin().counts();
    assert_eq!((counts.jobs_started, counts.tunes, counts.tuner_connections), (0, 1, 1));
    assert_eq!(taps(&stage), usize::from(!knows_itself));
    soon(alice.leave(&playback)).await.unwrap();
    soon(bob.leave(&again)).await.unwrap();
    stage.nothing_open().await;
    eventually("nothing is connected", async || {
        provider.open() == 0 && stage.origin().counts().tuner_connections == 0
    })
    .await;
    eventually("nothing is made", async || stage.snapshot().streams.is_empty()).await;
    assert_eq!(provider.asked().len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_tunes_through_the_gateway_costs_no_connection_more() {
    is_watched(true).await;
}

/// The same if the gateway does not know its public address, and takes its own channel for a foreign one.
#[tokio::test(flavor = "multi_thread")]
async fn nor_where_the_gateway_does_not_know_its_own_channels() {
    is_watched(false).await;
}

/// The provider allows one connection. A channel that is watched keeps it; it is free as soon as nobody watches.
#[tokio::test(flavor = "multi_thread")]
async fn the_next_channel_waits_for_the_connection() {
    let provider = Provider::start().await;
    let stage = tuned(&provider, true, Duration::from_millis(500)).await;
    let channels = stage.origin().channels();
    let (alice, bob) = (stage.viewer(0, "tv"), stage.viewer(1, "phone"));
    let (playback, _) = tune(&alice, &channels[0].item_id).await;
    assert!(soon(bob.open(&channels[1].item_id)).await.is_err(), "there is no connection for it");
    soon(alice.leave(&playback)).await.unwrap();
    eventually("it is opened", async || soon(bob.open(&channels[1].item_id)).await.is_ok()).await;
    assert_eq!(provider.asked().len(), 2);
    eventually("the first one is let go", async || provider.open() == 1).await;
}

/// A server that zaps ends its request for one channel and begins the next: whichever comes first, the connection is had.
#[tokio::test(flavor = "multi_thread")]
async fn a_reader_waits_for_one_that_is_leaving() {
    let provider = Provider::start().await;
    let stage = tuned(&provider, true, Duration::from_secs(600)).await;
    let url = |number: usize| {
        let id = guid::md5(&format!("warmgate lineup: c{number} #1"));
        servers::get(format!("{}/lineup/{id}.ts?token={TOKEN}", stage.base))
    };
    let client = servers::http();
    let first = soon(client.request(url(1))).await.unwrap();
    assert_eq!(first.status(), 200);
    let (client, second) = (client.clone(), url(2));
    let second = tokio::spawn(async move { client.request(second).await.unwrap() });
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert!(!second.is_finished(), "nobody has left yet");
    drop(first);
    assert_eq!(soon(second).await.unwrap().status(), 200);
}

/// The provider's one connection is kept for a channel that nobody watches: the server's recorder gets it.
#[tokio::test(flavor = "multi_thread")]
async fn a_recording_gets_the_connection_of_what_nobody_watches() {
    let provider = Provider::start().await;
    let stage = tuned(&provider, true, Duration::from_secs(600)).await;
    let viewer = stage.viewer(0, "tv");
    let (playback, _) = tune(&viewer, &stage.channel(1)).await;
    soon(viewer.leave(&playback)).await.unwrap();
    stage.deserted().await;
    assert_eq!(provider.open(), 1, "it is warm");
    let start = SystemTime::now() + Duration::from_secs(1);
    stage.origin().schedule(Timer::new(2, start, start + Duration::from_secs(3600)));
    eventually("it has begun", async || stage.origin().recordings()[0].began.is_some()).await;
    let recording = stage.origin().recordings().remove(0);
    assert_eq!((recording.status, recording.failures), (Status::InProgress, 0), "{recording:?}");
    assert_eq!(stage.snapshot().tally.stopped.get(&StopReason::TunerNeeded), Some(&1));
    eventually("the provider has one connection", async || provider.open() == 1).await;
}

/// Of six channels five are warm for nobody. The sixth is dead at its provider, which has a connection left.
#[tokio::test(flavor = "multi_thread")]
async fn a_dead_channel_costs_nothing() {
    let (provider, dead) = (Provider::start().await, servers::raw_origin(|_, _| async {}).await);
    let mut urls: Vec<_> = (1..=5).map(|number| provider.url(number)).collect();
    urls.push(dead.url("/dead.ts"));
    let stage = tuned_with(6, urls, true, Duration::from_secs(600)).await;
    let viewer = stage.viewer(0, "tv");
    for number in 1..=5 {
        let (playback, _) = tune(&viewer, &stage.channel(number)).await;
        soon(viewer.leave(&playback)).await.unwrap();
    }
    stage.deserted().await;
    for _ in 0..3 {
        assert!(soon(viewer.open(&stage.channel(6))).await.is_err());
    }
    assert_eq!(stage.snapshot().tally.stopped.get(&StopReason::TunerNeeded), None);
    assert_eq!((stage.snapshot().streams.len(), provider.open()), (5, 5));
}
