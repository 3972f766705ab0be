//! When a viewer who is off switches on, and to which channel: learned for each hour of the day.

use crate::prediction::fading::FadingCounts;
use crate::prediction::key::ChannelKey;
use crate::time::Timestamp;

const HOURS: usize = 24;
const DAY: f64 = 86_400.0;
/// The half-life of what was first, in seconds, and the most channels of an hour.
const HALF_LIFE: f64 = 14.0 * DAY;
const CHANNELS: usize = 6;
/// What is assumed: so many arrivals an hour, worth so many days (docs/worth.md 2).
const RATE: f64 = 0.1;
const PRIOR_DAYS: f64 = 3.0;

/// A viewer's arrivals.
#[derive(Clone, Debug)]
pub(super) struct Arrivals {
    since: Timestamp,
    by_hour: [(f64, FadingCounts); HOURS],
}

impl Arrivals {
    /// Those of a viewer who is seen for the first time.
    pub(super) fn new(now: Timestamp) -> Self {
        let none = || (0.0, FadingCounts::new(HALF_LIFE, CHANNELS));
        Self { since: now, by_hour: std::array::from_fn(|_| none()) }
    }

    /// The viewer switched on.
    pub(super) fn arrived(&mut self, channel: ChannelKey, hour: u8, now: Timestamp) {
        if let Some((count, channels)) = self.by_hour.get_mut(usize::from(hour)) {
            *count += 1.0;
            channels.add(channel, now);
        }
    }

    /// Arrivals a second at this hour of the day.
    pub(super) fn rate(&self, hour: u8, now: Timestamp) -> f64 {
        let days = now.since(self.since).as_secs_f64() / DAY;
        let count = self.by_hour.get(usize::from(hour)).map_or(0.0, |(count, _)| *count);
        (count + RATE * PRIOR_DAYS) / (days + PRIOR_DAYS) / 3600.0
    }

    /// The share of arrivals at this hour that began with this channel.
    pub(super) fn share(&self, channel: ChannelKey, hour: u8) -> f64 {
        self.by_hour.get(usize::from(hour)).map_or(0.0, |(_, channels)| channels.share(channel))
    }
}
