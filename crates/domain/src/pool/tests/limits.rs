//! How many channels stay warm where nobody tells how many can be open, and where there are several tuner hosts.

use proptest::prelude::*;

use super::*;
use crate::key::AskingId;
use crate::reason::LimitSource;
use crate::tuners::{HostKind, Learned, Timer, TimerStatus, TunerHost, TunerLimit};

const ROOMY: Limits = Limits { slots: 8, disk_budget: u64::MAX, memory: u64::MAX, ..LIMITS };
const HOST: &str = "host";

fn host(id: &str, count: u32, kind: HostKind) -> TunerHost {
    TunerHost { id: id.to_owned(), kind, count, provider: None }
}

/// A household before a server with a host that tells no number.
struct Household {
    bench: Bench,
    /// Seconds since the start.
    clock: u64,
}

impl Household {
    fn new() -> Self {
        let mut bench = Bench::new(ROOMY);
        bench.pool.handle_event(Event::TunerHosts(vec![host(HOST, 0, HostKind::Other)]), at(0));
        Self { bench, clock: 0 }
    }

    fn now(&self) -> Timestamp {
        at(self.clock * 1000)
    }

    /// A viewer watches a channel: one that it has left before, or another.
    fn watch(&mut self, viewer: u8, channel: u8) -> StreamId {
        let now = self.now();
        let item = Some(key(channel).channel.item);
        self.bench.pool.handle_event(Event::Opening { item, account: None }, now);
        let (stream, ..) = self.bench.serve(channel, viewer, now);
        self.bench.segment(stream, 1, now);
        self.bench.pool.handle_timeout(now);
        stream
    }

    /// Time passes, in which these viewers go on watching.
    fn pass(&mut self, seconds: u64, viewers: &[(u8, u8)]) {
        for _ in 0..seconds.div_ceil(10) {
            self.clock += 10;
            for &(viewer, channel) in viewers {
                self.watch(viewer, channel);
            }
            for stream in self.bench.pool.running() {
                self.bench.segment(stream, 1, self.now());
            }
            self.bench.pool.handle_timeout(self.now());
        }
    }

    /// What has been stopped; it is closed at once.
    fn stopped(&mut self) -> Vec<(StreamId, StopReason)> {
        let mut stopped = Vec::new();
        for action in self.bench.actions() {
            if let Action::Stop { stream, reason } = action {
                stopped.push((stream, reason));
                self.bench.pool.handle_event(Event::Retired(stream), self.now());
            }
        }
        stopped
    }

    fn learned(&self) -> Learned {
        self.bench.pool.learned_limits().get(HOST).copied().unwrap_or_default()
    }

    fn idle(&self) -> usize {
        self.bench.snapshot().tuners.idle
    }
}

#[test]
fn it_begins_with_one_channel_for_nobody() {
    let mut home = Household::new();
    assert_eq!(
        home.bench.snapshot().tuners.limit,
        Some(TunerLimit { count: 1, source: LimitSource::Learned })
    );
    let first = home.watch(1, 1);
    home.watch(1, 2);
    assert_eq!((home.stopped(), home.idle()), (vec![], 1));
    home.clock += 5;
    home.watch(1, 3);
    assert_eq!(home.stopped(), [(first, StopReason::TunerLimit)]);
    assert_eq!(home.idle(), 1);
    let tuners = home.bench.snapshot().tuners;
    assert_eq!((tuners.limit.unwrap().count, tuners.reserve, tuners.hosts.len()), (2, 0, 1));
}

/// One viewer who changes the channel now and then, among six.
#[test]
fn a_households_pool_is_full_within_the_hour() {
    let mut home = Household::new();
    let mut channel = 0;
    let mut warm = Vec::new();
    for _ in 0..20 {
        channel = channel % 6 + 1;
        home.watch(1, channel);
        home.pass(180, &[(1, channel)]);
        home.stopped();
        warm.push(home.idle());
    }
    assert_eq!(warm[0..3], [0, 1, 1], "after 3, 6 and 9 minutes");
    assert_eq!(warm.last(), Some(&3), "as many as stay for ten minutes: {warm:?}");
    assert!(home.learned().proven >= 3 && home.learned().ceiling.is_none(), "{:?}", home.learned());
}

