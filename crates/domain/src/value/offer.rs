//! What may be kept or started: a channel, how far it is, and what its warmth costs.

use crate::prediction::ChannelKey;
use crate::time::Timestamp;

/// How far a channel is from being shown at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Readiness {
    /// It is warm.
    Ready,
    /// It was started at this moment, and is not warm yet.
    Starting(Timestamp),
    /// It is not started.
    NotStarted,
}

/// A channel that may be warm for nobody.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Offer {
    /// The channel.
    pub channel: ChannelKey,
    /// How far it is.
    pub readiness: Readiness,
    /// What a second of its warmth takes of the scarcest resources; 1 is one tuner or connection (ρ in docs/worth.md 3).
    pub price: f64,
}
