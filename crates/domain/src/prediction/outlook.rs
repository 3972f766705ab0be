//! Where a viewer goes next, and a few switches later: what the experts say, mixed.

use crate::prediction::expert::{EXPERTS, Expert, PerExpert};
use crate::prediction::key::ChannelKey;
use crate::prediction::order::{ChannelOrder, Direction};

/// How many further switches follow the next one while a viewer looks for something, and within how many seconds.
const FURTHER: f64 = 2.0;
const FURTHER_WITHIN: f64 = 45.0;
/// The channels ahead that are looked at, beside the next one.
pub(super) const LOOK_AHEAD: std::ops::RangeInclusive<usize> = 2..=5;
/// How long a step of a run takes, in seconds: the mean of surfing.
const STEP: f64 = 8.0;

/// A run of steps in one direction.
#[derive(Clone, Copy, Debug)]
pub(super) struct Run {
    pub(super) direction: Direction,
    /// How probably a step goes this way, and how probably a step follows another one.
    pub(super) share: f64,
    pub(super) goes_on: f64,
}

/// What each expert says of each channel of which any expert says something, ordered by channel.
#[derive(Clone, Debug, Default)]
pub(super) struct Shares {
    of: Vec<(ChannelKey, PerExpert)>,
    /// What the last expert says of each other channel.
    elsewhere: f64,
}

impl Shares {
    /// From what each expert says of single channels, in any order.
    pub(super) fn new(mut said: Vec<(ChannelKey, Expert, f64)>, elsewhere: f64) -> Self {
        said.sort_unstable_by_key(|&(channel, _, _)| channel);
        let mut of: Vec<(ChannelKey, PerExpert)> = Vec::new();
        for (channel, expert, share) in said {
            if of.last().is_none_or(|&(last, _)| last != channel) {
                of.push((channel, unknown(elsewhere)));
            }
            if let Some((_, shares)) = of.last_mut()
                && let Some(own) = shares.get_mut(expert.place())
            {
                *own = own.max(share);
            }
        }
        Self { of, elsewhere }
    }

    /// What each expert says of a channel.
    pub(super) fn get(&self, channel: ChannelKey) -> PerExpert {
        let place = self.of.binary_search_by_key(&channel, |&(channel, _)| channel);
        let known = place.ok().and_then(|place| self.of.get(place));
        known.map_or_else(|| unknown(self.elsewhere), |(_, shares)| *shares)
    }
}

/// What the experts say of a channel that only the last one knows.
const fn unknown(elsewhere: f64) -> PerExpert {
    let mut shares = [0.0; EXPERTS];
    shares[Expert::Popular.place()] = elsewhere;
    shares
}

/// How probably a viewer who leaves its channel comes to another one.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Reach {
    /// At its next switch.
    pub(super) next: f64,
    /// Within 5 s, within 15 s, and later; with the switches that follow the next one.
    by: [f64; 3],
}

impl Reach {
    /// From the probabilities that the next switch comes to the channel, that a later one does by whatever is no step, and that a run
    /// comes to it after so many steps.
    fn new(next: f64, later: f64, (ahead, steps): (f64, usize)) -> Self {
        let missed = (1.0 - later).max(1e-9).ln();
        let within = |seconds: f64| {
            let further = FURTHER * (seconds / FURTHER_WITHIN).min(1.0);
            let in_time = (seconds / (STEP * steps as f64)).min(1.0);
            1.0 - (1.0 - next) * (further * missed).exp() * (1.0 - ahead * in_time)
        };
        Self { next, by: [within(5.0), within(15.0), within(FURTHER_WITHIN)] }
    }

    /// Within so many seconds.
    pub(super) fn within(&self, seconds: f64) -> f64 {
        let [soon, later, last] = self.by;
        if seconds <= 5.0 {
            soon
        } else if seconds <= 15.0 {
            later
        } else {
            last
        }
    }
}

/// The outlook of one viewer on one channel.
#[derive(Clone, Debug, Default)]
pub(super) struct Outlook {
    of: Vec<(ChannelKey, Reach)>,
    elsewhere: Reach,
}

impl Outlook {
    /// Mixes what the experts say by these weights. `runs` tell how a viewer steps on from the `current` channel.
    pub(super) fn new(
        shares: &Shares,
        weights: &PerExpert,
        order: &ChannelOrder,
        current: ChannelKey,
        runs: &[Run],
    ) -> Self {
        let [linear, ..] = *weights;
        let mut ahead = Vec::new();
        for run in runs {
            let mut probability = linear * run.share;
            for steps in LOOK_AHEAD {
                probability *= run.goes_on;
                let channel = order.ahead(current, run.direction, steps);
                ahead.extend(channel.map(|channel| (channel, (probability, steps))));
            }
        }
        let reach = |channel: ChannelKey, shares: &PerExpert| {
            let next: f64 = weights.iter().zip(shares).map(|(weight, share)| weight * share).sum();
            let [own, ..] = *shares;
            let ahead = ahead.iter().find(|&&(other, _)| other == channel);
            Reach::new(next, next - linear * own, ahead.map_or((0.0, 1), |&(_, ahead)| ahead))
        };
        let of = shares.of.iter().map(|(channel, shares)| (*channel, reach(*channel, shares)));
        let elsewhere =
            weights.iter().zip(unknown(shares.elsewhere)).map(|(weight, share)| weight * share).sum();
        Self { of: of.collect(), elsewhere: Reach::new(elsewhere, elsewhere, (0.0, 1)) }
    }

    pub(super) fn reach(&self, channel: ChannelKey) -> Reach {
        let place = self.of.binary_search_by_key(&channel, |&(channel, _)| channel);
        place.ok().and_then(|place| self.of.get(place)).map_or(self.elsewhere, |&(_, reach)| reach)
    }

    /// The channels that are the most probable next ones, the first first.
    pub(super) fn likeliest(&self, count: usize) -> Vec<ChannelKey> {
        let mut ranked: Vec<_> = self.of.iter().collect();
        ranked.sort_by(|a, b| b.1.next.total_cmp(&a.1.next));
        ranked.into_iter().take(count).map(|&(channel, _)| channel).collect()
    }
}
