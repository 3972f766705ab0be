//! Counts the live playlists that were passed on to the server, and the wishes that were ignored, by reason.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

/// One counter per reason, under the reason's one spelling.
#[derive(Debug, Default)]
pub(super) struct MissCounters(Mutex<BTreeMap<&'static str, u64>>);

impl MissCounters {
    /// Counts one more for `reason`, and returns how many there have been.
    pub(super) fn count(&self, reason: &'static str) -> u64 {
        let mut counters = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let counter = counters.entry(reason).or_default();
        *counter += 1;
        *counter
    }
}
