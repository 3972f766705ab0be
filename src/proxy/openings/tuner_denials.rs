//! Remembers the channels for which an idle channel was given up in vain, where the number of tuners is unknown.

use std::time::Duration;

use moka::sync::Cache;

use domain::key::ItemId;

/// How long a channel that a freed tuner could not open costs no further idle channel.
const REMEMBERED: Duration = Duration::from_secs(600);
/// The number of channels that are remembered at once.
const CHANNELS: u64 = 1000;

/// The channels that the server refused to open although an idle channel had been given up for them.
#[derive(Debug)]
pub(crate) struct TunerDenialCache(Cache<ItemId, ()>);

impl Default for TunerDenialCache {
    fn default() -> Self {
        Self(Cache::builder().max_capacity(CHANNELS).time_to_live(REMEMBERED).build())
    }
}

impl TunerDenialCache {
    /// Whether `item` was denied a tuner within the last ten minutes.
    #[must_use]
    pub(in crate::proxy) fn contains(&self, item: &ItemId) -> bool {
        self.0.contains_key(item)
    }

    /// Records that `item` was denied a tuner.
    pub(in crate::proxy) fn insert(&self, item: ItemId) {
        self.0.insert(item, ());
    }
}
