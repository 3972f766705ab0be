//! Who does what in a household, and when: by chance alone, whatever comes of it.

use crate::simulate::chance::Chance;

/// How a viewer leaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Leave {
    /// It says that it stops.
    Told,
    /// It opens the next channel without a word.
    Zaps,
    /// It falls silent, for this many milliseconds, and comes back to another channel.
    Silent(u64),
    /// It falls silent, for this many milliseconds, and goes on with the same channel.
    Pauses(u64),
}

/// The channels.
pub(super) const CHANNELS: usize = 12;
/// The devices.
pub(super) const DEVICES: u8 = 3;

const HOUR: f64 = 3_600_000.0;

/// Draws what happens.
#[derive(Debug)]
pub(super) struct House(Chance);

impl House {
    pub(super) const fn new(seed: u64) -> Self {
        Self(Chance::of(seed))
    }

    /// The channel that a viewer chooses: favourites more often.
    pub(super) fn channel(&mut self) -> u8 {
        let skewed = self.0.even() * self.0.even();
        u8::try_from((skewed * 12.0) as usize % CHANNELS).unwrap_or_default()
    }

    /// How long a viewer stays on a channel: mostly it zaps on, sometimes it watches.
    pub(super) fn stay(&mut self) -> u64 {
        let mean = if self.0.happens(0.7) { 6_000.0 } else { 20.0 * 60_000.0 };
        millis(self.0.exponential(mean).max(500.0))
    }

    /// How long the server takes to open a channel that is not open.
    pub(super) fn opening(&mut self) -> u64 {
        millis(self.0.exponential(1_500.0).clamp(200.0, 5_000.0))
    }

    /// After which part of the opening a viewer zaps on, if it does not wait for it.
    pub(super) fn gives_up(&mut self) -> Option<f64> {
        self.0.happens(0.15).then(|| self.0.even())
    }

    pub(super) fn leaves(&mut self) -> Leave {
        let drawn = self.0.even();
        if drawn < 0.45 {
            Leave::Told
        } else if drawn < 0.85 {
            Leave::Zaps
        } else if drawn < 0.95 {
            Leave::Silent(millis(self.0.exponential(10.0 * 60_000.0)))
        } else {
            Leave::Pauses(millis(self.0.exponential(2.0 * 60_000.0)))
        }
    }

    /// How long nobody uses the device after a stay.
    pub(super) fn rest(&mut self) -> u64 {
        if self.0.happens(0.05) { millis(self.0.exponential(2.0 * HOUR)) } else { 0 }
    }

    /// From one recording's start to the next, and how long it takes.
    pub(super) fn recording(&mut self) -> (u64, u64) {
        (millis(self.0.exponential(2.0 * HOUR)), millis(self.0.exponential(HOUR).max(60_000.0)))
    }
}

fn millis(of: f64) -> u64 {
    of as u64
}