/// The provider allows two connections, and ends the oldest for a third one.
#[test]
fn a_channel_that_ends_when_another_opens_lowers_the_limit_for_good() {
    let mut home = Household::new();
    let watched = home.watch(2, 1);
    home.pass(30, &[(2, 1)]);
    let left = home.watch(1, 2);
    home.pass(30, &[(1, 2), (2, 1)]);
    home.watch(1, 3);
    home.clock += 8;
    let failed = Event::Failed { stream: watched, generation: 1, failure: Failure::Ended };
    home.bench.pool.handle_event(failed, home.now());
    home.bench.pool.handle_timeout(home.now());
    assert_eq!(home.learned().ceiling, Some(2));
    assert_eq!(home.stopped(), [(left, StopReason::TunerLimit)], "and the viewer goes on");
    assert_eq!(home.bench.snapshot().tuners.limit.unwrap().count, 2);
    for _ in 0..10 {
        home.pass(600, &[(1, 3), (2, 1)]);
        assert_eq!((home.learned().ceiling, home.idle()), (Some(2), 0));
    }
    let item = key(4).channel.item;
    assert!(home.bench.pool.must_make_way(Some(&item), home.now()), "before a third one is opened");
    assert!(!home.bench.pool.must_make_way(Some(&key(1).channel.item), home.now()), "it is open already");
}

/// A channel ends while the gateway tries to open another one, be it for the first time or after refusals.
#[test]
fn only_an_attempt_that_the_server_grants_has_ended_anything() {
    for refusals in [0, 3] {
        for (becomes, ceiling) in [(OwnOpening::Refused, None), (OwnOpening::Granted, Some(1))] {
            let mut home = Household::new();
            let watched = home.watch(2, 1);
            let opening = home.watch(1, 2);
            let tell = |home: &mut Household, generation, state| {
                let told = Event::OwnOpening(Open::Stream(opening), generation, state);
                home.bench.pool.handle_event(told, home.now());
                home.bench.pool.handle_timeout(home.now());
            };
            for generation in 1..=refusals {
                home.clock += 20;
                tell(&mut home, generation, OwnOpening::Asked);
                home.clock += 20;
                tell(&mut home, generation, OwnOpening::Refused);
            }
            home.clock += 20;
            tell(&mut home, 4, OwnOpening::Asked);
            home.bench.segment(watched, 1, home.now());
            home.clock += 4;
            let failed = Event::Failed { stream: watched, generation: 1, failure: Failure::Ended };
            home.bench.pool.handle_event(failed, home.now());
            home.bench.pool.handle_timeout(home.now());
            assert_eq!(home.learned().ceiling, None, "it is not known yet");
            home.clock += 4;
            tell(&mut home, 4, becomes);
            assert_eq!(home.learned().ceiling, ceiling, "{refusals} {becomes:?}");
        }
    }
}

#[test]
fn a_channel_that_ends_by_itself_teaches_nothing() {
    let mut home = Household::new();
    let watched = home.watch(2, 1);
    home.watch(1, 2);
    home.pass(30, &[(1, 2), (2, 1)]);
    for failure in [Failure::Ended, Failure::Unreachable] {
        let generation = home.bench.view(watched).generation;
        home.bench.pool.handle_event(Event::Failed { stream: watched, generation, failure }, home.now());
        assert_eq!(home.learned().ceiling, None);
        home.pass(30, &[(1, 2), (2, 1)]);
        home.watch(1, 3);
    }
}

#[test]
fn a_tap_that_ends_when_another_channel_opens_lowers_the_limit() {
    let mut home = Household::new();
    let (_, Joined { input, .. }) = home.bench.pool.read_input(&tap(1), home.now()).unwrap();
    home.bench.pool.handle_timeout(home.now());
    home.clock += 100;
    home.watch(1, 2);
    let grew = Event::InputGrew { input, held: 1, pulled: 1 };
    home.bench.pool.handle_event(grew, at(100_500));
    home.bench.pool.handle_event(Event::InputEnded(input, Failure::Stalled), at(111_000));
    assert_eq!(home.learned().ceiling, Some(1));
}

