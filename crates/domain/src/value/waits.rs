//! How long viewers wait for a channel that is not warm, as measured.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::prediction::ChannelKey;

/// The weight of a channel's newest wait, and of the newest of all channels.
const NEWEST: f64 = 0.3;
const NEWEST_OF_ALL: f64 = 0.05;
/// What is assumed before anything was measured, in seconds.
const ASSUMED: f64 = 5.0;
/// How long viewers wait for a warm channel, in seconds: no warmth saves that.
const WARM: f64 = 0.35;
/// The most channels; beyond it, the one with the lowest key is forgotten.
const CHANNELS: usize = 1024;

/// The cold waits of channels, as exponentially weighted means.
#[derive(Clone, Debug)]
pub struct ColdWaits {
    by_channel: BTreeMap<ChannelKey, f64>,
    of_all: f64,
}

impl Default for ColdWaits {
    fn default() -> Self {
        Self { by_channel: BTreeMap::new(), of_all: ASSUMED }
    }
}

impl ColdWaits {
    /// A channel was started, and ready after so long.
    pub fn measured(&mut self, channel: ChannelKey, wait: Duration) {
        let wait = wait.as_secs_f64();
        self.of_all += NEWEST_OF_ALL * (wait - self.of_all);
        let mean = self.by_channel.entry(channel).or_insert(wait);
        *mean += NEWEST * (wait - *mean);
        self.forget_beyond_bound();
    }

    /// Viewers of a channel have waited for so long on average, as was measured before.
    pub fn recall(&mut self, channel: ChannelKey, wait: Duration) {
        let wait = wait.as_secs_f64();
        self.of_all += NEWEST_OF_ALL * (wait - self.of_all);
        self.by_channel.insert(channel, wait);
        self.forget_beyond_bound();
    }

    /// How long viewers wait for a channel, if that was measured.
    #[must_use]
    pub fn of(&self, channel: ChannelKey) -> Option<Duration> {
        self.by_channel.get(&channel).and_then(|&wait| Duration::try_from_secs_f64(wait).ok())
    }

    /// The seconds of waiting that a viewer of this channel is spared if it is warm.
    #[must_use]
    pub fn spared(&self, channel: ChannelKey) -> f64 {
        (self.by_channel.get(&channel).copied().unwrap_or(self.of_all) - WARM).max(0.0)
    }

    fn forget_beyond_bound(&mut self) {
        if self.by_channel.len() > CHANNELS {
            self.by_channel.pop_first();
        }
    }
}
