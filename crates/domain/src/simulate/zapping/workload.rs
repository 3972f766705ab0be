//! How the viewers of a made-up household change channels.

use std::fmt;
use std::str::FromStr;

/// The share of viewers who choose from a list, and rarely use the keys for the next channel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Workload {
    /// None of them: a set-top box with a remote control.
    Stb,
    /// A third of them.
    Mixed,
    /// All of them.
    Guide,
}

/// The text is no workload's name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("stb, mixed or guide")]
pub struct NoWorkload;

impl Workload {
    /// Every workload.
    pub const ALL: [Self; 3] = [Self::Stb, Self::Mixed, Self::Guide];

    /// The one spelling of it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Stb => "stb",
            Self::Mixed => "mixed",
            Self::Guide => "guide",
        }
    }

    /// The share of viewers who choose from a list.
    pub(super) const fn guide_share(self) -> f64 {
        match self {
            Self::Stb => 0.0,
            Self::Mixed => 0.35,
            Self::Guide => 1.0,
        }
    }
}

impl fmt::Display for Workload {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Workload {
    type Err = NoWorkload;

    fn from_str(text: &str) -> Result<Self, NoWorkload> {
        Self::ALL.into_iter().find(|workload| workload.as_str() == text).ok_or(NoWorkload)
    }
}