#[test]
fn a_refusal_that_a_freed_tuner_ends_lowers_the_limit() {
    for proved in [true, false] {
        let mut home = Household::new();
        home.watch(1, 1);
        home.watch(1, 2);
        home.bench.pool.handle_event(Event::TunerDenied(None), home.now());
        assert_eq!(home.stopped().len(), 1);
        home.clock += if proved { 8 } else { 60 };
        home.bench.pool.handle_event(Event::DenialProved, home.now());
        assert_eq!(home.learned().ceiling, proved.then_some(2));
    }
}

/// What the server works on for another client may have a tuner, on whichever host.
#[test]
fn a_refusal_beside_an_opening_under_way_teaches_nothing() {
    let mut home = Household::new();
    home.watch(1, 1);
    home.watch(1, 2);
    home.bench.pool.handle_event(Event::Asks(AskingId(1), Some(key(3).channel.item)), home.now());
    home.bench.pool.handle_event(Event::TunerDenied(None), home.now());
    assert_eq!(home.stopped().len(), 1);
    home.bench.pool.handle_event(Event::DenialProved, home.now());
    assert_eq!(home.learned().ceiling, None, "three were open, or two");
}

#[test]
fn nothing_is_tried_out_while_a_recording_is_made() {
    let mut home = Household::new();
    let recorded = key(9).channel;
    let recording = Timer {
        id: "timer".to_owned(),
        item: Some(recorded.item),
        source: Some(recorded.source),
        playlist: None,
        starts: at(0),
        ends: at(3_600_000),
        status: TimerStatus::InProgress,
    };
    home.bench.pool.handle_event(Event::Timers(vec![recording]), home.now());
    let first = home.watch(1, 1);
    assert!(home.bench.pool.must_make_way(Some(&key(2).channel.item), home.now()));
    home.watch(1, 2);
    assert_eq!(home.stopped(), [(first, StopReason::TunerLimit)]);
}

/// What is learned of one host says nothing of the other, and each keeps to its own number.
#[test]
fn each_host_has_its_own_limit() {
    let mut bench = Bench::new(ROOMY);
    let device = HostKind::of("hdhomerun", "10.0.0.5");
    let HostKind::HdHomeRun(address) = &device else { panic!() };
    let of_device = |channel: u8| MediaSourceId::new(format!("native_{channel}_{address}"));
    let of_playlist = |channel: u8| MediaSourceId::new(format!("{channel:032x}"));
    let m3u = HostKind::of("m3u", "http://provider/list.m3u");
    bench.pool.handle_event(Event::TunerHosts(vec![host("a", 2, device.clone()), host("b", 1, m3u)]), at(0));
    let mut left = |channel: u8, source: MediaSourceId| {
        let key = key(channel);
        let key = StreamKey { channel: Channel { source, ..key.channel }, ..key };
        let fresh = ConsumerId::from_bits(u128::from(channel));
        let tune = web_tune(key, viewer(channel), Produce::Adopt, fresh);
        let now = at(u64::from(channel));
        let Admission::Serve { stream, .. } = bench.pool.tune(tune, now) else { panic!() };
        bench.pool.leave(vec![(fresh, LeaveReason::Zapped)], now);
        bench.pool.handle_timeout(now);
        let stopped = bench.actions().into_iter().filter_map(|action| match action {
            Action::Stop { stream, reason } => Some((stream, reason)),
            _ => None,
        });
        (stream, stopped.collect::<Vec<_>>())
    };
    let (playlist, stopped) = left(1, of_playlist(1));
    assert_eq!(stopped, []);
    let (first, stopped) = left(2, of_device(2));
    assert_eq!(stopped, []);
    assert_eq!(left(3, of_device(3)).1, []);
    assert_eq!(left(4, of_device(4)).1, [(first, StopReason::TunerLimit)], "the playlist's stays");
    assert_eq!(left(5, of_playlist(5)).1, [(playlist, StopReason::TunerLimit)], "the device's stay");
    let tuners = bench.snapshot().tuners;
    assert_eq!(tuners.limit, None, "there is no number for all");
    let hosts = tuners.hosts.iter().map(|host| (host.limit.unwrap().count, host.idle)).collect::<Vec<_>>();
    assert_eq!(hosts, [(2, 2), (1, 1)]);
    // The host of a channel that is denied a tuner is known by its source.
    for source in [of_device(6), of_playlist(6)] {
        assert!(bench.pool.is_tuner_limit_told(Some(&source), at(6)));
    }
    assert!(!bench.pool.is_tuner_limit_told(None, at(6)));
    bench.pool.handle_event(Event::TunerDenied(Some(of_playlist(6))), at(6));
    let stopped = |bench: &mut Bench| {
        let stopped = bench.actions().into_iter().filter_map(|action| match action {
            Action::Stop { reason, .. } => Some(reason),
            _ => None,
        });
        stopped.collect::<Vec<_>>()
    };
    assert_eq!(stopped(&mut bench), [StopReason::TunerNeeded]);
    let idle = |bench: &Bench| bench.snapshot().tuners.hosts.iter().map(|host| host.idle).collect::<Vec<_>>();
    assert_eq!(idle(&bench), [2, 0], "the playlist's has gone, although it was left last");
}

