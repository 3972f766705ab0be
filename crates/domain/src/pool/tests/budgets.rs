//! What streams and inputs may take: memory and disk, of 1000 bytes each.

use super::*;
use crate::reason::CloseReason;

const IDLE: u64 = 30_000;

impl Bench {
    /// A stream of the gateway's own, made from this tap.
    fn own(&mut self, channel: u8, number: u8, input: u8, now: Timestamp) -> (StreamId, InputId) {
        self.tokens += 1;
        let fresh = ConsumerId::from_bits(self.tokens);
        let (key, viewer) = (key(channel), viewer(number));
        let tune = web_tune(key, viewer, Produce::Auto, fresh);
        match self.pool.tune(tune, now) {
            Admission::Serve { stream, .. } => {
                let joined = self.pool.join_input(stream, &tap(input), now).unwrap();
                (stream, joined.input)
            }
            Admission::Refused(reason) => panic!("refused: {}", reason.as_str()),
        }
    }

    /// What is done when an input has grown to this.
    fn grown(&mut self, input: InputId, held: u64, pulled: u64, now: Timestamp) -> Vec<Action> {
        self.actions();
        self.pool.handle_event(Event::InputGrew { input, held, pulled }, now);
        self.actions()
    }

    /// A viewer has opened a channel.
    fn expected(&mut self, channel: u8, now: Timestamp) -> InputId {
        self.pool.prefetch(&key(channel).channel, Account(9), &tap(channel), now).unwrap().input
    }
}

fn stopped(stream: StreamId, reason: StopReason) -> Action {
    Action::Stop { stream, reason }
}

const fn closed(input: InputId, reason: CloseReason) -> Action {
    Action::CloseInput { input, reason }
}

/// Limits that the operator lowers cut nobody, and what is over them and idle goes at once.
#[test]
fn lower_limits_hold_at_once_and_cut_nobody() {
    let roomy = Limits { slots: 4, memory: 10_000, disk_budget: 10_000, ..LIMITS };
    let mut bench = Bench::new(roomy);
    let left = bench.serve(1, 1, at(0)).0;
    bench.segment(left, 100, at(0));
    let watched = bench.serve(2, 1, at(IDLE)).0;
    bench.segment(watched, 100, at(IDLE));
    let other = bench.serve(3, 3, at(IDLE)).0;
    bench.segment(other, 100, at(IDLE));
    bench.actions();
    let mut changed = |limits: Limits, now| {
        bench.pool.handle_event(Event::LimitsChanged(limits), now);
        bench.actions()
    };
    assert_eq!(changed(Limits { slots: 3, ..roomy }, at(IDLE)), []);
    let lower = Limits { slots: 1, memory: 50, disk_budget: 50, ..roomy };
    let done = changed(lower, at(IDLE));
    assert_eq!(done[0], stopped(left, StopReason::Evicted));
    assert!(!done.contains(&stopped(watched, StopReason::Memory)), "{done:?}");
    assert_eq!(bench.pool.running(), [watched, other]);
    bench.pool.handle_event(goodbye("play-3"), at(IDLE));
    bench.pool.handle_timeout(at(IDLE + 5000));
    assert_eq!(bench.pool.running(), [watched], "more than there are slots stay only for their viewers");
}

/// What was left before is kept no longer than what is left from now on.
#[test]
fn shorter_times_hold_for_what_is_idle_already() {
    let roomy = Limits { memory: 10_000, disk_budget: 10_000, ..LIMITS };
    let mut bench = Bench::new(roomy);
    let stream = bench.serve(1, 1, at(0)).0;
    bench.segment(stream, 100, at(0));
    bench.pool.handle_timeout(at(IDLE));
    let (reader, joined) = bench.pool.read_input(&lineup(2), at(IDLE)).unwrap();
    bench.pool.handle_event(Event::ReaderLeft(reader), at(IDLE));
    bench.actions();
    let brief = Duration::from_secs(1);
    let brief = Limits { idle_timeout: brief, warm_encode: brief, warm_feed: brief, ..roomy };
    bench.pool.handle_event(Event::LimitsChanged(brief), at(IDLE + 2000));
    bench.pool.handle_timeout(at(IDLE + 2000));
    let done = bench.actions();
    assert!(done.contains(&stopped(stream, StopReason::Idle)), "{done:?}");
    assert!(done.contains(&closed(joined.input, CloseReason::Unneeded)), "{done:?}");
}

