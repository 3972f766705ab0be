//! Tests the supervisor in front of a fake server, in paused time.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use bytes::Bytes;
use http::HeaderValue;
use tokio::time::Instant;

use super::*;
use crate::feed;
use crate::supervisor::stream::{Readiness, Stream, StreamSpec, WindowSize};
use crate::supervisor::tune_request::{Lease, TuneRequest};
use crate::upstream::fake::Fake;
use crate::upstream::jellyfin::Recipe;
use crate::upstream::jellyfin::{Media, Place, RawPath};
use domain::cadence::Class;
use domain::clients::TuneConditions;
use domain::key::StreamKey;
use domain::key::{Channel, ItemId, MediaSourceId};
use domain::produce::{Produce, ProductionMethod};
use domain::profile::{Policy, ProfileKey};
use domain::time::Timestamp;
use domain::tuners::{self, Reserve};
use domain::window::{Arrival, Listing};

pub(in crate::supervisor) const LIMITS: Limits = Limits {
    slots: 2,
    idle_timeout: Duration::from_secs(600),
    warm_encode: Duration::from_secs(120),
    warm_feed: Duration::from_secs(600),
    silence: Duration::from_secs(20),
    patience: Duration::from_secs(1800),
    cold_timeout: Duration::from_secs(20),
    goodbye: Duration::from_secs(2),
    unfollowed: Duration::from_secs(120),
    failures: 3,
    disk_budget: 1000,
    memory: 1000,
    own_credential: false,
    tuners: tuners::Settings { limit: None, reserve: Reserve::Auto },
    thrift: None,
    starts_ahead: true,
};