#[derive(Clone, Copy, Debug)]
enum Step {
    Watch(u8, u8),
    Leave(u8),
    Fail(u64),
    Denied(bool),
    Record(u8),
    Wait(u64),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        5 => (1_u8..4, 1_u8..8).prop_map(|(viewer, channel)| Step::Watch(viewer, channel)),
        2 => (1_u8..4).prop_map(Step::Leave),
        2 => (1_u64..20).prop_map(Step::Fail),
        1 => any::<bool>().prop_map(Step::Denied),
        1 => (0_u8..8).prop_map(Step::Record),
        3 => (1_u64..700).prop_map(Step::Wait),
    ]
}

proptest! {
    /// What is open for nobody fits what the limit, the reserve and everything else leave.
    #[test]
    fn what_is_idle_fits(
        steps in proptest::collection::vec(step(), 1..120),
        count in 0_u32..6,
        configured in proptest::option::of(1_u32..6),
        reserve in 0_u32..3,
    ) {
        let mut home = Household::new();
        let tuners = Settings { limit: configured, reserve: Reserve::Fixed(reserve) };
        home.bench = Bench::new(Limits { tuners, ..ROOMY });
        home.bench.pool.handle_event(Event::TunerHosts(vec![host(HOST, count, HostKind::Other)]), at(0));
        for step in steps {
            match step {
                Step::Watch(viewer, channel) => {
                    home.watch(viewer, channel);
                }
                Step::Leave(viewer) => {
                    home.bench.pool.handle_event(goodbye(&format!("play-{viewer}")), home.now());
                    home.clock += 3;
                }
                Step::Fail(stream) => {
                    let failed = Event::Failed { stream: StreamId(stream), generation: 1, failure: Failure::Ended };
                    home.bench.pool.handle_event(failed, home.now());
                }
                Step::Denied(proved) => {
                    home.bench.pool.handle_event(Event::TunerDenied(None), home.now());
                    if proved {
                        home.bench.pool.handle_event(Event::DenialProved, home.now());
                    }
                }
                Step::Record(channel) => {
                    let timers = (channel > 0).then(|| {
                        let Channel { item, source } = key(channel).channel;
                        let (starts, ends) = (home.now(), home.now() + Duration::from_secs(600));
                        let (item, source, status) = (Some(item), Some(source), TimerStatus::InProgress);
                        Timer { id: "timer".to_owned(), item, source, playlist: None, starts, ends, status }
                    });
                    home.bench.pool.handle_event(Event::Timers(timers.into_iter().collect()), home.now());
                }
                Step::Wait(seconds) => home.clock += seconds,
            }
            home.bench.pool.handle_timeout(home.now());
            prop_assert!(home.bench.pool.next_deadline().is_none_or(|at| at > home.now()), "the driver would spin");
            home.stopped();
            home.bench.now = home.now();
            let tuners = home.bench.snapshot().tuners;
            let limit = tuners.limit.unwrap();
            let others = tuners.in_use - tuners.idle;
            prop_assert!(
                tuners.idle == 0 || tuners.idle + others + tuners.reserve as usize <= limit.count as usize,
                "{tuners:?}"
            );
        }
    }
}
