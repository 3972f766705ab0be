//! What fills a stream, one generation after another.
//!
//! ```text
//!             first segment            stop
//!  Starting ───────────────► Live ─────────────► Retiring ──► (gone)
//!    │  ▲  ▲                  │ │                   ▲  ▲
//!    │  │  └ restart ─┐  rest │ │ failed            │  │
//!    │  │             └─ Resting ─── stop ──────────┘  │
//!    │  │ retry_at              ▼                      │
//!    └──┴─ failed ───────► BackingOff ──── stop ───────┘
//! ```
//!
//! A stream of the gateway's own that does not come about is adopted instead, at once, where that is wanted. It decides when
//! to try again and when trying has become pointless, not how anything is started or stopped.

use crate::domain::backoff;
use crate::domain::produce::{Means, Produce};
use crate::domain::reason::{Failure, StopReason};
use crate::domain::time::Timestamp;

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
    means: Means,
    state: State,
    generation: u32,
    failures: u32,
    refusals: u32,
}

impl Producer {
    /// One that is to start, in the way that `produce` wants.
    #[must_use]
    pub const fn new(produce: Produce) -> Self {
        let state = State::Starting;
        Self { produce, means: produce.first(), state, generation: 1, failures: 0, refusals: 0 }
    }

    /// What the generation that runs, or ran last, is made by.
    #[must_use]
    pub const fn means(&self) -> Means {
        self.means
    }

    /// Whether what it makes, now and later, is what `wish` wants.
    #[must_use]
    pub fn suits(&self, wish: Produce) -> bool {
        match wish {
            Produce::Auto => true,
            Produce::Adopt => self.means == Means::Adopted,
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
            State::Starting if generation == self.generation && self.has_another_way() => {
                self.means = self.produce.instead_of(self.means);
                self.state = State::BackingOff { retry_at: now, failure };
                true
            }
            State::Starting | State::Live if generation == self.generation => {
                self.failures += 1;
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

    fn has_another_way(&self) -> bool {
        self.produce.instead_of(self.means) != self.means
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
            (State::Resting, State::Resting, State::Resting, State::Resting, retiring),
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
        assert_eq!(producer.means(), Means::Own);
        assert!(producer.failed(1, Failure::Unsuitable, AT));
        assert_eq!((producer.means(), producer.retry_at()), (Means::Adopted, Some(AT)));
        assert_eq!(producer.refusals(), 0, "the server has refused nothing");
        let generation = producer.restart();
        producer.failed(generation, Failure::Gone, AT);
        assert!(producer.retry_at() > Some(AT));
        assert_eq!(producer.means(), Means::Adopted);
    }

    #[test]
    fn what_has_been_made_is_made_again() {
        let mut producer = Producer::new(Produce::Auto);
        producer.produced(1);
        producer.failed(1, Failure::Gone, AT);
        assert_eq!(producer.means(), Means::Own);
        let generation = producer.restart();
        producer.failed(generation, Failure::Gone, AT);
        assert_eq!(producer.means(), Means::Adopted, "but only once");
        let mut forced = Producer::new(Produce::Own);
        forced.failed(1, Failure::Unsuitable, AT);
        assert_eq!((forced.means(), forced.refusals()), (Means::Own, 1));
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
