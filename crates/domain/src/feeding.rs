//! Decides which input a feed is pulled from, and when the next attempt follows.
//!
//! ```text
//!              packets             failed
//!  Connecting ─────────► Flowing ──────────► BackingOff ──┐
//!    │   ▲                  │                    ▲        │ retry_at
//!    │   └──────────────────┼────────────────────┼────────┘
//!    ├──── failed ──────────┼────────────────────┘
//!    └──── failed, no input left ────────► Failed
//!                                          any but Failed ── end ──► Ended
//! ```
//!
//! It does not know what an input is, nor after which silence an attempt has failed.

use std::time::Duration;

use crate::backoff;
use crate::reason::Failure;
use crate::time::Timestamp;

/// An input whose packets flowed for this long works: all earlier failures are forgotten.
const PROVEN: Duration = Duration::from_secs(10);

/// The state of a feed. Inputs are numbered in the order of preference.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FeedState {
    /// An input is being opened, or has not sent its first packet.
    Connecting {
        /// The number of the input.
        input: usize,
    },
    /// Packets are arriving.
    Flowing {
        /// The number of the input.
        input: usize,
    },
    /// An attempt failed, and another one will follow.
    BackingOff {
        /// When it will follow.
        retry_at: Timestamp,
        /// The number of the input that will be tried.
        input: usize,
        /// How the last attempt failed.
        failure: Failure,
    },
    /// Every input has failed too often; carries the last failure.
    Failed(Failure),
    /// The feed was asked to end.
    Ended,
}

impl FeedState {
    /// Whether no packet will come any more.
    #[must_use]
    pub const fn is_over(&self) -> bool {
        match self {
            Self::Failed(_) | Self::Ended => true,
            Self::Connecting { .. } | Self::Flowing { .. } | Self::BackingOff { .. } => false,
        }
    }
}

/// Chooses among the inputs of a feed.
#[derive(Clone, Debug)]
pub struct Feeding {
    state: FeedState,
    /// Failures in a row of each input; a working input resets all of them.
    failures: Vec<u32>,
    attempts: u32,
    /// When the first and the last packet of this connection arrived.
    flow: Option<(Timestamp, Timestamp)>,
}

impl Feeding {
    /// Starts with the first of `inputs`. Each may fail `attempts` times in a row.
    #[must_use]
    pub fn new(inputs: usize, attempts: u32) -> Self {
        let state =
            if inputs > 0 { FeedState::Connecting { input: 0 } } else { FeedState::Failed(Failure::Gone) };
        Self { state, failures: vec![0; inputs], attempts: attempts.max(1), flow: None }
    }

    /// The current state.
    #[must_use]
    pub const fn state(&self) -> FeedState {
        self.state
    }

    /// Notes that packets arrived.
    pub const fn flows(&mut self, now: Timestamp) {
        match self.state {
            FeedState::Connecting { input } | FeedState::Flowing { input } => {
                self.state = FeedState::Flowing { input };
                let (first, _) = match self.flow {
                    Some(flow) => flow,
                    None => (now, now),
                };
                self.flow = Some((first, now));
            }
            FeedState::BackingOff { .. } | FeedState::Failed(_) | FeedState::Ended => {}
        }
    }

    /// Notes that the attempt failed.
    pub fn failed(&mut self, failure: Failure, now: Timestamp) {
        let (FeedState::Connecting { input } | FeedState::Flowing { input }) = self.state else { return };
        if self.flow.take().is_some_and(|(first, last)| last.since(first) >= PROVEN) {
            self.failures.fill(0);
        }
        self.failures[input] = if is_final(failure) { self.attempts } else { self.failures[input] + 1 };
        self.state = match self.next(if moves_on(failure) { input + 1 } else { input }) {
            Some(input) => FeedState::BackingOff { retry_at: now + self.wait(input), input, failure },
            None => FeedState::Failed(failure),
        };
    }

    /// Notes that `retry_at` has come.
    pub const fn retry(&mut self) {
        if let FeedState::BackingOff { input, .. } = self.state {
            self.state = FeedState::Connecting { input };
        }
    }

    /// Ends the feed.
    pub const fn end(&mut self) {
        if !self.state.is_over() {
            self.state = FeedState::Ended;
        }
    }

    /// The first input, from `preferred` on and round, that has not failed too often.
    fn next(&self, preferred: usize) -> Option<usize> {
        let inputs = self.failures.len();
        (preferred..preferred + inputs)
            .map(|input| input % inputs)
            .find(|input| self.failures[*input] < self.attempts)
    }

    /// An input that has not failed is tried at once.
    fn wait(&self, input: usize) -> Duration {
        match self.failures[input] {
            0 => Duration::ZERO,
            failures => backoff::after(failures),
        }
    }
}

