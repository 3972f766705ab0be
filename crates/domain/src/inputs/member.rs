//! Defines the members of an input: streams, readers, and those that have yet to come, each with the time that it stays.

use crate::key::StreamId;
use crate::time::Timestamp;

/// Identifies a client that reads an input's raw stream. Never used twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ReaderId(pub u64);

/// Something that keeps an input open.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Member {
    /// A viewer has opened the channel and is expected to request a stream of it. Later prefetches have larger numbers.
    Prefetch(u64),
    /// A stream that is made from it.
    Stream(StreamId),
    /// A client that reads the raw stream.
    Reader(ReaderId),
    /// A client that stopped reading a while ago and may come back.
    Lingering(ReaderId),
    /// A viewer who may come: the channel is warmed up.
    Expected(u64),
}

/// The period for which a member keeps the input open.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stay {
    /// When the member joined or, for a lingering one, when it left.
    pub since: Timestamp,
    /// When the membership expires; `None` if it lasts until the member leaves.
    pub until: Option<Timestamp>,
}

impl Member {
    /// Whether the member is a stream.
    #[must_use]
    pub const fn is_stream(self) -> bool {
        matches!(self, Self::Stream(_))
    }

    /// Whether the member is a prefetch.
    #[must_use]
    pub const fn is_prefetch(self) -> bool {
        matches!(self, Self::Prefetch(_))
    }

    /// Whether the member is a viewer who may come.
    #[must_use]
    pub const fn is_expected(self) -> bool {
        matches!(self, Self::Expected(_))
    }

    /// Whether the member reads nothing at present: a prefetch, or a client that may come, or come back.
    #[must_use]
    pub const fn is_absent(self) -> bool {
        match self {
            Self::Prefetch(_) | Self::Lingering(_) | Self::Expected(_) => true,
            Self::Stream(_) | Self::Reader(_) => false,
        }
    }
}
