//! The server's tuners: what has to go for a recording, for the reserve and for whoever was denied one, and what stays.

use super::*;
use crate::key::{AskingId, LiveStreamId, OpeningId};
use crate::openings::ClientOpening;
use crate::reason::{LimitSource, OpeningRefusal};
use crate::tuners::{HostKind, Learned, Timer, TimerStatus, TunerHost};

const ROOMY: Limits = Limits { slots: 8, disk_budget: u64::MAX, memory: u64::MAX, ..LIMITS };

impl Bench {
    /// A server with this many tuners, on which the channels from 1 on are warm: the first was left longest ago.
    fn warm(tuners: u32, channels: u8) -> (Self, Vec<StreamId>) {
        let mut bench = Self::new(ROOMY);
        bench.pool.handle_event(Event::TunerHosts(vec![host("host", tuners)]), at(0));
        let streams = bench.zapped(channels);
        (bench, streams)
    }

    /// A server that does not tell how many tuners it has. So many channels were once open without harm.
    fn learned(proven: u32) -> Self {
        let mut bench = Self::new(ROOMY);
        let learned = Learned { proven, ceiling: None };
        bench.pool.recall_limits(BTreeMap::from([("host".to_owned(), learned)]));
        bench.pool.handle_event(Event::TunerHosts(vec![host("host", 0)]), at(0));
        bench
    }

    /// Viewers leave the channels from 1 on, a second apart.
    fn zapped(&mut self, channels: u8) -> Vec<StreamId> {
        let streams: Vec<_> = (1..=channels)
            .map(|channel| {
                let now = at(u64::from(channel) * 1000);
                let (stream, consumer, _) = self.serve(channel, channel, now);
                self.segment(stream, 1, now);
                self.pool.leave(vec![(consumer, LeaveReason::Zapped)], now);
                stream
            })
            .collect();
        self.actions();
        streams
    }

    /// What is stopped when `event` happens.
    fn stopped(&mut self, event: Event, now: Timestamp) -> Vec<(StreamId, StopReason)> {
        self.pool.handle_event(event, now);
        self.stops()
    }

    fn stops(&mut self) -> Vec<(StreamId, StopReason)> {
        let stopped = self.actions().into_iter().filter_map(|action| match action {
            Action::Stop { stream, reason } => Some((stream, reason)),
            _ => None,
        });
        stopped.collect()
    }
}

/// A host of a kind that has the channels of `key`.
fn host(id: &str, count: u32) -> TunerHost {
    TunerHost { id: id.to_owned(), kind: HostKind::Other, count, provider: None }
}

fn timer(channel: u8, starts: u64, status: TimerStatus) -> Timer {
    let channel = key(channel).channel;
    let (item, source) = (Some(channel.item), Some(channel.source));
    Timer {
        id: format!("timer-{starts}"),
        item,
        source,
        playlist: None,
        starts: at(starts),
        ends: at(starts + 3_600_000),
        status,
    }
}

/// A client has the channel open.
fn opening(channel: u8) -> Event {
    let opening = ClientOpening {
        item: None,
        account: Some(Account(90)),
        device: None,
        live_stream: LiveStreamId::new(format!("a_b_{:032x}", channel)),
        play_session: None,
        name: None,
        abandoned: false,
    };
    Event::Opened(OpeningId(u64::from(channel)), opening)
}

#[test]
fn the_limit_is_known_with_its_source() {
    let (bench, _) = Bench::warm(3, 2);
    let seen = bench.snapshot().tuners;
    let limit = seen.limit.unwrap();
    assert_eq!((limit.count, limit.source), (3, LimitSource::Server));
    assert_eq!((seen.in_use, seen.idle, seen.reserve), (2, 2, 0));
    assert_eq!(Bench::new(ROOMY).snapshot().tuners.limit, None);
}

#[test]
fn an_opening_of_ours_that_the_server_refused_takes_no_tuner() {
    let (mut bench, streams) = Bench::warm(3, 1);
    let (_, Joined { input, .. }) = bench.pool.read_input(&tap(2), at(0)).unwrap();
    let in_use = |bench: &mut Bench, open, generation, state| {
        bench.pool.handle_event(Event::OwnOpening(open, generation, state), at(2000));
        bench.snapshot().tuners.in_use
    };
    for open in [Open::Stream(streams[0]), Open::Input(input)] {
        assert_eq!(in_use(&mut bench, open, 1, OwnOpening::Asked), 2);
        assert_eq!(in_use(&mut bench, open, 1, OwnOpening::Refused), 1);
        assert_eq!(in_use(&mut bench, open, 2, OwnOpening::Asked), 2, "it is tried again");
        assert_eq!(in_use(&mut bench, open, 1, OwnOpening::Refused), 2, "that was the attempt before");
    }
    bench.pool.handle_event(Event::InputClosed(input), at(3000));
    bench.pool.handle_event(Event::OwnOpening(Open::Input(input), 3, OwnOpening::Refused), at(3000));
    assert_eq!(bench.pool.own_openings.state(Open::Input(input)), OwnOpening::Granted, "it is forgotten");
}