/// Whether this input must not be tried again.
fn is_final(failure: Failure) -> bool {
    failure == Failure::Gone
}

/// Whether the next input is tried first: an input that stalled has cost a long wait already, and where no connection is
/// free another provider may have one.
fn moves_on(failure: Failure) -> bool {
    matches!(failure, Failure::Stalled | Failure::Busy)
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn at(seconds: u64) -> Timestamp {
        Timestamp::from_millis(seconds * 1000)
    }

    /// The inputs that are tried after these failures and the waits before them in milliseconds, and the last state.
    fn tried(inputs: usize, attempts: u32, failures: &[Failure]) -> (Vec<(usize, u128)>, FeedState) {
        let mut feeding = Feeding::new(inputs, attempts);
        let mut tried = Vec::new();
        for failure in failures {
            feeding.failed(*failure, at(0));
            if let FeedState::BackingOff { retry_at, input, failure: because } = feeding.state() {
                assert_eq!(because, *failure);
                tried.push((input, retry_at.elapsed().as_millis()));
            }
            feeding.retry();
        }
        (tried, feeding.state())
    }

    #[test]
    fn the_transitions_are_those_of_the_diagram() {
        let backing_off = FeedState::BackingOff { retry_at: at(1), input: 0, failure: Failure::Ended };
        let failed = FeedState::BackingOff {
            retry_at: at(1) + Duration::from_millis(500),
            input: 0,
            failure: Failure::Refused,
        };
        let (connecting, flowing) = (FeedState::Connecting { input: 0 }, FeedState::Flowing { input: 0 });
        let over = FeedState::Failed(Failure::Gone);
        let table = [
            (connecting, flowing, failed, connecting, FeedState::Ended),
            (flowing, flowing, failed, flowing, FeedState::Ended),
            (backing_off, backing_off, backing_off, connecting, FeedState::Ended),
            (over, over, over, over, over),
            (FeedState::Ended, FeedState::Ended, FeedState::Ended, FeedState::Ended, FeedState::Ended),
        ];
        for (state, flows, failed, retried, ended) in table {
            let after = |change: fn(&mut Feeding)| {
                let mut feeding = Feeding { state, ..Feeding::new(1, 3) };
                change(&mut feeding);
                feeding.state()
            };
            assert_eq!(after(|feeding| feeding.flows(at(1))), flows);
            assert_eq!(after(|feeding| feeding.failed(Failure::Refused, at(1))), failed);
            assert_eq!(after(Feeding::retry), retried);
            assert_eq!(after(Feeding::end), ended);
        }
    }

    #[test]
    fn an_input_is_left_after_so_many_failures_and_all_of_them_are_the_end() {
        let (inputs, state) = tried(2, 3, &[Failure::Refused; 6]);
        assert_eq!(inputs, [(0, 500), (0, 1000), (1, 0), (1, 500), (1, 1000)]);
        assert_eq!(state, FeedState::Failed(Failure::Refused));
    }

    #[test]
    fn a_stall_is_left_at_once_and_come_back_to() {
        let (inputs, state) = tried(2, 2, &[Failure::Stalled; 4]);
        assert_eq!(inputs, [(1, 0), (0, 500), (1, 500)]);
        assert_eq!(state, FeedState::Failed(Failure::Stalled));
    }

    #[test]
    fn where_no_connection_is_to_be_had_another_provider_is_asked_first() {
        let (inputs, _) = tried(2, 2, &[Failure::Busy; 3]);
        assert_eq!(inputs, [(1, 0), (0, 500), (1, 500)]);
    }

    #[test]
    fn what_is_gone_is_not_tried_again() {
        let (inputs, _) = tried(2, 3, &[Failure::Gone, Failure::Refused]);
        assert_eq!(inputs, [(1, 0), (1, 500)]);
        assert_eq!(tried(1, 3, &[Failure::Gone]).1, FeedState::Failed(Failure::Gone));
        assert_eq!(Feeding::new(0, 3).state(), FeedState::Failed(Failure::Gone));
    }

    /// Fails again and again after packets flowed from second `first` to second `last`.
    fn flapping(first: u64, last: u64) -> FeedState {
        let mut feeding = Feeding::new(1, 2);
        for _ in 0..5 {
            feeding.retry();
            feeding.flows(at(first));
            feeding.flows(at(last));
            feeding.failed(Failure::Stalled, at(last + 60));
        }
        feeding.state()
    }

    #[test]
    fn only_what_flowed_for_a_while_has_its_failures_forgotten() {
        assert!(!flapping(0, 10).is_over());
        assert_eq!(flapping(0, 9), FeedState::Failed(Failure::Stalled), "a silence is no flow");
    }
}
