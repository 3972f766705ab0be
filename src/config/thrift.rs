//! `pool.thrift`: by which rule channels stay warm that nobody watches.

use crate::config::scalar::{self, Scalar};
use domain::value::Thrift;

/// The rule.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ThriftChoice {
    /// What a channel is worth decides, by this preset.
    Reckoned(Thrift),
    /// Each is kept for its time, and the one left longest ago goes first.
    Lru,
}

impl ThriftChoice {
    const ALL: [Self; 5] = [
        Self::Reckoned(Thrift::Thrift),
        Self::Reckoned(Thrift::Balanced),
        Self::Reckoned(Thrift::Generous),
        Self::Reckoned(Thrift::Full),
        Self::Lru,
    ];

    /// The one spelling of it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Reckoned(thrift) => thrift.as_str(),
            Self::Lru => "lru",
        }
    }

    /// The preset, where one decides.
    #[must_use]
    pub const fn reckoned(self) -> Option<Thrift> {
        match self {
            Self::Reckoned(thrift) => Some(thrift),
            Self::Lru => None,
        }
    }
}

impl Default for ThriftChoice {
    fn default() -> Self {
        Self::Reckoned(Thrift::default())
    }
}

impl Scalar for ThriftChoice {
    fn read(text: &str) -> Result<Self, String> {
        scalar::named(&Self::ALL, Self::as_str, text)
    }
}