#[test]
fn a_recording_on_another_channel_has_a_tuner_before_it_starts() {
    let (mut bench, streams) = Bench::warm(3, 3);
    let waiting = Event::Timers(vec![timer(4, 100_000, TimerStatus::New)]);
    assert_eq!(bench.stopped(waiting.clone(), at(60_000)), []);
    assert_eq!(bench.pool.next_deadline(), Some(at(70_000)));
    bench.pool.handle_timeout(at(70_000));
    assert_eq!(bench.stops(), [(streams[0], StopReason::Recording)], "the one left longest ago");
    bench.pool.handle_event(Event::Retired(streams[0]), at(71_000));
    assert_eq!(bench.stopped(waiting, at(100_000)), [], "one is free");
    let recording = Event::Timers(vec![timer(4, 100_000, TimerStatus::InProgress)]);
    assert_eq!(bench.stopped(recording, at(101_000)), []);
    assert_eq!(bench.snapshot().tuners.in_use, 3);
}

#[test]
fn a_recording_of_an_open_channel_costs_nothing_and_that_channel_stays() {
    let (mut bench, streams) = Bench::warm(3, 3);
    let one = timer(1, 100_000, TimerStatus::New);
    assert_eq!(bench.stopped(Event::Timers(vec![one.clone()]), at(90_000)), []);
    let both = Event::Timers(vec![one, timer(4, 100_001, TimerStatus::New)]);
    assert_eq!(bench.stopped(both, at(90_000)), [(streams[1], StopReason::Recording)]);
}

#[test]
fn overlapping_recordings_each_have_one_but_never_a_viewers() {
    let (mut bench, streams) = Bench::warm(3, 3);
    bench.serve(1, 1, at(80_000));
    let timers = [(4, 100_000), (5, 100_001), (6, 100_002)];
    let timers = timers.map(|(channel, starts)| timer(channel, starts, TimerStatus::New));
    let stopped = bench.stopped(Event::Timers(timers.to_vec()), at(80_000));
    assert_eq!(stopped, [(streams[1], StopReason::Recording), (streams[2], StopReason::Recording)]);
}

#[test]
fn a_timer_that_could_not_begin_is_helped_again_after_its_next_attempt() {
    for (mut bench, is_told) in [(Bench::learned(8), false), (Bench::warm(8, 0).0, true)] {
        let streams = bench.zapped(5);
        let late = || Event::Timers(vec![timer(9, 50_000, TimerStatus::New)]);
        assert_eq!(bench.stopped(late(), at(50_000)), [], "it is about to begin");
        assert_eq!(bench.stopped(late(), at(60_000)), [(streams[0], StopReason::Recording)], "{is_told}");
        assert_eq!(bench.stopped(late(), at(90_000)), [], "it has not tried again");
        assert_eq!(bench.stopped(late(), at(123_000)), [(streams[1], StopReason::Recording)]);
        assert_eq!(bench.stopped(late(), at(190_000)), [], "its channel is dead");
    }
}

#[test]
fn a_recording_is_no_experiment() {
    let mut bench = Bench::learned(3);
    let streams = bench.zapped(3);
    bench.pool.handle_timeout(at(3000));
    assert_eq!(bench.stops(), []);
    let timers =
        || Event::Timers(vec![timer(4, 100_000, TimerStatus::New), timer(2, 100_001, TimerStatus::New)]);
    assert_eq!(bench.stopped(timers(), at(60_000)), []);
    bench.pool.handle_timeout(at(70_001));
    assert_eq!(bench.stops(), [(streams[0], StopReason::Recording)]);
    assert_eq!(bench.stopped(timers(), at(90_000)), []);
}

#[test]
fn one_of_many_tuners_is_not_used_by_what_nobody_watches() {
    let (mut bench, streams) = Bench::warm(4, 3);
    assert_eq!(bench.snapshot().tuners.reserve, 1);
    let (_, watched, _) = bench.serve(4, 9, at(20_000));
    bench.actions();
    bench.pool.handle_timeout(at(20_001));
    assert_eq!(bench.stops(), [(streams[0], StopReason::Reserve)]);
    let (_, _, _) = bench.serve(2, 2, at(21_000));
    let (_, _, _) = bench.serve(3, 3, at(21_000));
    bench.pool.handle_timeout(at(21_001));
    assert_eq!(bench.stops(), [], "what is watched may have them all");
    assert!(bench.presence(watched).is_some());
}

/// A recording that has just begun and a player beside the gateway have tuners that it does not count.
#[test]
fn each_denial_costs_one_idle_channel_even_where_a_tuner_counts_as_free() {
    let (mut bench, streams) = Bench::warm(6, 5);
    assert_eq!(bench.stopped(Event::TunerDenied(None), at(9000)), [(streams[0], StopReason::TunerNeeded)]);
    assert_eq!(bench.stopped(Event::TunerDenied(None), at(9001)), [], "one is about to be free");
    bench.pool.handle_event(Event::Retired(streams[0]), at(9002));
    assert_eq!(bench.stopped(Event::TunerDenied(None), at(9003)), [(streams[1], StopReason::TunerNeeded)]);
    let (mut bench, _) = Bench::warm(6, 0);
    bench.serve(1, 1, at(8000));
    bench.actions();
    assert_eq!(bench.stopped(Event::TunerDenied(None), at(9000)), [], "it is watched");
}

