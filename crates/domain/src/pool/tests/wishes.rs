//! What a viewer wants when it tunes: which streams it takes, and what becomes of its stream once it has left.

use super::*;
use crate::clients::Priority;

const MINUTE: u64 = 60_000;

fn mode(mode: Mode) -> TuneConditions {
    TuneConditions { mode, ..TuneConditions::default() }
}

fn linger(seconds: u64) -> TuneConditions {
    TuneConditions { linger: Some(Duration::from_secs(seconds)), ..TuneConditions::default() }
}

fn urgency(urgency: u8) -> TuneConditions {
    TuneConditions { priority: Priority::of_urgency(urgency), ..TuneConditions::default() }
}

impl Bench {
    fn wishing(
        &mut self,
        (channel, number): (u8, u8),
        conditions: TuneConditions,
        now: Timestamp,
    ) -> Admission {
        self.tokens += 1;
        let (key, viewer, fresh) = (key(channel), viewer(number), ConsumerId::from_bits(self.tokens));
        let tune = Tune { conditions, ..web_tune(key, viewer, Produce::Adopt, fresh) };
        self.pool.tune(tune, now)
    }

    fn served(
        &mut self,
        who: (u8, u8),
        conditions: TuneConditions,
        now: Timestamp,
    ) -> (StreamId, ConsumerId) {
        match self.wishing(who, conditions, now) {
            Admission::Serve { stream, consumer, .. } => (stream, consumer),
            Admission::Refused(reason) => panic!("refused: {}", reason.as_str()),
        }
    }

    fn gone(&mut self, consumer: ConsumerId, now: u64) {
        self.pool.leave(vec![(consumer, LeaveReason::Goodbye)], at(now));
    }

    /// When, after `now`, the stream is stopped that has nothing else to do.
    fn stops_at(&mut self, stream: StreamId, now: u64) -> u64 {
        let stopped = (now..).step_by(1000).find(|&now| {
            self.pool.handle_timeout(at(now));
            !self.pool.running().contains(&stream)
        });
        stopped.unwrap()
    }
}

#[test]
fn a_mode_is_asked_for_by_who_tunes_and_not_by_who_plays() {
    use RefuseReason::{BypassWished, NotFresh, NotWarm};
    for (wish, cold, warm) in [
        (Mode::Auto, None, None),
        (Mode::Bypass, Some(BypassWished), Some(BypassWished)),
        (Mode::WarmOnly, Some(NotWarm), None),
        (Mode::Fresh, None, Some(NotFresh)),
    ] {
        let mut bench = Bench::new(LIMITS);
        let refusal = |admission| match admission {
            Admission::Refused(reason) => Some(reason),
            Admission::Serve { .. } => None,
        };
        assert_eq!(refusal(bench.wishing((1, 1), mode(wish), at(0))), cold, "{wish:?}");
        let starts = bench.actions().len();
        assert_eq!(starts, usize::from(cold.is_none()), "a refusal starts nothing");
        let (stream, _) = bench.served((1, 2), mode(Mode::Auto), at(1));
        bench.segment(stream, 1, at(2));
        assert_eq!(refusal(bench.wishing((1, 3), mode(wish), at(3))), warm, "{wish:?}");
        assert_eq!(refusal(bench.wishing((1, 2), mode(wish), at(4))), None, "who plays goes on: {wish:?}");
        bench.pool.handle_event(Event::Failed { stream, generation: 1, failure: Failure::Ended }, at(5));
        assert_eq!(refusal(bench.wishing((1, 2), mode(wish), at(6))), None, "over a failure too: {wish:?}");
    }
}

#[test]
fn fresh_viewers_of_a_cold_channel_start_it_once() {
    let mut bench = Bench::new(LIMITS);
    let (one, _) = bench.served((1, 1), mode(Mode::Fresh), at(0));
    let (other, _) = bench.served((1, 2), mode(Mode::Fresh), at(1));
    assert_eq!((one, bench.actions().len()), (other, 1));
}

