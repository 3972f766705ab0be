//! What fills a stream, one generation after another.
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
//! A stream of the gateway's own that does not come about is adopted instead, at once, where that is wanted. It decides when
//! to try again and when trying has become pointless, not how anything is started or stopped.

use crate::backoff;
use crate::produce::{Produce, ProductionMethod};
use crate::reason::{Failure, StopReason};
use crate::time::Timestamp;

/// Where a producer stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// A generation was asked for and has yet to give its first segment.
    Starting,
    /// Segments come.
    Live,
    /// Nobody watches: only its input is kept.
    Resting,
    /// The last generation failed; the next one starts at `retry_at`.
    BackingOff {
        /// When to try again.
        retry_at: Timestamp,
        /// How the last one failed.
        failure: Failure,
    },
    /// What was opened is being closed.
    Retiring(StopReason),
}

/// A producer: its state and its record of failures.
#[derive(Clone, Copy, Debug)]
pub struct Producer {
    produce: Produce,
    method: ProductionMethod,
    state: State,
    generation: u32,
    failures: u32,
    refusals: u32,
    /// Segments of the generation that runs.
    segments: u32,
    /// Generations of the gateway's own in a row that came to something, and soon to an end.
    setbacks: u32,
}

/// A generation that has given so many segments, about a minute of them, was a good one.
const PROVEN: u32 = 20;
/// After so many that were not, the stream is better adopted.
const SETBACKS: u32 = 3;

impl Producer {
    /// One that is to start, in the way that `produce` wants.
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
            segments: 0,
            setbacks: 0,
        }
    }

    /// The same, where the gateway has tried to make it lately, and could not.
    #[must_use]
    pub const fn hindered(produce: Produce) -> Self {
        Self { method: produce.instead_of(produce.first()), ..Self::new(produce) }
    }

    /// What the generation that runs, or ran last, is made by.
    #[must_use]
    pub const fn method(&self) -> ProductionMethod {
        self.method
    }

    /// Whether what it makes, now and later, is what `wish` wants.
    #[must_use]
    pub fn suits(&self, wish: Produce) -> bool {
        match wish {
            Produce::Auto => true,
            Produce::Adopt => self.method == ProductionMethod::Adopted,
            Produce::Own => self.produce == Produce::Own,
        }
    }

    /// Where it stands.
    #[must_use]
    pub const fn state(&self) -> State {
        self.state
    }

    /// The number of the generation that runs, or ran last; the first is 1.
    #[must_use]
    pub const fn generation(&self) -> u32 {
        self.generation
    }

    /// How often in a row the server, though reachable, gave no stream.
    #[must_use]
    pub const fn refusals(&self) -> u32 {
        self.refusals
    }

    /// Whether it is being given back.
    #[must_use]
    pub const fn is_retiring(&self) -> bool {
        matches!(self.state, State::Retiring(_))
    }

    /// A segment of `generation` arrived.
    pub fn produced(&mut self, generation: u32) {
        match self.state {
            State::Starting | State::Live if generation == self.generation => {
                self.state = State::Live;
                self.failures = 0;
                self.refusals = 0;
                self.segments = self.segments.saturating_add(1);
                if self.segments >= PROVEN {
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

    /// `generation` came to an end by itself; says whether that is news.
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
                // A server that is down is not refusing: viewers keep their playlist until it is back.
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

    /// Whether the server would do better: what did not come about will not, what is too slow stays too slow, and what
    /// keeps failing is not worth its viewers' patience.
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
            | Failure::Unreadable
            | Failure::Crashed
            | Failure::Busy
            | Failure::Panicked => self.state == State::Starting || self.setbacks + 1 >= SETBACKS,
        }
    }

    /// Lets go of everything but the input. Says whether that is news.
    pub fn rest(&mut self) -> bool {
        match self.state {
            State::Live => {
                self.state = State::Resting;
                true
            }
            State::Starting | State::Resting | State::BackingOff { .. } | State::Retiring(_) => false,
        }
    }

    /// Begins the next generation and says its number.
    pub fn restart(&mut self) -> u32 {
        self.generation += 1;
        self.segments = 0;
        self.state = State::Starting;
        self.generation
    }

    /// Begins to give back; says whether that is news.
    pub fn stop(&mut self, reason: StopReason) -> bool {
        let news = !self.is_retiring();
        if news {
            self.state = State::Retiring(reason);
        }
        news
    }

    /// When to try again, if that is what it waits for.
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
    const AT: Timestamp = Timestamp::from_millis(1000);

    /// Every state meets every input; what is not in its column of the diagram changes nothing.
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
            assert_eq!(after(|producer| producer.produced(1)), produced);
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
    fn what_cannot_be_made_is_adopted_at_once() {
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
    fn who_knows_better_does_not_try_again() {
        assert_eq!(Producer::hindered(Produce::Auto).method(), ProductionMethod::Adopted);
        assert_eq!(Producer::hindered(Produce::Adopt).method(), ProductionMethod::Adopted);
        assert_eq!(
            Producer::hindered(Produce::Own).method(),
            ProductionMethod::Own,
            "it is wished for all the same"
        );
    }

    #[test]
    fn what_has_been_made_is_made_again() {
        let mut producer = Producer::new(Produce::Auto);
        producer.produced(1);
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
    fn what_cannot_hold_its_ground_is_adopted() {
        let live = || {
            let mut producer = Producer::new(Produce::Auto);
            producer.produced(1);
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
            unsteady.produced(next);
        }
        assert_eq!(unsteady.method(), ProductionMethod::Adopted);
        let mut steady = live();
        for generation in 1..=9 {
            (0..PROVEN).for_each(|_| steady.produced(generation));
            steady.failed(generation, Failure::Gone, AT);
            steady.restart();
            steady.produced(generation + 1);
        }
        assert_eq!(steady.method(), ProductionMethod::Own, "a tuner may be lost once a minute");
    }

    #[test]
    fn an_older_generation_has_no_say() {
        let mut producer = PRODUCER;
        producer.failed(1, Failure::Gone, AT);
        assert_eq!(producer.restart(), 2);
        producer.produced(1);
        assert_eq!(producer.state(), State::Starting);
        producer.failed(1, Failure::Gone, AT);
        assert_eq!(producer.state(), State::Starting);
    }

    #[test]
    fn a_server_that_is_down_has_refused_nothing() {
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
        producer.produced(generation);
        assert_eq!(producer.refusals(), 0);
    }
}
