//! How long a start of a stream at the server may take, from how long earlier ones took.
//!
//! A first start may take as long as the server lets it: a slow tuner and a source with rare key frames need half a minute.
//! Once one has worked, a start that takes much longer has been lost, as by a server that restarts, and those who play
//! already wait for it. So the next ones are bounded, three in a row, which fit the 28 s that a player waits for a list
//! (docs/decisions/33-held-polls.md). Perhaps the server has only become slow: then the next may take its time.

use std::time::Duration;

/// The longest that any start may take: the server itself waits for the first segments without a limit (`HlsHelpers.cs`).
const LONGEST: Duration = Duration::from_secs(60);
/// A bounded start may take at least this long.
const SHORTEST: Duration = Duration::from_secs(8);
/// As many bounded starts are tried in a row.
const BOUNDED: u32 = 3;

/// The starts of one stream.
#[derive(Clone, Copy, Debug, Default)]
pub struct Starts {
    /// The longest that a start took which worked.
    took: Option<Duration>,
    /// The starts in a row that took too long.
    late: u32,
}

impl Starts {
    /// How long the next one may take.
    #[must_use]
    pub fn patience(&self) -> Duration {
        match self.took.filter(|_| self.late < BOUNDED) {
            Some(took) => (took * 2).clamp(SHORTEST, LONGEST),
            None => LONGEST,
        }
    }

    /// One has worked, and took so long.
    pub fn worked(&mut self, took: Duration) {
        self.took = self.took.max(Some(took));
        self.late = 0;
    }

    /// One was given up since it took too long.
    pub const fn was_late(&mut self) {
        self.late = self.late.saturating_add(1);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::backoff;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn three_starts_that_are_lost_fit_a_players_patience() {
        let mut starts = Starts::default();
        assert_eq!(starts.patience(), LONGEST, "nothing is known of the source");
        starts.worked(2 * SECOND);
        let mut waited = Duration::ZERO;
        for failure in 1..=3 {
            waited += starts.patience();
            starts.was_late();
            if failure < 3 {
                waited += backoff::after(failure);
            }
        }
        assert!(waited < 28 * SECOND, "{waited:?}");
        assert_eq!(starts.patience(), LONGEST, "the server may have become slow");
        starts.worked(30 * SECOND);
        assert_eq!(starts.patience(), LONGEST);
    }

    #[test]
    fn a_start_may_take_twice_as_long_as_one_that_worked() {
        let mut starts = Starts::default();
        starts.worked(11 * SECOND);
        starts.worked(SECOND);
        assert_eq!(starts.patience(), 22 * SECOND);
    }
}
