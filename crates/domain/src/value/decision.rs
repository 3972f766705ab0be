//! Says why something was decided.

use crate::prediction::ChannelKey;
use crate::value::worth::Worth;

/// What was decided of a channel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It makes room for another one.
    Evict,
    /// It is worth less than its warmth costs.
    TimeOut,
    /// It is started before anybody asks for it, in the place of another one if there is no room.
    StartAhead {
        /// That other channel.
        instead_of: Option<ChannelKey>,
    },
}

impl Verdict {
    /// The one spelling of it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Evict => "evict",
            Self::TimeOut => "time-out",
            Self::StartAhead { .. } => "start-ahead",
        }
    }
}

/// A decision, and what spoke for it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Decision {
    /// What was decided.
    pub verdict: Verdict,
    /// Of which channel.
    pub channel: ChannelKey,
    /// What it is worth.
    pub worth: Worth,
    /// Which channel it would have been otherwise, and what that is worth; `None` if there was no other.
    pub runner_up: Option<(ChannelKey, Worth)>,
    /// What a warm second had to be worth.
    pub price: f64,
}
