//! Counts channels, and forgets old counts by and by.

use std::collections::BTreeMap;

use crate::prediction::key::ChannelKey;
use crate::time::Timestamp;

/// Counts of channels, each of which halves after a span. Beyond a bound, the smallest count is dropped.
#[derive(Clone, Debug)]
pub(super) struct FadingCounts {
    /// The span after which a count is half, in seconds.
    half_life: f64,
    /// The largest number of channels.
    bound: usize,
    counts: BTreeMap<ChannelKey, f64>,
    sum: f64,
    faded_at: Timestamp,
}

impl FadingCounts {
    pub(super) const fn new(half_life: f64, bound: usize) -> Self {
        Self { half_life, bound, counts: BTreeMap::new(), sum: 0.0, faded_at: Timestamp::from_millis(0) }
    }

    /// Counts a channel once more.
    pub(super) fn add(&mut self, channel: ChannelKey, now: Timestamp) {
        let kept = (-now.since(self.faded_at).as_secs_f64() / self.half_life).exp2();
        self.faded_at = self.faded_at.max(now);
        self.counts.values_mut().for_each(|count| *count *= kept);
        *self.counts.entry(channel).or_default() += 1.0;
        if self.counts.len() > self.bound {
            let others = self.counts.iter().filter(|&(&other, _)| other != channel);
            let least = others.min_by(|a, b| a.1.total_cmp(b.1)).map(|(&channel, _)| channel);
            least.map(|channel| self.counts.remove(&channel));
        }
        self.sum = self.counts.values().sum();
    }

    /// The share of a channel; 0 where nothing was counted.
    pub(super) fn share(&self, channel: ChannelKey) -> f64 {
        let count = self.counts.get(&channel).copied().unwrap_or_default();
        if self.sum > 0.0 { count / self.sum } else { 0.0 }
    }

    /// The shares of the channels other than `current`, of which 1 is the sum; none where no other was counted.
    pub(super) fn others(&self, current: ChannelKey) -> impl Iterator<Item = (ChannelKey, f64)> {
        let sum = self.sum - self.counts.get(&current).copied().unwrap_or_default();
        let others = self.counts.iter().filter(move |&(&channel, _)| channel != current && sum > 1e-9);
        others.map(move |(&channel, count)| (channel, count / sum))
    }

    /// The number of channels that are counted.
    pub(super) fn len(&self) -> usize {
        self.counts.len()
    }
}
