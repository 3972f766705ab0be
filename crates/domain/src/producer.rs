//! Tracks the production of one stream, which one generation after another fills with segments.
//!
//! ```text
//!             first segment            stop
//!  Starting ───────────────► Live ─────────────► Retiring ──► (gone)
//!    │  ▲  ▲                  │ │                   ▲  ▲
//!    │  │  └ restart ─┐  rest │ │ failed            │  │
//!    │  │             └─ Resting ─┤─ stop ──────────┘  │
//!    │  │ retry_at              ▼                      │
//!    └──┴─ failed ───────► BackingOff ──── stop ───────┘
//! ```
//!
//! If the gateway fails to make a stream itself, the producer switches to adoption at once, unless the operator forbids it. The
//! module decides when the next generation starts and which method it uses. It does not know how a generation is started
//! or stopped.

use std::time::Duration;

use crate::backoff;
use crate::produce::{Produce, ProductionMethod};
use crate::reason::{Failure, StopReason};
use crate::time::Timestamp;

/// The state of a producer; see the diagram above.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// A generation has been requested and has not delivered its first segment yet.
    Starting,
    /// The generation has delivered a segment.
    Live,
    /// The generation was ended because nobody watches; the stream keeps its input.
    Resting,
    /// The last generation failed; the next one starts at `retry_at`.
    BackingOff {
        /// When the next generation starts.
        retry_at: Timestamp,
        /// Why the last generation failed.
        failure: Failure,
    },
    /// The stream is being stopped, and everything that it opened is being closed.
    Retiring(StopReason),
}

/// The state of a producer, its method and its record of failures.
#[derive(Clone, Copy, Debug)]
pub struct Producer {
    produce: Produce,
    method: ProductionMethod,
    state: State,
    generation: u32,
    failures: u32,
    refusals: u32,
    /// How much the current generation has delivered.
    delivered: Duration,
    /// Consecutive generations that failed before they had delivered `PROVEN`.
    setbacks: u32,
}

/// A generation that has delivered this much counts as stable.
const PROVEN: Duration = Duration::from_secs(60);
/// After this many consecutive generations that were not stable, the stream is adopted.
const MAX_SETBACKS: u32 = 3;

impl Producer {
    /// A producer that is about to start, with the method that `produce` tries first.
    #[must_use]
    pub const fn new(produce: Produce) -> Self {
        let state = State::Starting;
        Self {
            produce,
            method: produce.first(),
            state,
            generation: 1,
            failures: 0,
            refusals: 0,
            delivered: Duration::ZERO,
            setbacks: 0,
        }
    }

    /// A producer that starts with the second method of `produce`, because the first has failed recently.
    #[must_use]
    pub const fn after_failed_attempt(produce: Produce) -> Self {
        Self { method: produce.instead_of(produce.first()), ..Self::new(produce) }
    }

    /// A producer that goes on after `generation`, which another process of the gateway has run with this method.
    #[must_use]
    pub const fn resumed(produce: Produce, method: ProductionMethod, generation: u32) -> Self {
        Self { method, generation: generation + 1, ..Self::new(produce) }
    }

    /// The preference that it follows.
    #[must_use]
    pub const fn produce(&self) -> Produce {
        self.produce
    }

    /// The method of the current or latest generation.
    #[must_use]
    pub const fn method(&self) -> ProductionMethod {
        self.method
    }

    /// Whether this generation and all later ones satisfy the preference `wish`.
    #[must_use]
    pub fn suits(&self, wish: Produce) -> bool {
        match wish {
            Produce::Auto => true,
            Produce::Adopt => self.method == ProductionMethod::Adopted,
            Produce::Own => self.produce == Produce::Own,
        }
    }

    /// The current state.
    #[must_use]
    pub const fn state(&self) -> State {
        self.state
    }

    /// The number of the current or latest generation; the first is 1.
    #[must_use]
    pub const fn generation(&self) -> u32 {
        self.generation
    }

    /// Consecutive failures of any kind but [`Failure::Unreachable`], since the last segment.
    #[must_use]
    pub const fn refusals(&self) -> u32 {
        self.refusals
    }

    /// Whether the stream is being stopped.
    #[must_use]
    pub const fn is_retiring(&self) -> bool {
        matches!(self.state, State::Retiring(_))
    }

