//! What the operator decides by hand.

use super::*;
use crate::reason::StopReason;

#[test]
fn a_stream_is_stopped_whoever_watches_it() {
    let mut bench = Bench::new(LIMITS);
    let (stream, _, _) = bench.serve(1, 1, at(0));
    bench.segment(stream, 1, at(1000));
    bench.actions();
    assert!(bench.pool.stop_stream(stream));
    assert_eq!(bench.actions(), [Action::Stop { stream, reason: StopReason::Operator }]);
    assert!(!bench.pool.stop_stream(stream), "once");
    assert!(!bench.pool.stop_stream(StreamId(99)));
    let (next, _, warmth) = bench.serve(1, 1, at(2000));
    assert_ne!((next, warmth), (stream, Warmth::Warm), "its viewer gets another");
}

#[test]
fn a_pinned_stream_stays_until_its_place_is_needed() {
    let mut bench = Bench::new(LIMITS);
    let (stream, consumer, _) = bench.serve(1, 1, at(0));
    bench.segment(stream, 1, at(0));
    assert!(bench.pool.pin(stream, true) && !bench.pool.pin(StreamId(99), true));
    bench.pool.leave(vec![(consumer, LeaveReason::Zapped)], at(1000));
    bench.actions();
    bench.pool.handle_timeout(at(86_400_000));
    assert_eq!(bench.actions(), []);
    assert!(bench.pool.snapshot(at(86_400_000)).streams[0].is_pinned);
    assert!(bench.pool.free_slot());
    assert_eq!(bench.actions(), [Action::Stop { stream, reason: StopReason::Evicted }]);
    assert!(!bench.pool.pin(stream, true), "it is being closed");
}

#[test]
fn who_is_sent_away_is_refused_for_a_while() {
    let mut bench = Bench::new(LIMITS);
    let (stream, consumer, _) = bench.serve(1, 1, at(0));
    let (_, other, _) = bench.serve(1, 2, at(0));
    assert!(bench.pool.send_away(consumer, at(1000)));
    assert!(!bench.pool.send_away(consumer, at(1000)), "it has gone");
    assert_eq!(
        bench.presence(consumer),
        Some(Presence::Left { at: at(1000), reason: LeaveReason::SentAway })
    );
    assert_eq!(bench.tune(1, 1, at(60_999)), Admission::Refused(RefuseReason::SentAway));
    assert_eq!(
        bench.tune(2, 1, at(60_999)),
        Admission::Refused(RefuseReason::SentAway),
        "nor another channel"
    );
    assert_eq!(bench.pool.segment_requested(consumer, 0, at(60_999)), None);
    assert_eq!(bench.pool.segment_requested(other, 0, at(60_999)), Some(stream));
    assert_eq!(bench.serve(1, 1, at(61_000)).0, stream);
}
