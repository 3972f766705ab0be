//! The rules that are compared.

use std::fmt;
use std::str::FromStr;

use crate::value::Thrift;

/// By which rule channels are kept warm, and started ahead.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Policy {
    /// A channel stops when its last viewer leaves.
    None,
    /// It stays for so many seconds; the one left longest ago makes room.
    Lru(u32),
    /// It stays; the one left longest ago makes room.
    LruFull,
    /// It stays; the one tuned to least often makes room.
    LfuFull,
    /// It stays; the one makes room that was tuned to least often for what it costs to start (GreedyDual-Size with frequency, Cherkasova 1998).
    GdsfFull,
    /// The rule of the gateway that came before: its viewer's share and a minute's age weigh alike, ten minutes at most, and what mostly
    /// followed is started ahead.
    Predecessor,
    /// Both neighbours are started at each switch and kept for a minute, beside `LruFull` (Ramos 2011).
    Neighbours,
    /// It stays; the one makes room that is wanted last. Nothing is started ahead (Belady's MIN).
    Min,
    /// The next channel of the viewer who switches is known and started ahead, beside `LruFull`.
    Ideal,
    /// The index of `domain::value`.
    Index(Thrift),
}

/// The text is no rule's name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("no such policy")]
pub struct NoPolicy;

impl Policy {
    /// Every rule, in the order of the table.
    pub const ALL: [Self; 14] = [
        Self::None,
        Self::Lru(60),
        Self::Lru(600),
        Self::LruFull,
        Self::LfuFull,
        Self::GdsfFull,
        Self::Predecessor,
        Self::Neighbours,
        Self::Index(Thrift::Thrift),
        Self::Index(Thrift::Balanced),
        Self::Index(Thrift::Generous),
        Self::Index(Thrift::Full),
        Self::Min,
        Self::Ideal,
    ];
}

impl fmt::Display for Policy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::None => f.pad("none"),
            Self::Lru(seconds) => f.pad(&format!("lru-{seconds}")),
            Self::LruFull => f.pad("lru-full"),
            Self::LfuFull => f.pad("lfu-full"),
            Self::GdsfFull => f.pad("gdsf-full"),
            Self::Predecessor => f.pad("predecessor"),
            Self::Neighbours => f.pad("neighbours"),
            Self::Min => f.pad("min"),
            Self::Ideal => f.pad("ideal-1"),
            Self::Index(thrift) => f.pad(&format!("index-{thrift}")),
        }
    }
}

impl FromStr for Policy {
    type Err = NoPolicy;

    fn from_str(text: &str) -> Result<Self, NoPolicy> {
        let seconds = text.strip_prefix("lru-").and_then(|seconds| seconds.parse().ok());
        let known = || Self::ALL.into_iter().find(|policy| policy.to_string() == text);
        seconds.map(Self::Lru).or_else(known).ok_or(NoPolicy)
    }
}
