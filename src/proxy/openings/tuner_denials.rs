//! Remembers the channels for which giving up idle streams has not freed a usable tuner.

use std::time::Duration;

use moka::sync::Cache;

use domain::key::ItemId;

/// How long a channel that no freed tuner could open costs no further idle stream.
const REMEMBERED: Duration = Duration::from_secs(60);
/// The number of channels that are remembered at once.
const CHANNELS: u64 = 1000;

/// The channels that the server refused to open although idle streams had been given up for them.
#[derive(Debug)]
pub(crate) struct TunerDenialCache(Cache<ItemId, ()>);

impl Default for TunerDenialCache {
    fn default() -> Self {
        Self(Cache::builder().max_capacity(CHANNELS).time_to_live(REMEMBERED).build())
    }
}

impl TunerDenialCache {
    /// Whether `item` was denied a tuner within the last minute.
    #[must_use]
    pub(in crate::proxy) fn contains(&self, item: &ItemId) -> bool {
        self.0.contains_key(item)
    }

    /// Records that `item` was denied a tuner.
    pub(in crate::proxy) fn insert(&self, item: ItemId) {
        self.0.insert(item, ());
    }
}