    /// Records that a piece of `generation` has arrived, which lasts for `duration`.
    pub fn produced(&mut self, generation: u32, duration: Duration) {
        match self.state {
            State::Starting | State::Live if generation == self.generation => {
                self.state = State::Live;
                self.failures = 0;
                self.refusals = 0;
                self.delivered = self.delivered.saturating_add(duration);
                if self.delivered >= PROVEN {
                    self.setbacks = 0;
                }
            }
            State::Starting
            | State::Live
            | State::Resting
            | State::BackingOff { .. }
            | State::Retiring(_) => {}
        }
    }

    /// Records that `generation` has ended by itself. Returns false if the state does not change: another generation is
    /// current, or none runs.
    pub fn failed(&mut self, generation: u32, failure: Failure, now: Timestamp) -> bool {
        match self.state {
            State::Starting | State::Live
                if generation == self.generation && self.is_better_adopted(failure) =>
            {
                self.method = self.produce.instead_of(self.method);
                self.state = State::BackingOff { retry_at: now, failure };
                true
            }
            State::Starting | State::Live | State::Resting if generation == self.generation => {
                self.failures += 1;
                self.setbacks += 1;
                // A server that is down refuses nothing: viewers keep their playlist until it is back.
                if failure != Failure::Unreachable {
                    self.refusals += 1;
                }
                self.state = State::BackingOff { retry_at: now + backoff::after(self.failures), failure };
                true
            }
            State::Starting
            | State::Live
            | State::Resting
            | State::BackingOff { .. }
            | State::Retiring(_) => false,
        }
    }

    /// Whether the stream should be adopted after this failure of the gateway's own generation: if the failure would recur,
    /// if the generation delivered nothing, or if too many have failed in a row.
    fn is_better_adopted(&self, failure: Failure) -> bool {
        if self.produce.instead_of(self.method) == self.method {
            return false;
        }
        match failure {
            Failure::TooSlow | Failure::TooMuchMemory | Failure::Lagged | Failure::Unsuitable => true,
            Failure::Unreachable
            | Failure::Refused
            | Failure::Ended
            | Failure::Stalled
            | Failure::Gone
            | Failure::Oversized
            | Failure::Overlong
            | Failure::Unreadable
            | Failure::Crashed
            | Failure::Busy
            | Failure::Panicked => self.state == State::Starting || self.setbacks + 1 >= MAX_SETBACKS,
        }
    }

    /// Ends the generation and keeps the input. Returns false if the state does not change.
    pub fn rest(&mut self) -> bool {
        match self.state {
            State::Live => {
                self.state = State::Resting;
                true
            }
            State::Starting | State::Resting | State::BackingOff { .. } | State::Retiring(_) => false,
        }
    }

    /// Begins the next generation, and returns its number.
    pub fn restart(&mut self) -> u32 {
        self.generation += 1;
        self.delivered = Duration::ZERO;
        self.state = State::Starting;
        self.generation
    }

    /// Begins to retire. Returns false if it is retiring already.
    pub fn stop(&mut self, reason: StopReason) -> bool {
        let news = !self.is_retiring();
        if news {
            self.state = State::Retiring(reason);
        }
        news
    }

