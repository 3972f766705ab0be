//! Makes up what an audience does.

use crate::simulate::chance::Chance;
use crate::simulate::zapping::audience::{Audience, Zap};
use crate::simulate::zapping::habits::Habits;
use crate::simulate::zapping::person::Person;
use crate::simulate::zapping::popularity::Popularity;

const DAY: f64 = 86_400.0;

/// All that the audience does, in the order of time. The same audience does the same.
#[must_use]
pub fn generate(audience: &Audience) -> Vec<Zap> {
    let mut chance = Chance::of(audience.seed);
    let popularity = Popularity::new(audience.channels, &mut chance);
    // Spread evenly, so that few viewers contain the workload's share of those who choose from a list, as nearly as they can.
    let (share, phase) = (audience.workload.guide_share(), chance.even());
    let guides = |count: u32| (f64::from(count) * share + phase).floor();
    let mut zaps = Vec::new();
    for number in 0..audience.viewers {
        let mut chance =
            Chance::of(audience.seed.wrapping_mul(1_000_003).wrapping_add(u64::from(number) + 1));
        let habits = Habits::new(audience.channels, &popularity, &mut chance);
        let by_guide = guides(number + 1) > guides(number);
        let channels = audience.channels;
        let person = Person { number, by_guide, channels, popularity: &popularity, habits, chance };
        zaps.extend(person.live(f64::from(audience.days) * DAY));
    }
    zaps.sort_unstable();
    zaps
}
