//! What a cutter is told, and what it gives.

use std::time::Duration;

use bytes::Bytes;

/// How long segments are.
#[derive(Clone, Copy, Debug)]
pub struct Rule {
    /// The first one; each of the next is twice as long, until they are as long as usual.
    pub first: Duration,
    /// The others, at least, where a picture that decoding may begin with comes in time.
    pub usual: Duration,
    /// All of them, at most, rounded as a playlist's EXTINF is.
    pub target: Duration,
    /// Bytes of a segment, at most.
    pub largest: usize,
}

/// A segment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cut {
    /// What is served.
    pub bytes: Bytes,
    /// From its first picture's decoding to the next segment's.
    pub duration: Duration,
    /// Whether decoding may begin with it.
    pub independent: bool,
    /// Whether it does not continue the one before.
    pub discontinuity: bool,
}

/// What was wrong with a stream.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Packets before which something was missing.
    pub breaks: u64,
    /// Bytes that belonged to no packet.
    pub skipped: u64,
    /// How often packets had to be looked for anew.
    pub losses: u64,
    /// Packets that were scrambled.
    pub scrambled: u64,
    /// How often cutting had to begin anew.
    pub restarts: u64,
}