#[test]
fn an_input_is_on_the_disk_once_however_much_is_made_of_it() {
    let mut bench = Bench::new(LIMITS);
    let (one, input) = bench.own(1, 1, 9, at(0));
    let (other, same) = bench.own(2, 2, 9, at(0));
    assert_eq!(input, same);
    assert_eq!(bench.grown(input, 0, 1001, at(1)), [], "they are watched");
    assert_eq!(bench.grown(input, 0, 1000, at(2)), []);
    bench.pool.handle_timeout(at(IDLE));
    assert_eq!(bench.pool.running(), [one, other]);
    let all = [one, other].map(|stream| stopped(stream, StopReason::DiskBudget));
    assert_eq!(bench.grown(input, 0, 1001, at(IDLE)), all);
    assert_eq!(bench.grown(input, 0, 1002, at(IDLE)), [], "it is being closed");
}

#[test]
fn an_input_grows_while_its_stream_rests_and_while_somebody_is_expected() {
    let mut bench = Bench::new(LIMITS);
    let stream = bench.deserted(true);
    let resting = bench.pool.input_of(stream).unwrap();
    bench.pool.handle_timeout(at(121_000));
    assert_eq!(bench.view(stream).state, State::Resting);
    assert_eq!(bench.grown(resting, 0, 600, at(122_000)), []);
    let expected = bench.expected(2, at(123_000));
    assert_eq!(bench.grown(expected, 0, 401, at(123_000)), [stopped(stream, StopReason::DiskBudget)]);
    assert_eq!(bench.grown(expected, 0, 1001, at(124_000)), [closed(expected, CloseReason::DiskBudget)]);
}

#[test]
fn what_is_adopted_and_what_is_tapped_are_on_one_disk() {
    let mut bench = Bench::new(LIMITS);
    let (adopted, ..) = bench.serve(1, 1, at(0));
    let (own, input) = bench.own(2, 2, 2, at(0));
    bench.segment(adopted, 251, at(0));
    bench.pool.handle_timeout(at(IDLE));
    assert_eq!(bench.grown(input, 0, 498, at(IDLE)), []);
    let larger = bench.grown(input, 0, 503, at(IDLE));
    assert_eq!(larger, [stopped(own, StopReason::DiskBudget)], "the larger one goes");
    assert_eq!(bench.grown(input, 0, 499, at(IDLE)), [], "what is being closed counts no more");
    assert_eq!(bench.pool.running(), [adopted]);
}

#[test]
fn who_reads_an_input_keeps_it() {
    let mut bench = Bench::new(LIMITS);
    let idle = bench.deserted(false);
    let (_, Joined { input, .. }) = bench.pool.read_input(&tap(1), at(1500)).unwrap();
    assert_eq!(bench.grown(input, 0, 5000, at(2000)), []);
    let made = bench.grown(input, 5000, 0, at(2000));
    assert_eq!(made, [stopped(idle, StopReason::Memory)], "not what is made of it");
    assert_eq!(bench.grown(input, 5000, 0, at(2000)), []);
}

#[test]
fn inputs_are_part_of_the_memory_and_what_was_left_longest_ago_goes_first() {
    let mut bench = Bench::new(Limits { slots: 3, ..LIMITS });
    let idle = bench.deserted(false);
    let made = bench.pool.input_of(idle).unwrap();
    let (reader, Joined { input: left, .. }) = bench.pool.read_input(&lineup(8), at(0)).unwrap();
    bench.pool.handle_event(Event::ReaderLeft(reader), at(500));
    let (watched, used) = bench.own(2, 2, 2, at(IDLE));
    bench.segment(watched, 100, at(IDLE));
    let expected = [3, 4].map(|channel| bench.expected(channel, at(IDLE)));
    let mut held = |input, held| bench.grown(input, held, 0, at(IDLE));
    for (input, bytes) in [(left, 300), (made, 300), (expected[0], 100), (expected[1], 100), (used, 99)] {
        assert_eq!(held(input, bytes), [], "1000 bytes, a segment of each stream's among them");
    }
    assert_eq!(held(used, 100), [closed(left, CloseReason::Memory)]);
    assert_eq!(held(used, 401), [stopped(idle, StopReason::Memory)]);
    assert_eq!(held(used, 750), [closed(expected[0], CloseReason::Memory)], "the older one");
    assert_eq!(held(used, 901), [Action::TrimWindow(watched), closed(expected[1], CloseReason::Memory)]);
    assert_eq!(bench.tune(3, 3, at(IDLE)), Admission::Refused(RefuseReason::MemoryFull));
}