    /// When the next generation starts, if the producer is backing off.
    #[must_use]
    pub const fn retry_at(&self) -> Option<Timestamp> {
        match self.state {
            State::BackingOff { retry_at, .. } => Some(retry_at),
            State::Starting | State::Live | State::Resting | State::Retiring(_) => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PRODUCER: Producer = Producer::new(Produce::Adopt);
    const PIECE: Duration = Duration::from_millis(500);
    const AT: Timestamp = Timestamp::from_millis(1000);

    /// Each state receives each input; an input without an arrow in the diagram changes nothing.
    #[test]
    fn the_transitions_are_those_of_the_diagram() {
        let backing_off =
            State::BackingOff { retry_at: Timestamp::from_millis(1500), failure: Failure::Gone };
        let retiring = State::Retiring(StopReason::Idle);
        let table = [
            (State::Starting, State::Live, backing_off, State::Starting, retiring),
            (State::Live, State::Live, backing_off, State::Resting, retiring),
            (State::Resting, State::Resting, backing_off, State::Resting, retiring),
            (backing_off, backing_off, backing_off, backing_off, retiring),
            (retiring, retiring, retiring, retiring, retiring),
        ];
        for (state, produced, failed, rested, stopped) in table {
            let producer = Producer { state, ..PRODUCER };
            let after = |change: fn(&mut Producer)| {
                let mut producer = producer;
                change(&mut producer);
                producer.state()
            };
            assert_eq!(after(|producer| producer.produced(1, PIECE)), produced);
            assert_eq!(
                after(|producer| {
                    producer.failed(1, Failure::Gone, AT);
                }),
                failed
            );
            assert_eq!(
                after(|producer| {
                    producer.rest();
                }),
                rested
            );
            assert_eq!(
                after(|producer| {
                    producer.stop(StopReason::Idle);
                }),
                stopped
            );
        }
    }

    #[test]
    fn a_stream_that_the_gateway_cannot_make_is_adopted_at_once() {
        let mut producer = Producer::new(Produce::Auto);
        assert_eq!(producer.method(), ProductionMethod::Own);
        assert!(producer.failed(1, Failure::Unsuitable, AT));
        assert_eq!((producer.method(), producer.retry_at()), (ProductionMethod::Adopted, Some(AT)));
        assert_eq!(producer.refusals(), 0, "the server has refused nothing");
        let generation = producer.restart();
        producer.failed(generation, Failure::Gone, AT);
        assert!(producer.retry_at() > Some(AT));
        assert_eq!(producer.method(), ProductionMethod::Adopted);
    }

    #[test]
    fn a_method_that_failed_recently_is_not_tried_again() {
        assert_eq!(Producer::after_failed_attempt(Produce::Auto).method(), ProductionMethod::Adopted);
        assert_eq!(Producer::after_failed_attempt(Produce::Adopt).method(), ProductionMethod::Adopted);
        assert_eq!(
            Producer::after_failed_attempt(Produce::Own).method(),
            ProductionMethod::Own,
            "it is wished for all the same"
        );
    }

    #[test]
    fn a_failure_after_segments_is_retried_with_the_same_method() {
        let mut producer = Producer::new(Produce::Auto);
        producer.produced(1, PIECE);
        producer.failed(1, Failure::Gone, AT);
        assert_eq!(producer.method(), ProductionMethod::Own);
        let generation = producer.restart();
        producer.failed(generation, Failure::Gone, AT);
        assert_eq!(producer.method(), ProductionMethod::Adopted, "but only once");
        let mut forced = Producer::new(Produce::Own);
        forced.failed(1, Failure::Unsuitable, AT);
        assert_eq!((forced.method(), forced.refusals()), (ProductionMethod::Own, 1));
    }

    #[test]
    fn a_stream_that_keeps_failing_is_adopted() {
        let live = || {
            let mut producer = Producer::new(Produce::Auto);
            producer.produced(1, PIECE);
            producer
        };
        let mut slow = live();
        slow.failed(1, Failure::TooSlow, AT);
        assert_eq!(slow.method(), ProductionMethod::Adopted, "it would be as slow again");
        let mut unsteady = live();
        for generation in 1..=3 {
            assert_eq!(unsteady.method(), ProductionMethod::Own);
            unsteady.failed(generation, Failure::Crashed, AT);
            let next = unsteady.restart();
            unsteady.produced(next, PIECE);
        }
        assert_eq!(unsteady.method(), ProductionMethod::Adopted);
        let mut steady = live();
        for generation in 1..=9 {
            (0..120).for_each(|_| steady.produced(generation, PIECE));
            steady.failed(generation, Failure::Gone, AT);
            steady.restart();
            steady.produced(generation + 1, PIECE);
        }
        assert_eq!(steady.method(), ProductionMethod::Own, "a tuner may be lost once a minute");
    }

    #[test]
    fn an_older_generation_changes_nothing() {
        let mut producer = PRODUCER;
        producer.failed(1, Failure::Gone, AT);
        assert_eq!(producer.restart(), 2);
        producer.produced(1, PIECE);
        assert_eq!(producer.state(), State::Starting);
        producer.failed(1, Failure::Gone, AT);
        assert_eq!(producer.state(), State::Starting);
    }

    #[test]
    fn an_unreachable_server_counts_as_no_refusal() {
        let mut producer = PRODUCER;
        producer.failed(1, Failure::Unreachable, AT);
        assert_eq!(producer.refusals(), 0);
        let generation = producer.restart();
        producer.failed(generation, Failure::Refused, AT);
        assert_eq!(producer.refusals(), 1);
        assert_eq!(
            producer.retry_at(),
            Some(Timestamp::from_millis(2000)),
            "failures wait longer all the same"
        );
        let generation = producer.restart();
        producer.produced(generation, PIECE);
        assert_eq!(producer.refusals(), 0);
    }
}
