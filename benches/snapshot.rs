//! What it costs to look at a pool of 1,000 streams with 10,000 viewers: how long it takes, and how long viewers wait for its lock meanwhile.
//!
//!     cargo bench --bench snapshot

use std::cell::RefCell;
use std::ops::Deref;
use std::time::{Duration, Instant};

use domain::cadence::Class;
use domain::clients::TuneConditions;
use domain::key::{Channel, ConsumerId, DeviceId, ItemId, MediaSourceId, PlaySessionId, StreamKey};
use domain::pool::{Admission, Event, Limits, Output, Pool, Snapshot, Tune};
use domain::produce::Produce;
use domain::profile::{Policy, ProfileKey};
use domain::time::Timestamp;
use domain::tuners::{Reserve, Settings};
use domain::viewer::{Account, PlayerKey, Viewer};

const STREAMS: u64 = 1_000;
const VIEWERS: u64 = 10;
const RUNS: usize = 20;

fn pool() -> Pool {
    let long = Duration::from_secs(3600);
    let limits = Limits {
        slots: usize::MAX,
        idle_timeout: long,
        warm_encode: long,
        warm_feed: long,
        silence: long,
        patience: long,
        cold_timeout: long,
        goodbye: long,
        unfollowed: long,
        failures: 3,
        disk_budget: u64::MAX,
        memory: u64::MAX,
        own_credential: true,
        tuners: Settings { limit: None, reserve: Reserve::Auto },
        thrift: None,
        starts_ahead: true,
    };
    let mut pool = Pool::new(limits, []);
    let pairs = [("VideoCodec", "h264"), ("AudioCodec", "aac")];
    let profile = ProfileKey::from_query(pairs.into_iter(), false, Policy::UNRESTRICTED);
    let profile = profile.expect("a plain profile").key;
    for stream in 0..STREAMS {
        let item = ItemId::parse(&format!("{stream:032x}")).expect("an id");
        let channel = Channel { item, source: MediaSourceId::new(format!("{stream:032x}")) };
        let key = StreamKey { channel, profile: profile.clone() };
        for viewer in 0..VIEWERS {
            let number = stream * VIEWERS + viewer;
            let viewer = Viewer {
                account: Account(number),
                device: Some(DeviceId::new(format!("device-{number}"))),
                play_session: Some(PlaySessionId::new(format!("play-{number}"))),
            };
            let fresh = ConsumerId::from_bits(u128::from(number) + 1);
            let (key, class, produce) = (key.clone(), Class::Web, Produce::Adopt);
            let conditions = TuneConditions::default();
            let player = PlayerKey { user: Some(number), device: None };
            let tune = Tune { key, viewer, player, class, produce, conditions, fresh };
            let now = Timestamp::from_millis(number);
            let Admission::Serve { stream, .. } = pool.tune(tune, now) else { panic!("refused") };
            let (target, held) = (Duration::from_secs(4), 1 << 20);
            let output = Output { target, duration: target, written: 0, held, encoded: false };
            pool.handle_event(Event::SegmentReady { stream, generation: 1, output }, now);
        }
    }
    while pool.poll_action().is_some() {}
    pool
}

/// The pool, as if its lock were held: notes for how long.
struct Locked<'a> {
    pool: &'a Pool,
    since: Instant,
    held: &'a RefCell<Vec<Duration>>,
}

impl Deref for Locked<'_> {
    type Target = Pool;

    fn deref(&self) -> &Pool {
        self.pool
    }
}

impl Drop for Locked<'_> {
    fn drop(&mut self) {
        self.held.borrow_mut().push(self.since.elapsed());
    }
}

fn main() {
    let pool = pool();
    let now = Timestamp::from_millis(STREAMS * VIEWERS + 1_000);
    let (mut wholes, mut longest) = (Vec::new(), Vec::new());
    for _ in 0..RUNS {
        let held = RefCell::new(Vec::new());
        let begun = Instant::now();
        let snapshot =
            Snapshot::in_parts(|| Locked { pool: &pool, since: Instant::now(), held: &held }, || now);
        wholes.push(begun.elapsed());
        assert_eq!(snapshot.present() as u64, STREAMS * VIEWERS, "all are seen");
        longest.extend(held.into_inner().into_iter().max());
    }
    wholes.sort_unstable();
    longest.sort_unstable();
    let (whole, lock) = (wholes[RUNS / 2], longest[RUNS / 2]);
    println!("{STREAMS} streams with {VIEWERS} viewers each, {RUNS} snapshots:");
    println!("  a snapshot takes {whole:.1?} (median), {:.1?} at most; 50 ms is the limit", wholes[RUNS - 1]);
    println!(
        "  the longest that it holds the pool's lock is {lock:.1?} (median), {:.1?} at most; 1 ms is the limit",
        longest[RUNS - 1]
    );
    if cfg!(debug_assertions) {
        println!("  without optimization, that is");
    } else {
        // The system may interrupt any of them.
        assert!(whole <= Duration::from_millis(50) && lock <= Duration::from_millis(1), "too slow");
    }
}
