//! The section about the server's tuners, used as written, with its defaults.

use serde::Deserialize;

use crate::config::scalar::{self, Scalar};
use domain::tuners::Reserve;

/// How many tuners the server has, and who gets them.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields, expecting = "a section with keys of its own")]
pub struct Tuners {
    /// The number of tuners; the server's own number counts if it is smaller. At least 1.
    #[serde(deserialize_with = "scalar::some")]
    pub limit: Option<u32>,
    /// How many of them stay free of what nobody watches.
    #[serde(deserialize_with = "scalar::one")]
    pub reserve: Reserve,
    /// What a client is answered for which all tuners are taken.
    #[serde(deserialize_with = "scalar::one")]
    pub refusal: Refusal,
}

/// What a client is answered for which all tuners are taken.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Refusal {
    /// That a limit is reached, if it is one that shows this.
    #[default]
    Explain,
    /// What the server says.
    AsUpstream,
}

impl Refusal {
    /// Its spelling in the configuration.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Explain => "explain",
            Self::AsUpstream => "as-upstream",
        }
    }
}

impl Scalar for Refusal {
    fn read(text: &str) -> Result<Self, String> {
        scalar::named(&[Self::Explain, Self::AsUpstream], Self::as_str, text)
    }
}

impl Scalar for Reserve {
    fn read(text: &str) -> Result<Self, String> {
        match text {
            "auto" => Ok(Self::Auto),
            number => match number.parse() {
                Ok(count) => Ok(Self::Fixed(count)),
                Err(_) => Err(format!("{number:?}: write auto or a whole number")),
            },
        }
    }
}
