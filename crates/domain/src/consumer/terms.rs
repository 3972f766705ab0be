//! What a viewer is judged by that is not its own behaviour: the limits, and the habits of its class.

use std::time::Duration;

use crate::cadence::laws::Rates;

/// For this many target durations after a zap, requests of the old playback are taken for those that were already under
/// way (docs/presence.md 4).
const STRAGGLES: u32 = 2;
/// The target duration of a stream that has none yet: Jellyfin's. A request for its first list is under way until that is there.
const USUAL_TARGET: Duration = Duration::from_secs(3);

/// What a viewer is judged by, beside its own behaviour.
#[derive(Clone, Copy, Debug)]
pub struct Terms {
    /// The stream's target duration, once it is known.
    pub target: Option<Duration>,
    /// How long a viewer may wait for a first segment.
    pub cold_timeout: Duration,
    /// The least silence that means that it left.
    pub silence: Duration,
    /// The most silence that does not.
    pub patience: Duration,
    /// What is left to it after a goodbye.
    pub goodbye: Duration,
    /// The habits of its class.
    pub rates: Rates,
}

impl Terms {
    /// How long after a zap requests of the old playback may be under way.
    #[must_use]
    pub fn straggles(&self) -> Duration {
        straggles(self.target)
    }
}

/// How long after a zap requests of the old playback may be under way, of a stream with this target duration, if it has one yet.
#[must_use]
pub fn straggles(target: Option<Duration>) -> Duration {
    target.unwrap_or(USUAL_TARGET) * STRAGGLES
}
