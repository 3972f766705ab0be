//! The input and output of the cutter: how long pieces are to be, and the pieces.

use std::time::Duration;

use bytes::Bytes;

/// How long pieces are to be.
#[derive(Clone, Copy, Debug)]
pub struct Rule {
    /// The usual length of a piece.
    pub piece: Duration,
    /// The longest duration of any piece but the first, rounded as in EXT-X-TARGETDURATION (RFC 8216bis, section 4.4.3.1).
    pub target: Duration,
    /// The longest duration of the first piece, where that is longer: it waits for audio, since players set up only the streams that
    /// their first segment contains. A first piece that is longer than `target` lets the others be as long.
    pub first: Duration,
    /// The most bytes of a piece.
    pub largest: usize,
}

/// A piece of the stream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cut {
    /// The transport stream, tables first.
    pub bytes: Bytes,
    /// From the decoding time of its first picture to that of the next piece.
    pub duration: Duration,
    /// Whether it starts with a random access point.
    pub independent: bool,
    /// Whether it does not continue the previous piece (EXT-X-DISCONTINUITY).
    pub discontinuity: bool,
    /// Whether the next piece starts with a random access point, or does not continue this one.
    pub ends_group: bool,
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
