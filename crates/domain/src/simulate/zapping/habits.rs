//! What one made-up viewer likes: its favourites, and what it watches at which hour (docs/worth.md 1).

use crate::simulate::chance::Chance;
use crate::simulate::zapping::popularity::Popularity;

/// The number of favourites.
const FAVOURITES: usize = 12;
/// The weight of the favourite at place n, from 1, is n to the power of minus this: as the head of the popularity.
const PREFERENCE: f64 = 1.15;
/// How a session begins: with the habit of the hour, with what was watched last, or else with a favourite.
const BEGINS_BY_HABIT: f64 = 0.4;
const BEGINS_WITH_LAST: f64 = 0.25;

/// One viewer's likings.
#[derive(Clone, Debug)]
pub(super) struct Habits {
    favourites: Vec<u32>,
    by_hour: Vec<u32>,
}

impl Habits {
    pub(super) fn new(channels: u32, popularity: &Popularity, chance: &mut Chance) -> Self {
        let wanted = FAVOURITES.min(usize::try_from(channels).unwrap_or(FAVOURITES));
        let mut favourites = Vec::new();
        while favourites.len() < wanted {
            let drawn = popularity.draw(chance);
            if !favourites.contains(&drawn) {
                favourites.push(drawn);
            }
        }
        let mut habits = Self { favourites, by_hour: Vec::new() };
        habits.by_hour = (0..24).map(|_| habits.favourite(chance)).collect();
        habits
    }

    /// Draws a favourite.
    pub(super) fn favourite(&self, chance: &mut Chance) -> u32 {
        let weights = || (1..=self.favourites.len()).map(|place| (place as f64).powf(-PREFERENCE));
        let mut drawn = chance.even() * weights().sum::<f64>();
        for (&favourite, weight) in self.favourites.iter().zip(weights()) {
            drawn -= weight;
            if drawn <= 0.0 {
                return favourite;
            }
        }
        self.favourites.last().copied().unwrap_or_default()
    }

    pub(super) fn is_favourite(&self, channel: u32) -> bool {
        self.favourites.contains(&channel)
    }

    /// The first channel of a session at this hour, after this channel was viewed last.
    pub(super) fn first(&self, hour: u8, last: Option<u32>, chance: &mut Chance) -> u32 {
        let drawn = chance.even();
        let habit = self.by_hour.get(usize::from(hour)).copied();
        match (habit, last) {
            (Some(habit), _) if drawn < BEGINS_BY_HABIT => habit,
            (_, Some(last)) if drawn < BEGINS_BY_HABIT + BEGINS_WITH_LAST => last,
            (None | Some(_), None | Some(_)) => self.favourite(chance),
        }
    }
}
