//! Tries how streams come about, rest and fail.

use super::*;

impl Bench {
    /// What a viewer's wish for the first channel leads to.
    fn started(&mut self, produce: Produce, now: Timestamp) -> Vec<Action> {
        self.tokens += 1;
        let fresh = ConsumerId::from_bits(self.tokens);
        let tune = web_tune(key(1), viewer(1), produce, fresh);
        self.pool.tune(tune, now);
        self.actions()
    }
}

#[test]
fn an_encoder_without_viewers_goes_before_its_input() {
    let mut bench = Bench::new(LIMITS);
    let stream = bench.deserted(true);
    assert_eq!(bench.pool.next_deadline(), Some(at(121_000)));
    bench.pool.handle_timeout(at(121_000));
    assert_eq!(bench.actions(), [Action::Rest { stream, reason: StopReason::Idle }]);
    assert_eq!(bench.view(stream).state, State::Resting);
    assert_eq!(bench.pool.next_deadline(), Some(at(601_000)));
    bench.pool.handle_timeout(at(601_000));
    assert_eq!(bench.actions(), [Action::Stop { stream, reason: StopReason::Idle }]);
}

#[test]
fn a_resting_stream_whose_input_ends_holds_no_tuner() {
    let mut bench = Bench::new(LIMITS);
    let stream = bench.deserted(true);
    bench.pool.handle_timeout(at(121_000));
    bench.actions();
    let failed = |generation| Event::Failed { stream, generation, failure: Failure::Gone };
    bench.pool.handle_event(failed(0), at(130_000));
    assert_eq!(bench.view(stream).state, State::Resting);
    bench.pool.handle_event(failed(1), at(130_000));
    assert_eq!(bench.actions(), [Action::Stop { stream, reason: StopReason::Failed }]);
}

#[test]
fn a_copy_costs_no_encoder() {
    let mut bench = Bench::new(LIMITS);
    bench.deserted(false);
    assert_eq!(bench.pool.next_deadline(), Some(at(601_000)));
}

#[test]
fn who_comes_to_a_resting_stream_wakes_it() {
    for returns in [false, true] {
        let mut bench = Bench::new(LIMITS);
        let stream = bench.deserted(true);
        bench.pool.handle_timeout(at(121_000));
        bench.actions();
        if returns {
            // Believed gone, it asks for a segment that it knows of.
            bench.pool.segment_requested(ConsumerId::from_bits(1), 0, at(119_000));
        } else {
            let consumer = ConsumerId::from_bits(2);
            let tune = web_tune(key(1), viewer(2), Produce::Auto, consumer);
            let joined = Admission::Serve { stream, consumer, warmth: Warmth::Warming };
            assert_eq!(bench.pool.tune(tune, at(130_000)), joined);
        }
        assert_eq!(bench.actions(), [Action::Start { stream, generation: 2, method: ProductionMethod::Own }]);
    }
}

#[test]
fn what_the_gateway_cannot_make_is_adopted_at_once() {
    let mut bench = Bench::new(LIMITS);
    let fresh = ConsumerId::from_bits(1);
    let tune = web_tune(key(1), viewer(1), Produce::Auto, fresh);
    bench.pool.tune(tune, at(0));
    let stream = StreamId(1);
    let failed = Event::Failed { stream, generation: 1, failure: Failure::Unsuitable };
    bench.pool.handle_event(failed, at(100));
    let starts = [(1, ProductionMethod::Own), (2, ProductionMethod::Adopted)];
    let starts = starts.map(|(generation, method)| Action::Start { stream, generation, method });
    assert_eq!(bench.actions(), starts);
    assert_eq!(bench.view(stream).state, State::Starting);
}

#[test]
fn what_could_not_be_made_is_not_tried_again_for_a_while() {
    let tried = |failure: Failure, worked: bool, produce: Produce, again: u64| {
        let mut bench = Bench::new(LIMITS);
        bench.started(Produce::Auto, at(0));
        if worked {
            bench.segment(StreamId(1), 0, at(0));
        }
        bench.pool.handle_event(Event::Failed { stream: StreamId(1), generation: 1, failure }, at(100));
        bench.pool.stop(StreamId(1), StopReason::Failed);
        bench.actions();
        bench.pool.handle_event(Event::Retired(StreamId(1)), at(200));
        bench.actions();
        match bench.started(produce, at(again))[..] {
            [Action::Start { method, .. }] => method,
            ref other => panic!("{other:?}"),
        }
    };
    let method = |failure: Failure, again: u64| tried(failure, false, Produce::Auto, again);
    assert_eq!(method(Failure::Unsuitable, 1_799_000), ProductionMethod::Adopted);
    assert_eq!(method(Failure::Unsuitable, 1_800_100), ProductionMethod::Own, "it may have changed");
    assert_eq!(method(Failure::Stalled, 299_000), ProductionMethod::Adopted);
    assert_eq!(method(Failure::Stalled, 300_100), ProductionMethod::Own, "it was a bad moment");
    assert_eq!(method(Failure::Busy, 1000), ProductionMethod::Own, "that has passed");
    assert_eq!(method(Failure::Unreachable, 1000), ProductionMethod::Own);
    let forced = tried(Failure::Unsuitable, false, Produce::Own, 1000);
    assert_eq!(forced, ProductionMethod::Own, "it is wished for all the same");
    let later = |failure: Failure| tried(failure, true, Produce::Auto, 1000);
    assert_eq!(later(Failure::Unsuitable), ProductionMethod::Own, "it could be made");
    assert_eq!(later(Failure::TooSlow), ProductionMethod::Adopted, "it would be as slow again");
}

#[test]
fn a_stream_is_shared_only_in_the_way_that_is_wished_for() {
    let mut bench = Bench::new(Limits { slots: 3, ..LIMITS });
    let mut tuned = |number: u8, produce: Produce| {
        let fresh = ConsumerId::from_bits(number.into());
        let tune = web_tune(key(1), viewer(number), produce, fresh);
        match bench.pool.tune(tune, at(0)) {
            Admission::Serve { stream, .. } => stream,
            Admission::Refused(reason) => panic!("{reason:?}"),
        }
    };
    let auto = tuned(1, Produce::Auto);
    let adopted = tuned(2, Produce::Adopt);
    assert_ne!(adopted, auto);
    assert_eq!(tuned(3, Produce::Auto), auto);
    assert_eq!(tuned(4, Produce::Adopt), adopted);
    let own = tuned(5, Produce::Own);
    assert!(own != auto && own != adopted, "the first may yet be adopted");
}
