//! Tries the pool on random sequences of events.

use std::collections::BTreeSet;

use proptest::prelude::*;

use super::*;
use crate::value::Thrift;

/// Channels are started ahead, too.
const AHEAD: Limits = Limits { thrift: Some(Thrift::Generous), ..LIMITS };

#[derive(Clone, Copy, Debug)]
enum Step {
    Tune(u8, u8),
    Heard(u128),
    Goodbye(u8),
    LogOut(u8),
    Segment(u64, u64),
    Fail(u64),
    Retired(u64),
    TunerDenied,
    LimitsChanged(usize, u64),
    CpuMeasured(bool),
    ConnectionNeeded,
    Join(u64, u8),
    Prefetch(u8, u8),
    WarmUp(u8),
    Release(u8),
    Read(u8),
    ReaderLeft(u64),
    Grew(u64, u64),
    InputEnded(u64),
    InputClosed,
    Wait(u64),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => (0_u8..5, 0_u8..6).prop_map(|(channel, viewer)| Step::Tune(channel, viewer)),
        3 => (1_u128..60).prop_map(Step::Heard),
        1 => (0_u8..6).prop_map(Step::Goodbye),
        1 => (0_u8..6).prop_map(Step::LogOut),
        3 => (1_u64..20, 0_u64..400).prop_map(|(stream, bytes)| Step::Segment(stream, bytes)),
        1 => (1_u64..20).prop_map(Step::Fail),
        2 => (1_u64..20).prop_map(Step::Retired),
        1 => Just(Step::TunerDenied),
        1 => (1_usize..4, 0_u64..1500).prop_map(|(slots, bytes)| Step::LimitsChanged(slots, bytes)),
        2 => any::<bool>().prop_map(Step::CpuMeasured),
        1 => Just(Step::ConnectionNeeded),
        2 => (1_u64..20, 0_u8..5).prop_map(|(stream, channel)| Step::Join(stream, channel)),
        1 => (0_u8..5, 0_u8..6).prop_map(|(channel, viewer)| Step::Prefetch(channel, viewer)),
        1 => (0_u8..5).prop_map(Step::WarmUp),
        1 => (0_u8..5).prop_map(Step::Release),
        1 => (0_u8..5).prop_map(Step::Read),
        1 => (1_u64..40).prop_map(Step::ReaderLeft),
        2 => (1_u64..40, 0_u64..700).prop_map(|(input, bytes)| Step::Grew(input, bytes)),
        1 => (1_u64..40).prop_map(Step::InputEnded),
        2 => Just(Step::InputClosed),
        3 => (0_u64..40_000).prop_map(Step::Wait),
    ]
}

