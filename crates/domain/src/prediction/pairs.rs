//! The expert of pairs: which channel followed which (PPM of order 1).

use std::collections::BTreeMap;

use crate::prediction::key::ChannelKey;

/// What is left of a channel's counts at each switch away from it.
const KEPT: f64 = 0.97;
/// The count of the unseen.
const ESCAPE: f64 = 1.0;
/// The largest numbers of channels, and of successors of each.
const CHANNELS: usize = 64;
const SUCCESSORS: usize = 12;

/// The successors of each channel.
#[derive(Clone, Debug, Default)]
pub(super) struct Pairs(BTreeMap<ChannelKey, BTreeMap<ChannelKey, f64>>);

impl Pairs {
    /// A viewer went from one channel to another.
    pub(super) fn followed(&mut self, from: ChannelKey, to: ChannelKey) {
        let successors = self.0.entry(from).or_default();
        successors.values_mut().for_each(|count| *count *= KEPT);
        *successors.entry(to).or_default() += 1.0;
        drop_least(successors, SUCCESSORS, to, |&count| count);
        drop_least(&mut self.0, CHANNELS, from, |successors| successors.values().sum());
    }

    /// The channels that followed this one, with their probabilities; less than 1 in sum.
    pub(super) fn successors(&self, of: ChannelKey) -> impl Iterator<Item = (ChannelKey, f64)> {
        let successors = self.0.get(&of).into_iter().flatten();
        let sum: f64 = ESCAPE + successors.clone().map(|(_, count)| count).sum::<f64>();
        successors.map(move |(&channel, count)| (channel, count / sum))
    }
}

/// Drops the entry of the least weight beside `newest`, if there are more than `bound`.
fn drop_least<T>(
    of: &mut BTreeMap<ChannelKey, T>,
    bound: usize,
    newest: ChannelKey,
    weight: impl Fn(&T) -> f64,
) {
    if of.len() <= bound {
        return;
    }
    let others = of.iter().filter(|&(&channel, _)| channel != newest);
    let least = others.min_by(|a, b| weight(a.1).total_cmp(&weight(b.1))).map(|(&channel, _)| channel);
    least.map(|channel| of.remove(&channel));
}
