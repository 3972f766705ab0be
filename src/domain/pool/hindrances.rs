//! What the gateway has tried to make itself, and could not: for a while it is adopted without another try, so that its
//! viewers do not wait in vain each time they come back.
//!
//! It does not know what stood in the way.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::domain::key::StreamKey;
use crate::domain::time::Timestamp;

/// A source may change, and a machine may have been busy.
const FOR: Duration = Duration::from_secs(30 * 60);
/// So many are remembered, the latest.
const AT_MOST: usize = 1024;

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Hindrances(BTreeMap<StreamKey, Timestamp>);

impl Hindrances {
    /// This could not be made.
    pub(super) fn note(&mut self, key: StreamKey, now: Timestamp) {
        self.0.insert(key, now + FOR);
        if self.0.len() > AT_MOST
            && let Some(first) = self.0.iter().min_by_key(|(_, until)| **until).map(|(key, _)| key.clone())
        {
            self.0.remove(&first);
        }
    }

    /// Whether it is better not tried again yet.
    pub(super) fn stand(&self, key: &StreamKey, now: Timestamp) -> bool {
        self.0.get(key).is_some_and(|until| *until > now)
    }
}
