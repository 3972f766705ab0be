//! The input and output of the cutter: how long segments are to be, and the segments.

use std::time::Duration;

use bytes::Bytes;

/// How long segments are to be.
#[derive(Clone, Copy, Debug)]
pub struct Rule {
    /// The first segment; each of the next ones is twice as long, up to `usual`.
    pub first: Duration,
    /// The least length of the others, where a random access point comes in time.
    pub usual: Duration,
    /// The longest duration of any segment, rounded as in EXT-X-TARGETDURATION (RFC 8216bis, section 4.4.3.1).
    pub target: Duration,
    /// The most bytes of a segment.
    pub largest: usize,
}

/// A segment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cut {
    /// The transport stream, tables first.
    pub bytes: Bytes,
    /// From the decoding time of its first picture to that of the next segment.
    pub duration: Duration,
    /// Whether it starts with a random access point.
    pub independent: bool,
    /// Whether it does not continue the previous segment (EXT-X-DISCONTINUITY).
    pub discontinuity: bool,
}

/// Counts of faults in the stream.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Packets that follow missing ones.
    pub breaks: u64,
    /// Bytes that belonged to no packet.
    pub skipped: u64,
    /// How often packet alignment was lost.
    pub losses: u64,
    /// Scrambled packets.
    pub scrambled: u64,
    /// How often cutting started over.
    pub restarts: u64,
}
