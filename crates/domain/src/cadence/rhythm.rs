//! How often one viewer asks, learned from its own requests.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::cadence::laws;

/// The pace of one viewer's requests, learned from the gaps between them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Rhythm {
    /// Nine of ten gaps are shorter than this, in seconds.
    usual: f64,
    /// How many gaps in a row were about a minute, as a hidden tab makes them.
    thin: u8,
    /// How much its player says to have in its buffer, in seconds.
    pub(super) buffer: f64,
}

impl Rhythm {
    /// The viewer has made another request after `gap`.
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

    /// The player has said how much it has in its buffer.
    pub const fn buffered(&mut self, length: Duration) {
        self.buffer = length.as_secs_f64().min(laws::SLOWEST);
    }

    /// Whether it makes a request once a minute, as hidden tabs do.
    #[must_use]
    pub const fn is_thin(&self) -> bool {
        self.thin >= 2
    }

    /// After how many seconds the next request comes at the latest, if all is well.
    #[must_use]
    pub fn expected(&self, target: Duration) -> f64 {
        let own = if self.is_thin() { laws::THIN_RHYTHM } else { self.usual };
        laws::TARGETS * own.max(target.as_secs_f64()) + laws::SLACK
    }
}