/// The server tunes seconds before it answers.
#[test]
fn an_opening_that_is_not_answered_may_have_the_last_tuner() {
    let (mut bench, streams) = Bench::warm(2, 1);
    let item = Some(key(5).channel.item);
    bench.pool.handle_event(Event::Asks(AskingId(1), item.clone()), at(8000));
    assert_eq!(bench.stopped(Event::TunerDenied(None), at(9000)), [(streams[0], StopReason::TunerNeeded)]);
    let (mut bench, _) = Bench::warm(2, 1);
    bench.pool.handle_event(Event::Asks(AskingId(1), item), at(8000));
    bench.pool.handle_event(Event::AskedInVain(AskingId(1)), at(8001));
    assert_eq!(bench.pool.closing(), Closing::from([Open::Asking(AskingId(1))]), "it is waited for");
    bench.pool.handle_event(Event::Answered(AskingId(1)), at(8500));
    assert_eq!(bench.pool.closing(), Closing::new());
    assert!(bench.pool.is_tuner_free(None, at(9000)));
}

#[test]
fn a_recording_of_what_is_on_now_costs_nothing_while_a_tuner_is_free() {
    let (mut bench, _) = Bench::warm(6, 5);
    assert_eq!(bench.stopped(Event::RecordingBegins(None), at(9000)), []);
    let (mut bench, streams) = Bench::warm(3, 3);
    assert_eq!(bench.stopped(Event::RecordingBegins(None), at(9000)), [(streams[0], StopReason::Recording)]);
}

/// Its timer starts with the programme, which is in the past, and is told before the server has begun to record.
#[test]
fn a_recording_of_what_has_been_on_for_a_while_costs_one_idle_channel() {
    let (mut bench, streams) = Bench::warm(3, 3);
    assert_eq!(
        bench.stopped(Event::RecordingBegins(None), at(90_000)),
        [(streams[0], StopReason::Recording)]
    );
    bench.pool.handle_event(Event::Retired(streams[0]), at(90_100));
    let scheduled = || Event::Timers(vec![timer(9, 50_000, TimerStatus::New)]);
    assert_eq!(bench.stopped(scheduled(), at(90_200)), []);
    assert_eq!(
        bench.stopped(scheduled(), at(150_000)),
        [(streams[1], StopReason::Recording)],
        "it could not begin"
    );
}

#[test]
fn what_a_client_has_open_frees_no_tuner() {
    for tuners in [0, 3] {
        let mut bench = Bench::new(ROOMY);
        let host = TunerHost { kind: HostKind::M3u(String::new()), ..host("host", tuners) };
        bench.pool.handle_event(Event::TunerHosts(vec![host]), at(0));
        for channel in 1..=3 {
            let key = key(channel);
            let source = MediaSourceId::new(format!("{channel:032x}"));
            let key = StreamKey { channel: Channel { source, ..key.channel }, ..key };
            let fresh = ConsumerId::from_bits(u128::from(channel));
            let tune = web_tune(key, viewer(channel), Produce::Adopt, fresh);
            assert!(matches!(bench.pool.tune(tune, at(0)), Admission::Serve { .. }));
            bench.pool.leave(vec![(fresh, LeaveReason::Silence)], at(u64::from(channel)));
            bench.pool.handle_event(opening(channel), at(10));
        }
        bench.actions();
        assert_eq!(bench.stopped(Event::TunerDenied(None), at(20)), [], "{tuners}");
    }
}

/// A viewer is told of it only where every tuner is needed: else the channel is dead, or a tuner is about to be free.
#[test]
fn who_is_refused_is_told_what_the_tuners_are_needed_for() {
    let mut bench = Bench::new(ROOMY);
    bench.serve(1, 1, at(0));
    let item = |channel| key(channel).channel.item;
    assert_eq!(bench.pool.tuners_taken_from(&item(9), at(1)), None, "their number is unknown");
    bench.pool.handle_event(Event::TunerHosts(vec![host("host", 3)]), at(1));
    bench.serve(2, 2, at(1));
    assert_eq!(bench.pool.tuners_taken_from(&item(9), at(1)), None, "one is free");
    let (_, third, _) = bench.serve(3, 3, at(1));
    bench.pool.leave(vec![(third, LeaveReason::Zapped)], at(2));
    assert_eq!(bench.pool.tuners_taken_from(&item(9), at(2)), None, "one is idle");
    bench.pool.handle_event(Event::Timers(vec![timer(4, 0, TimerStatus::InProgress)]), at(3));
    let needed = bench.pool.tuners_taken_from(&item(9), at(3)).unwrap();
    let channels: Vec<_> = needed.into_iter().map(|needed| needed.item.unwrap()).collect();
    assert_eq!(channels, [1, 2, 4].map(item));
    assert_eq!(bench.pool.tuners_taken_from(&item(4), at(3)), None, "it is open");
    assert_eq!(bench.pool.tally.refused_openings.get(&OpeningRefusal::TunersTaken), Some(&1));
}
