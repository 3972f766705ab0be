//! The experts of recency: how many channels ago a viewer was on the one that it returns to.

use crate::prediction::key::ChannelKey;

/// How many channels are remembered beside the current one.
const DEPTH: usize = 7;
/// How often each of them is returned to, as assumed: the nth is as likely as 1/n; and how many returns that is worth.
const PRIOR: f64 = 8.0;
/// Returns are forgotten so that no more than this many count.
const REMEMBERED: f64 = 200.0;

/// Channels that a viewer was on, the last one first.
#[derive(Clone, Debug)]
pub(super) struct Recency {
    channels: Vec<ChannelKey>,
    returns: [f64; DEPTH],
}

impl Default for Recency {
    fn default() -> Self {
        let harmonic = |place: usize| 1.0 / (place + 1) as f64;
        let sum: f64 = (0..DEPTH).map(harmonic).sum();
        Self { channels: Vec::new(), returns: std::array::from_fn(|place| PRIOR * harmonic(place) / sum) }
    }
}

impl Recency {
    /// The viewer went from one channel to another, to which it has perhaps returned.
    pub(super) fn went(&mut self, from: ChannelKey, to: ChannelKey) {
        let place = self.others(from).position(|channel| channel == to);
        if let Some(count) = place.and_then(|place| self.returns.get_mut(place)) {
            *count += 1.0;
            let kept = (REMEMBERED / self.returns.iter().sum::<f64>()).min(1.0);
            self.returns.iter_mut().for_each(|count| *count *= kept);
        }
    }

    /// The viewer was on this channel last.
    pub(super) fn was_on(&mut self, channel: ChannelKey) {
        self.channels.retain(|&other| other != channel);
        self.channels.insert(0, channel);
        self.channels.truncate(DEPTH + 1);
    }

    /// The channels other than `current`, with the probabilities of a return; 1 in sum.
    pub(super) fn returns(&self, current: ChannelKey) -> impl Iterator<Item = (ChannelKey, f64)> {
        let known = move || self.others(current).zip(&self.returns);
        let sum: f64 = known().map(|(_, count)| count).sum();
        known().map(move |(channel, count)| (channel, count / sum))
    }

    fn others(&self, current: ChannelKey) -> impl Iterator<Item = ChannelKey> {
        self.channels.iter().copied().filter(move |&channel| channel != current)
    }
}