proptest! {
    /// No viewer is ever cut by a decision of the pool's, deadlines always move on, and nothing is left at the end.
    #[test]
    fn whatever_happens(steps in proptest::collection::vec(step(), 1..300)) {
        let mut bench = Bench::new(AHEAD);
        bench.pool.handle_event(Event::ChannelOrder((0..8).map(|channel| key(channel).channel.item).collect()), at(0));
        let mut now = 0;
        let mut slots = LIMITS.slots;
        let (mut open, mut closing) = (BTreeSet::new(), BTreeSet::new());
        for step in steps {
            let watched: BTreeSet<_> = bench.pool.running().into_iter().filter(|&id| bench.pool.is_watched(id)).collect();
            match step {
                Step::Tune(channel, viewer) => { bench.tune(channel, viewer, at(now)); }
                Step::Heard(token) => { bench.pool.segment_requested(ConsumerId::from_bits(token), 0, at(now)); },
                Step::Goodbye(viewer) => {
                    bench.pool.handle_event(goodbye(&format!("play-{viewer}")), at(now));
                }
                Step::LogOut(viewer) => bench.pool.handle_event(Event::LoggingOut(Account(u64::from(viewer))), at(now)),
                Step::Segment(stream, written) => {
                    let target = Duration::from_secs(4);
                    let stream = StreamId(stream);
                    let encoded = written % 2 == 1;
                    let output = Output { target, duration: target, written: 2 * written, held: written, encoded };
                    bench.pool.handle_event(Event::SegmentReady { stream, generation: 1, output }, at(now));
                }
                Step::Fail(stream) => {
                    let failure = Failure::Gone;
                    bench.pool.handle_event(Event::Failed { stream: StreamId(stream), generation: 1, failure }, at(now));
                }
                Step::Retired(stream) => bench.pool.handle_event(Event::Retired(StreamId(stream)), at(now)),
                Step::Join(stream, channel) => {
                    if bench.pool.running().contains(&StreamId(stream)) {
                        let _ = bench.pool.join_input(StreamId(stream), &either(channel), at(now));
                    }
                }
                Step::Prefetch(channel, viewer) => {
                    let account = Account(u64::from(viewer));
                    bench.pool.prefetch(&key(channel).channel, account, &either(channel), at(now));
                }
                Step::WarmUp(channel) => {
                    let _ = bench.pool.warm_up(&key(channel).channel, &either(channel), Expecter::Operator, at(now));
                }
                Step::Release(channel) => { bench.pool.release(&key(channel).channel.item); }
                Step::Read(channel) => { let _ = bench.pool.read_input(&lineup(channel), at(now)); }
                Step::ReaderLeft(reader) => bench.pool.handle_event(Event::ReaderLeft(ReaderId(reader)), at(now)),
                Step::Grew(input, bytes) => {
                    let grew = Event::InputGrew { input: InputId(input), held: bytes, pulled: bytes };
                    bench.pool.handle_event(grew, at(now));
                }
                Step::InputEnded(input) => {
                    bench.pool.handle_event(Event::InputEnded(InputId(input), Failure::Gone), at(now));
                }
                Step::InputClosed => {
                    if let Some(input) = closing.pop_first() {
                        bench.pool.handle_event(Event::InputClosed(input), at(now));
                    }
                }
                Step::ConnectionNeeded => bench.pool.handle_event(Event::ConnectionNeeded(vec![0]), at(now)),
                Step::CpuMeasured(is_short) => {
                    let idle = Some(if is_short { 0.0 } else { 1.0 });
                    bench.pool.handle_event(Event::CpuMeasured(idle), at(now));
                }
                Step::LimitsChanged(number, bytes) => {
                    slots = number;
                    let limits = Limits { slots, memory: bytes, disk_budget: bytes, ..AHEAD };
                    bench.pool.handle_event(Event::LimitsChanged(limits), at(now));
                }
                Step::TunerDenied => bench.pool.handle_event(Event::TunerDenied(None), at(now)),
                Step::Wait(millis) => {
                    now += millis;
                    bench.pool.handle_timeout(at(now));
                    prop_assert!(bench.pool.next_deadline().is_none_or(|deadline| deadline > at(now)), "the driver would spin");
                }
            }
            bench.pool.crowd.check();
            let running = bench.pool.running();
            let are_watched = || running.iter().all(|&id| bench.pool.is_watched(id));
            prop_assert!(running.len() <= slots || are_watched(), "more than there are slots, and one for nobody");
            for action in bench.actions() {
                if let Action::WarmUp(item, by) = &action {
                    let channel = (0..8).find(|&channel| key(channel).channel.item == *item).unwrap();
                    let _ = bench.pool.warm_up(&key(channel).channel, &either(channel), *by, at(now));
                }
                if let Action::OpenInput { input, .. } = action {
                    prop_assert!(open.insert(input), "opened twice");
                }
                if let Action::CloseInput { input, .. } = action {
                    prop_assert!(open.remove(&input) && closing.insert(input), "closed without having been open");
                }
                if let Action::Stop { stream, reason } = action {
                    match reason {
                        StopReason::Evicted
                        | StopReason::Outbid
                        | StopReason::TunerNeeded
                        | StopReason::Recording
                        | StopReason::Reserve
                        | StopReason::TunerLimit
                        | StopReason::DiskBudget
                        | StopReason::Memory
                        | StopReason::Pressure => {
                            let may_have_left = matches!(step, Step::Tune(..) | Step::Wait(_) | Step::LogOut(_));
                            prop_assert!(may_have_left || !watched.contains(&stream), "cut by {reason:?}");
                        }
                        StopReason::Idle | StopReason::Failed | StopReason::LoggedOut | StopReason::Shutdown | StopReason::Operator => {}
                    }
                }
            }
        }
        for reader in 1..1000 {
            bench.pool.handle_event(Event::ReaderLeft(ReaderId(reader)), at(now));
        }
        bench.pool.handle_timeout(at(now + 60_000));
        bench.pool.handle_timeout(at(now + 700_000));
        let mut last = bench.actions();
        for stream in 1..400 {
            bench.pool.handle_event(Event::Retired(StreamId(stream)), at(now + 700_000));
        }
        last.extend(bench.actions());
        for action in last {
            if let Action::CloseInput { input, .. } = action {
                prop_assert!(open.remove(&input) && closing.insert(input));
            }
        }
        prop_assert_eq!(open, BTreeSet::new());
        for input in closing {
            bench.pool.handle_event(Event::InputClosed(input), at(now + 700_000));
        }
        prop_assert_eq!(bench.pool.closing(), Closing::new());
        prop_assert_eq!(bench.snapshot().streams.len(), 0);
        prop_assert_eq!(bench.pool.crowd.len(), 0);
        prop_assert_eq!(bench.pool.next_deadline(), None);
    }
}
