//! Who needs an input, and until when.

use crate::key::StreamId;
use crate::time::Timestamp;

/// The name of somebody who reads an input as it is; never used twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ReaderId(pub u64);

/// Who needs an input.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Member {
    /// A viewer who has opened the channel and is expected to ask for a stream of it; a later one has a larger number.
    Prefetch(u64),
    /// A stream that is made from it.
    Stream(StreamId),
    /// A client that reads it as it is.
    Reader(ReaderId),
    /// A client that did so until a while ago, and may come back.
    Lingering(ReaderId),
}

/// How long a member keeps its place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stay {
    /// Since when it has had it.
    pub since: Timestamp,
    /// Until when, unless it leaves before; `None`: until it leaves.
    pub until: Option<Timestamp>,
}

impl Member {
    /// Whether it is a stream.
    #[must_use]
    pub const fn is_stream(self) -> bool {
        matches!(self, Self::Stream(_))
    }

    /// Whether it is yet to come.
    #[must_use]
    pub const fn is_prefetch(self) -> bool {
        matches!(self, Self::Prefetch(_))
    }

    /// Whether it has left, or is yet to come.
    #[must_use]
    pub const fn is_absent(self) -> bool {
        match self {
            Self::Prefetch(_) | Self::Lingering(_) => true,
            Self::Stream(_) | Self::Reader(_) => false,
        }
    }
}