#[test]
fn a_list_is_no_older_than_asked_for() {
    let mut bench = Bench::new(LIMITS);
    let (stream, _) = bench.served((1, 1), mode(Mode::Auto), at(0));
    bench.segment(stream, 1, at(1000));
    let aged =
        |seconds| TuneConditions { max_age: Some(Duration::from_secs(seconds)), ..TuneConditions::default() };
    assert_eq!(bench.wishing((1, 2), aged(3), at(5000)), Admission::Refused(RefuseReason::NotFresh));
    assert_eq!(bench.served((1, 3), aged(4), at(5000)).0, stream);
}

/// An adopted stream is kept for ten minutes; one that the server encodes for two.
#[test]
fn a_stream_lingers_as_its_viewers_want() {
    for (wishes, encoded, minutes) in [
        (vec![USUAL], false, 10),
        (vec![USUAL], true, 2),
        (vec![linger(60)], false, 1),
        (vec![linger(60)], true, 1),
        (vec![linger(1200)], false, 20),
        (vec![linger(1200)], true, 20),
        (vec![linger(0)], false, 0),
        (vec![linger(60), USUAL], false, 10),
        (vec![USUAL, linger(60)], true, 2),
        (vec![USUAL, linger(1200)], true, 20),
        (vec![linger(60), linger(180)], false, 3),
    ] {
        let mut bench = Bench::new(LIMITS);
        let viewers: Vec<_> =
            wishes.iter().zip(1..).map(|(wish, number)| bench.served((1, number), *wish, at(0))).collect();
        let stream = viewers[0].0;
        bench.segment(stream, 1, at(0));
        let target = Duration::from_secs(4);
        let output = Output { target, duration: target, written: 1, held: 1, encoded };
        bench.pool.handle_event(Event::SegmentReady { stream, generation: 1, output }, at(0));
        viewers.iter().for_each(|(_, consumer)| bench.gone(*consumer, 1000));
        assert_eq!(bench.stops_at(stream, 1000), 1000 + minutes * MINUTE, "{wishes:?} {encoded}");
    }
}

/// What those wanted who left it before is over, once somebody comes back to an empty stream.
#[test]
fn the_wishes_of_who_left_before_are_over() {
    let mut bench = Bench::new(LIMITS);
    let (stream, one) = bench.served((1, 1), linger(3000), at(0));
    bench.segment(stream, 1, at(0));
    bench.gone(one, 1000);
    let (_, other) = bench.served((1, 2), linger(60), at(2000));
    bench.gone(other, 3000);
    assert_eq!(bench.stops_at(stream, 3000), 3000 + MINUTE);
}

/// Two slots: the third channel needs one of them.
#[test]
fn the_least_important_stream_gives_way_first() {
    for (first, second, gone) in [
        (USUAL, USUAL, 1),
        (urgency(0), USUAL, 2),
        (USUAL, urgency(7), 2),
        (urgency(7), USUAL, 1),
        (urgency(0), urgency(0), 1),
        (urgency(3), USUAL, 1),
        (urgency(5), urgency(6), 2),
    ] {
        let mut bench = Bench::new(LIMITS);
        for (channel, wish) in [(1, first), (2, second)] {
            let (stream, consumer) = bench.served((channel, channel), wish, at(0));
            bench.segment(stream, 1, at(0));
            bench.gone(consumer, 1000 * u64::from(channel));
        }
        bench.actions();
        bench.served((3, 3), USUAL, at(5000));
        let stopped = Action::Stop { stream: StreamId(gone), reason: StopReason::Evicted };
        assert!(bench.actions().contains(&stopped), "{first:?} {second:?}");
    }
}

/// However unimportant, a stream that is watched is not stopped.
#[test]
fn no_priority_costs_a_viewer_its_stream() {
    let mut bench = Bench::new(LIMITS);
    for channel in [1, 2] {
        let (stream, _) = bench.served((channel, channel), urgency(7), at(0));
        bench.segment(stream, 1, at(0));
    }
    let refused = bench.wishing((3, 3), urgency(0), at(1000));
    assert_eq!(refused, Admission::Refused(RefuseReason::PoolFull));
}
