//! How dear a warm channel is held to be: one preset, of which all follows.

use std::fmt;
use std::str::FromStr;

/// From sparing to lavish.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Thrift {
    /// A channel stays warm for as long as somebody is likely to come back at once.
    Thrift,
    /// Hardly fewer warm hits than the next, for half of its idle time.
    #[default]
    Balanced,
    /// A channel stays warm while there is some chance that somebody comes.
    Generous,
    /// A channel stays warm until another one needs its place.
    Full,
}

/// The text is no preset's name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("thrift, balanced, generous or full")]
pub struct NoThrift;

impl Thrift {
    /// Every preset.
    pub const ALL: [Self; 4] = [Self::Thrift, Self::Balanced, Self::Generous, Self::Full];

    /// The one spelling of it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Thrift => "thrift",
            Self::Balanced => "balanced",
            Self::Generous => "generous",
            Self::Full => "full",
        }
    }

    /// The seconds of waiting that a warm second must be expected to save (θ in docs/worth.md 3).
    #[must_use]
    pub const fn price(self) -> f64 {
        match self {
            Self::Thrift => 0.002,
            Self::Balanced => 0.0012,
            Self::Generous => 0.0002,
            Self::Full => 0.0,
        }
    }

    /// The seconds of waiting that a start ahead must be expected to save before it is worth anything (κ in docs/worth.md 3).
    #[must_use]
    pub const fn start_price(self) -> f64 {
        match self {
            Self::Thrift => 0.5,
            Self::Balanced | Self::Generous | Self::Full => 0.2,
        }
    }
}

impl fmt::Display for Thrift {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Thrift {
    type Err = NoThrift;

    fn from_str(text: &str) -> Result<Self, NoThrift> {
        Self::ALL.into_iter().find(|thrift| thrift.as_str() == text).ok_or(NoThrift)
    }
}
