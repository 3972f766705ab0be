//! Channels that are opened for viewers who may come.

use super::*;
use crate::inputs::Joined;
use crate::pool::giving_way::Shortage;
use crate::reason::{CloseReason, WarmUpRefusal};
use crate::tuners::{HostKind, Scope, TunerHost};

const ROOMY: Limits = Limits { slots: 8, disk_budget: u64::MAX, memory: u64::MAX, ..LIMITS };

fn warmer(tuners: u32) -> Bench {
    let mut bench = Bench::new(ROOMY);
    let host = TunerHost { id: "host".to_owned(), kind: HostKind::Other, count: tuners, provider: None };
    bench.pool.handle_event(Event::TunerHosts(vec![host]), at(0));
    bench
}

impl Bench {
    fn warms(&mut self, channel: u8, now: Timestamp) -> Result<Joined, WarmUpRefusal> {
        self.pool.warm_up(&key(channel).channel, &tap(channel), Expecter::Operator, now)
    }
}

#[test]
fn a_channel_is_kept_for_whoever_may_come() {
    let mut bench = warmer(4);
    let item = key(1).channel.item;
    let joined = bench.warms(1, at(0)).unwrap();
    assert!(joined.opens && bench.pool.is_near(&item));
    assert!(!bench.warms(1, at(1000)).unwrap().opens, "again");
    assert_eq!(bench.pool.snapshot(at(1000)).warmed_up.len(), 1);
    assert!(!bench.pool.snapshot(at(1000)).warmed_up[0].is_ready);
    bench.pool.handle_event(Event::InputGrew { input: joined.input, held: 1, pulled: 1 }, at(2000));
    assert!(bench.pool.snapshot(at(2000)).warmed_up[0].is_ready);
    bench.actions();
    let until = at(1000) + ROOMY.warm_feed;
    bench.pool.handle_timeout(until.before(Duration::from_millis(1)));
    assert_eq!(bench.actions(), []);
    bench.pool.handle_timeout(until);
    let closed = Action::CloseInput { input: joined.input, reason: CloseReason::Unneeded };
    assert_eq!(bench.actions(), [closed]);
    assert!(!bench.pool.is_near(&item) && !bench.pool.release(&item));
}

#[test]
fn neither_the_last_tuner_nor_the_reserve_is_taken_for_nobody() {
    for (tuners, warmed) in [(1, 0), (2, 1), (3, 2), (4, 3)] {
        let mut bench = warmer(tuners);
        for channel in 1..=warmed {
            assert!(bench.warms(channel, at(0)).is_ok(), "{channel} of {tuners}");
        }
        assert_eq!(bench.warms(9, at(0)), Err(WarmUpRefusal::Tuners), "{tuners}");
        assert!(warmed == 0 || bench.warms(1, at(0)).is_ok(), "what is open may stay");
    }
}

#[test]
fn who_comes_gets_what_is_open_and_nobody_is_expected_for_long() {
    let mut bench = warmer(4);
    let joined = bench.warms(1, at(0)).unwrap();
    let (stream, _, _) = bench.serve(1, 1, at(500));
    assert_eq!(bench.pool.join_input(stream, &tap(1), at(500)).unwrap().input, joined.input);
    bench.actions();
    assert!(bench.pool.release(&key(1).channel.item));
    assert_eq!(bench.actions(), [], "a stream is made from it");
    let other = bench.warms(2, at(600)).unwrap();
    bench.actions();
    bench.pool.handle_event(Event::InputEnded(other.input, Failure::Refused), at(700));
    let closed = Action::CloseInput { input: other.input, reason: CloseReason::Unneeded };
    assert_eq!(bench.actions(), [closed], "what comes to nothing is not tried again");
}

#[test]
fn what_is_warmed_up_gives_way_before_what_was_watched() {
    let mut bench = warmer(4);
    let (watched, consumer, _) = bench.serve(2, 2, at(0));
    bench.pool.join_input(watched, &tap(2), at(0)).unwrap();
    bench.segment(watched, 1, at(0));
    bench.pool.leave(vec![(consumer, LeaveReason::Zapped)], at(1000));
    let warmed = bench.warms(1, at(2000)).unwrap().input;
    bench.actions();
    assert!(bench.pool.free_tuner(Shortage::Tuner, Scope::All, None, at(3000)));
    let closed = Action::CloseInput { input: warmed, reason: CloseReason::TunerNeeded };
    assert_eq!(bench.actions(), [closed]);
}

#[test]
fn as_many_are_expected_as_streams_may_run() {
    let mut bench = Bench::new(Limits { slots: 2, ..ROOMY });
    assert!(bench.warms(1, at(0)).is_ok() && bench.warms(2, at(0)).is_ok(), "nobody tells of tuners");
    assert_eq!(bench.warms(3, at(0)), Err(WarmUpRefusal::Slots));
    assert!(bench.pool.release(&key(1).channel.item));
    assert!(bench.warms(3, at(0)).is_ok());
}
