//! How often one viewer asks, learned from its own requests.

use std::time::Duration;

use crate::cadence::laws;

/// How often one viewer asks, learned from its own gaps.
#[derive(Clone, Copy, Debug, Default)]
pub struct Rhythm {
    /// Nine of ten gaps are shorter, in seconds.
    usual: f64,
    /// How many gaps in a row were a hidden tab's.
    thin: u8,
    /// What it says it has in its buffer, in seconds.
    pub(super) buffer: f64,
}

impl Rhythm {
    /// It asked again after `gap`.
    pub fn learn(&mut self, gap: Duration) {
        let gap = gap.as_secs_f64();
        if gap < laws::BURST {
            return;
        }
        self.thin = if laws::THIN.contains(&gap) { self.thin.saturating_add(1) } else { 0 };
        let usual = self.usual.max(laws::BURST);
        let factor = if gap > usual { 1.0 + laws::RISE } else { 1.0 - laws::FALL };
        // A single step never goes beyond the gap that caused it.
        let moved = if gap > usual { (usual * factor).min(gap) } else { (usual * factor).max(gap) };
        self.usual = moved.min(laws::SLOWEST);
    }

    /// It said how much it has in its buffer.
    pub const fn buffered(&mut self, length: Duration) {
        self.buffer = length.as_secs_f64().min(laws::SLOWEST);
    }

    /// Whether it asks once a minute, as hidden tabs do.
    #[must_use]
    pub const fn is_thin(&self) -> bool {
        self.thin >= 2
    }

    /// After how many seconds it asks again at the latest, if all is well.
    #[must_use]
    pub fn expected(&self, target: Duration) -> f64 {
        let own = if self.is_thin() { laws::THIN_RHYTHM } else { self.usual };
        laws::TARGETS * own.max(target.as_secs_f64()) + laws::SLACK
    }
}
