//! How popular the channels of a made-up line-up are, and where in it the popular ones stand (docs/worth.md 1).

use crate::simulate::chance::Chance;

/// Zipf's exponent for the head of the ranks.
const ZIPF: f64 = 1.15;
/// The share of the ranks that are the head.
const HEAD: f64 = 0.3;
/// By how many powers of e the tail falls.
const TAIL_FOLDS: f64 = 3.0;
/// By which share of the line-up a channel may stand elsewhere than its rank says, as the half-width of an even law.
const SHUFFLED: f64 = 0.35;

/// Draws channels by their popularity.
#[derive(Clone, Debug)]
pub(super) struct Popularity {
    /// The weights of the channels so far, by their place in the line-up.
    cumulated: Vec<f64>,
}

impl Popularity {
    /// A line-up of so many channels.
    pub(super) fn new(channels: u32, chance: &mut Chance) -> Self {
        let count = f64::from(channels);
        let head = (HEAD * count).max(1.0);
        let weight = |rank: f64| {
            let tail = (rank - head).max(0.0) / (count - head).max(1.0);
            rank.min(head).powf(-ZIPF) * (-TAIL_FOLDS * tail).exp()
        };
        let placed = (1..=channels).map(f64::from).map(|rank| {
            let shift = (2.0 * chance.even() - 1.0) * SHUFFLED * count;
            (rank + shift, weight(rank))
        });
        let mut placed: Vec<_> = placed.collect();
        placed.sort_by(|a, b| a.0.total_cmp(&b.0));
        let mut sum = 0.0;
        let cumulated = placed.into_iter().map(|(_, weight)| {
            sum += weight;
            sum
        });
        Self { cumulated: cumulated.collect() }
    }

    /// Draws a channel.
    pub(super) fn draw(&self, chance: &mut Chance) -> u32 {
        let drawn = chance.even() * self.cumulated.last().copied().unwrap_or_default();
        let place = self.cumulated.partition_point(|&sum| sum <= drawn);
        u32::try_from(place).unwrap_or_default()
    }
}
