//! A viewer's connections: a player that ends or is killed closes all of them at once (`fixtures/cadence`).
//!
//! How much that tells depends on whether the player keeps connections between requests at all, and on whether it has come
//! back before after it had closed all of them.

use std::time::Duration;

use crate::cadence::laws::{CONNECTION_CLOSED, CONNECTION_CLOSED_KEPT};
use crate::time::Timestamp;

/// See the module.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Connections {
    open: u32,
    closed_at: Timestamp,
    /// Whether it has asked again over one of them.
    kept: bool,
    /// How often it came back after it had closed all of them.
    returned: u8,
}

impl Connections {
    pub(super) const fn opened(&mut self) {
        self.open += 1;
    }

    pub(super) const fn kept(&mut self) {
        self.kept = true;
    }

    /// A connection was closed. Returns whether it was the last one.
    pub(super) const fn closed(&mut self, now: Timestamp) -> bool {
        self.open = self.open.saturating_sub(1);
        self.closed_at = now;
        self.open == 0
    }

    pub(super) const fn returned(&mut self) {
        self.returned = self.returned.saturating_add(1);
    }

    /// The least silence after which closed connections mean something: a player that gives up connections that failed comes
    /// back over others, and their end may arrive first.
    pub(super) const fn least(&self, seen: Timestamp, target: Duration) -> Duration {
        self.closed_at.since(seen).saturating_add(target)
    }

    /// The factor by which the end of all connections multiplies the odds of having left.
    pub(super) const fn odds(&self) -> f64 {
        match (self.returned, self.kept) {
            (0, true) => CONNECTION_CLOSED_KEPT,
            (0, false) | (1, true) => CONNECTION_CLOSED,
            (1, false) | (2.., _) => 1.0,
        }
    }
}
