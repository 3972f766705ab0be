//! A viewer's connections: a player that ends closes all of them at once, as one that was killed does (`fixtures/cadence`).
//!
//! What that is worth depends on whether it keeps connections at all, which it shows; that it came back takes from it.

use std::time::Duration;

use crate::cadence::laws::{CONNECTION_CLOSED, CONNECTION_CLOSED_KEPT};
use crate::time::Timestamp;

/// What is known of them.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Links {
    open: u32,
    closed_at: Timestamp,
    /// Whether it has asked again over one of them.
    kept: bool,
    /// How often it came back after it had closed all of them.
    returned: u8,
}

impl Links {
    pub(super) const fn opened(&mut self) {
        self.open += 1;
    }

    pub(super) const fn kept(&mut self) {
        self.kept = true;
    }

    /// One was closed; says whether it was the last.
    pub(super) const fn closed(&mut self, now: Timestamp) -> bool {
        self.open = self.open.saturating_sub(1);
        self.closed_at = now;
        self.open == 0
    }

    pub(super) const fn returned(&mut self) {
        self.returned = self.returned.saturating_add(1);
    }

    /// How long that must be given to mean something: who gives up connections that failed it comes back over others, and
    /// its closing may arrive first.
    pub(super) const fn least(&self, seen: Timestamp, target: Duration) -> Duration {
        self.closed_at.since(seen).saturating_add(target)
    }

    /// By how much it multiplies the odds of having left that all of them were closed.
    pub(super) const fn odds(&self) -> f64 {
        match (self.returned, self.kept) {
            (0, true) => CONNECTION_CLOSED_KEPT,
            (0, false) | (1, true) => CONNECTION_CLOSED,
            (1, false) | (2.., _) => 1.0,
        }
    }
}