/// A server that grants every opening, and answers other requests as `other` says: after so many seconds, with this status.
async fn server(other: impl Fn(&str) -> (u64, u16) + Clone + Send + Sync + 'static) -> Fake {
    Fake::start(move |line| {
        let (wait, status, body) = if line.contains("/PlaybackInfo") {
            (0, 200, r#"{"MediaSources":[{"Id":"source","OpenToken":"token"}]}"#)
        } else if line.contains("/Open") {
            (0, 200, r#"{"MediaSource":{"LiveStreamId":"live"}}"#)
        } else {
            let (wait, status) = other(&line);
            (wait, status, "")
        };
        async move {
            tokio::time::sleep(Duration::from_secs(wait)).await;
            Some((status, body.to_owned()))
        }
    })
    .await
}

/// A server that starts no job, and takes 10 s to end the first one.
async fn refusing() -> Fake {
    let ends = Arc::new(AtomicUsize::new(0));
    server(move |line| {
        if line.contains("/live.m3u8") {
            (0, 500)
        } else if line.contains("/ActiveEncodings") && ends.fetch_add(1, Ordering::Relaxed) == 0 {
            (10, 204)
        } else {
            (0, 204)
        }
    })
    .await
}

fn supervisor(fake: &Fake) -> Supervisor {
    let supervisor = still(fake);
    supervisor.begin();
    supervisor
}

/// A supervisor that has not begun.
fn still(fake: &Fake) -> Supervisor {
    let size = WindowSize {
        join: Duration::ZERO,
        length: Duration::from_secs(30),
        rewind: Duration::ZERO,
        segment: 1000,
    };
    let settings = Settings {
        spool: None,
        limits: LIMITS,
        size,
        feed: feed::Limits { connect: Duration::from_secs(3600), ..feed::Limits::default() },
        provider: None,
        encoding: None,
        connections: Vec::new(),
        gateway_login: None,
        ledger: None,
        learned_limits: None,
        history: None,
        never_ahead: Vec::new(),
        zap_objective: Duration::from_millis(500),
        playlists: BTreeMap::new(),
    };
    Supervisor::new(settings, fake.jellyfin.clone(), None)
}

fn recipe(item: ItemId, user: Option<String>) -> Recipe {
    Recipe {
        place: Place { prefix: String::new(), item, user },
        source: MediaSourceId::new("source"),
        live_stream: LiveStreamId::new("live"),
        query: String::new(),
        apple: false,
        cut: Duration::from_secs(3),
        encodes_video: false,
    }
}

/// A viewer of this account tunes.
async fn tune(supervisor: &Supervisor, account: u64) -> Lease {
    let item = ItemId::parse(&"a".repeat(32)).unwrap();
    let source = MediaSourceId::new("source");
    let profile = ProfileKey::from_query([("VideoCodec", "h264")].into_iter(), false, Policy::UNRESTRICTED);
    let user = Some(format!("user-{account}"));
    let request = TuneRequest {
        token: None,
        key: StreamKey {
            channel: Channel { item: item.clone(), source: source.clone() },
            profile: profile.unwrap().key,
        },
        viewer: Viewer { account: Account(account), device: None, play_session: None },
        class: Class::Unknown,
        listing: Listing::Keyed,
        since: None,
        longest: None,
        produce: Produce::Adopt,
        conditions: TuneConditions::default(),
        demand: None,
        login: Login::default(),
        user: user.clone(),
    };
    supervisor.tune(&request, &Mention::default(), || recipe(item, user)).await.unwrap()
}

/// A server whose raw streams carry no data, and that takes a minute to close a live stream.
async fn silent() -> Fake {
    server(|line| {
        if line.contains("/stream.ts") {
            (3600, 200)
        } else if line.contains("/Close") {
            (60, 204)
        } else {
            (0, 204)
        }
    })
    .await
}

/// A viewer of this account opens a channel.
fn open(supervisor: &Supervisor, channel: &str, account: u64) {
    let item = ItemId::parse(&channel.repeat(32)).unwrap();
    supervisor.prefetch(OpenedChannel {
        place: Place { prefix: String::new(), item: item.clone(), user: None },
        channel: Channel { item, source: MediaSourceId::new("source") },
        live_stream: LiveStreamId::new("live"),
        raw: RawPath::of_url("http://x/LiveTv/LiveStreamFiles/a/stream.ts"),
        account: Account(account),
        login: Login::default(),
    });
}

#[tokio::test(start_paused = true)]
async fn each_opening_of_a_channel_prefetches_it_for_the_full_time() {
    let supervisor = supervisor(&silent().await);
    let after = async |seconds| {
        tokio::time::sleep(Duration::from_secs(seconds)).await;
        supervisor.snapshot().inputs.len()
    };
    open(&supervisor, "a", 1);
    assert_eq!(after(15).await, 1);
    open(&supervisor, "a", 2);
    supervisor.handle.tell(Event::LoggingOut(Account(1)));
    assert_eq!(after(15).await, 1, "another has opened it as well");
    assert_eq!(after(6).await, 0);
}

#[tokio::test(start_paused = true)]
async fn a_slow_close_does_not_prolong_a_prefetch() {
    let supervisor = supervisor(&silent().await);
    for channel in ["a", "b", "c"] {
        open(&supervisor, channel, 1);
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
    let inputs = || supervisor.snapshot().inputs.len();
    assert_eq!(inputs(), LIMITS.slots);
    tokio::time::sleep(Duration::from_secs(20)).await;
    assert_eq!(inputs(), 0);
}

/// Only the credential that is revoked can close the job of a failed generation, so the logout waits for it.
#[tokio::test(start_paused = true)]
async fn a_logout_waits_until_all_generations_of_a_stream_are_closed() {
    let fake = refusing().await;
    let supervisor = supervisor(&fake);
    let lease = tune(&supervisor, 1).await;
    assert_eq!(lease.stream.ready(lease.listing, false).await, Readiness::Failed);
    let begun = Instant::now();
    supervisor.logging_out(Account(1), Duration::from_secs(60)).await;
    assert_eq!(fake.asked("/Close").len(), fake.asked("/Open").len());
    assert!(begun.elapsed() < Duration::from_secs(20), "{:?}", begun.elapsed());
}

#[tokio::test(start_paused = true)]
async fn the_credential_of_an_account_that_logged_out_is_not_used() {
    let supervisor = supervisor(&refusing().await);
    let lease = tune(&supervisor, 1).await;
    tune(&supervisor, 2).await;
    let users = || lease.stream.access.logins().into_iter().filter_map(|(_, user)| user).collect::<Vec<_>>();
    assert_eq!(users(), ["user-2", "user-1"]);
    supervisor.logging_out(Account(2), Duration::from_secs(60)).await;
    assert_eq!(users(), ["user-1"]);
}

/// The process before may go on after all, and does not know what another has opened.
#[tokio::test(start_paused = true)]
async fn nothing_is_opened_before_it_begins() {
    let fake = refusing().await;
    let supervisor = still(&fake);
    let lease = tune(&supervisor, 1).await;
    tokio::time::sleep(Duration::from_secs(5)).await;
    assert_eq!(fake.asked("/Open").len(), 0);
    supervisor.begin();
    assert_eq!(lease.stream.ready(lease.listing, false).await, Readiness::Failed);
    assert_ne!(fake.asked("/Open").len(), 0);
}

const LISTING: Listing = Listing::Keyed;

fn a_stream() -> Arc<Stream> {
    let recipe = recipe(ItemId::parse(&"a".repeat(32)).unwrap(), None);
    let size = WindowSize {
        join: Duration::ZERO,
        length: Duration::from_secs(30),
        rewind: Duration::ZERO,
        segment: 1000,
    };
    let spec = StreamSpec { recipe, demand: None, produce: Produce::Adopt, has_opening: true };
    Arc::new(Stream::new(spec, size, crate::supervisor::promises::KnownLengths::new(1), None))
}

fn append(stream: &Arc<Stream>) {
    let (body, text) = (Bytes::from_static(b"x"), HeaderValue::from_static("x"));
    let media = Media { body, content_type: text, modified: None };
    let duration = Duration::from_secs(3);
    let arrival = Arrival { duration, discontinuity: false, independent: true, ends_group: true };
    assert!(
        stream.append(arrival, media, ProductionMethod::Adopted, [None; 2], Timestamp::default()).is_some()
    );
}

/// Whoever waits looks at the window each time that it grows, which keeps nobody from appending.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn those_who_wait_for_segments_do_not_keep_them_from_coming() {
    const SEGMENTS: u64 = 20_000;
    let stream = Arc::new(a_stream());
    append(&stream);
    let first = stream.newest(LISTING);
    let waiting: Vec<_> = (0..4)
        .map(|_| {
            let stream = Arc::clone(&stream);
            tokio::spawn(async move {
                let mut newest = first;
                while newest < first + SEGMENTS {
                    assert!(stream.reaches(LISTING, newest + 1).await);
                    newest = stream.newest(LISTING);
                }
            })
        })
        .collect();
    let growing = Arc::clone(&stream);
    let grown = tokio::task::spawn_blocking(move || (0..SEGMENTS).for_each(|_| append(&growing)));
    let all = async {
        grown.await.unwrap();
        for waits in waiting {
            waits.await.unwrap();
        }
    };
    tokio::time::timeout(Duration::from_secs(60), all).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn waiting_for_a_segment_ends_before_a_player_gives_up() {
    let stream = a_stream();
    let append = || append(&stream);
    append();
    let newest = stream.newest(LISTING);
    assert!(stream.reaches(LISTING, newest).await, "it is there");
    let begun = Instant::now();
    assert!(!stream.reaches(LISTING, newest + 1).await);
    assert_eq!(begun.elapsed().as_secs(), 9, "three target durations would be twelve");
    let (reached, ()) = tokio::join!(stream.reaches(LISTING, newest + 1), async {
        tokio::time::sleep(Duration::from_secs(2)).await;
        append();
    });
    assert!(reached);
    let (reached, ()) = tokio::join!(stream.reaches(LISTING, newest + 2), async { stream.publish(None) });
    assert!(!reached, "there is none to come");
}
