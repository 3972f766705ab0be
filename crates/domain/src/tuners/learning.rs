//! Learns how many channels a tuner host can have open at once, where nobody says so.
//!
//! ```text
//! open for ten minutes without harm ─► proven: one more may be tried
//! one more did harm ─────────────────► ceiling: never tried again by what nobody watches
//! viewers needed more than the ceiling, for ten minutes without harm ─► the ceiling was none
//! ```
//!
//! Harm is another channel's end when one is opened, or a refusal that ended when a channel was given up for it.

use std::time::Duration;

use crate::time::Timestamp;

/// For how long channels have to be open together before their number counts as harmless.
const PROOF: Duration = Duration::from_secs(600);

/// What has been learned about a tuner host.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Learned {
    /// The most channels that were open at once without harm.
    pub proven: u32,
    /// The most that can be open at once, if one more did harm.
    pub ceiling: Option<u32>,
}

impl Learned {
    /// How many channels may be open at once where `needed` are needed: one more than is proven or needed, up to the ceiling.
    #[must_use]
    pub fn limit(self, needed: u32) -> u32 {
        let next = self.proven.max(needed).saturating_add(1);
        self.ceiling.map_or(next, |ceiling| ceiling.min(next))
    }
}

/// See the module.
#[derive(Clone, Debug, Default)]
pub(super) struct Learning {
    learned: Learned,
    /// Since when one channel has been open, two, three ….
    levels: Vec<Timestamp>,
}

impl Learning {
    pub(super) const fn new(learned: Learned) -> Self {
        Self { learned, levels: Vec::new() }
    }

    pub(super) const fn learned(&self) -> Learned {
        self.learned
    }

    /// So many channels are open.
    pub(super) fn observe(&mut self, open: usize, now: Timestamp) {
        self.levels.resize(open, now);
        let proven = self.levels.partition_point(|since| *since + PROOF <= now);
        let proven = u32::try_from(proven).unwrap_or(u32::MAX);
        self.learned.proven = self.learned.proven.max(proven);
        self.learned.ceiling = self.learned.ceiling.filter(|ceiling| *ceiling >= proven);
    }

    /// More than `allowed` channels did harm.
    pub(super) fn harmed(&mut self, allowed: u32, now: Timestamp) {
        let allowed = allowed.max(1).min(self.learned.ceiling.unwrap_or(u32::MAX));
        self.learned.ceiling = Some(allowed);
        self.learned.proven = self.learned.proven.min(allowed);
        self.levels.fill(now);
    }

    /// When one more channel will be proven harmless, if nothing changes.
    pub(super) fn deadline(&self) -> Option<Timestamp> {
        self.levels.get(self.learned.proven as usize).map(|since| *since + PROOF)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: u64) -> Timestamp {
        Timestamp::from_millis(seconds * 1000)
    }

    #[test]
    fn one_more_is_allowed_after_ten_minutes_each() {
        let mut learning = Learning::default();
        assert_eq!((learning.learned().limit(0), learning.learned().limit(2)), (1, 3), "one for nobody");
        for (minute, limit) in [(0, 2), (10, 3), (20, 4), (30, 5)] {
            learning.observe(limit as usize, at(minute * 60));
            learning.observe(limit as usize, at(minute * 60 + 599));
            assert_eq!(learning.learned().limit(1), limit, "{minute}");
            assert_eq!(learning.deadline(), Some(at(minute * 60 + 600)));
            learning.observe(limit as usize, at(minute * 60 + 600));
            assert_eq!(learning.learned(), Learned { proven: limit, ceiling: None });
        }
        assert_eq!(learning.deadline(), None);
    }

    #[test]
    fn a_gap_begins_the_ten_minutes_anew() {
        let mut learning = Learning::default();
        learning.observe(2, at(0));
        learning.observe(1, at(500));
        learning.observe(2, at(501));
        learning.observe(2, at(700));
        assert_eq!(learning.learned().proven, 1);
        learning.observe(2, at(1101));
        assert_eq!(learning.learned().proven, 2);
    }

    #[test]
    fn what_did_harm_is_never_tried_again_unless_viewers_disprove_it() {
        let mut learning = Learning::new(Learned { proven: 2, ceiling: None });
        learning.observe(3, at(0));
        learning.harmed(2, at(1));
        assert_eq!(learning.learned(), Learned { proven: 2, ceiling: Some(2) });
        learning.observe(2, at(10));
        learning.observe(2, at(10_000));
        assert_eq!((learning.learned().limit(0), learning.learned().limit(5)), (2, 2));
        learning.observe(3, at(10_001));
        learning.observe(3, at(10_601));
        assert_eq!(learning.learned(), Learned { proven: 3, ceiling: None });
    }

    #[test]
    fn harm_counts_even_below_what_was_proven() {
        let mut learning = Learning::new(Learned { proven: 4, ceiling: None });
        learning.harmed(1, at(0));
        assert_eq!(learning.learned(), Learned { proven: 1, ceiling: Some(1) });
        learning.harmed(0, at(0));
        assert_eq!(learning.learned().limit(0), 1, "a host without any tuner is none");
    }
}
