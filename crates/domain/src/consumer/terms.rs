//! What a viewer is judged by that is not its own behaviour: the limits, and the habits of its class.

use std::time::Duration;

use crate::cadence::laws::Rates;

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
