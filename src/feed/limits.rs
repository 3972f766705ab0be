//! The limits of a feed: its memory, and how long it waits for an input.

use std::time::Duration;

/// What a feed may take, and how long it waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// How much of the stream's own time the ring holds.
    pub ring: Duration,
    /// How much memory it takes at most.
    pub memory: u64,
    /// Without a packet for this long, an input has stalled.
    pub stall: Duration,
    /// How often in a row each input may fail.
    pub attempts: u32,
    /// How long the opening of an input may take.
    pub connect: Duration,
}

impl Default for Limits {
    /// 12 s or 64 MiB, which is 42 Mbit/s; 10 s of silence, three attempts of 10 s.
    fn default() -> Self {
        Self {
            ring: Duration::from_secs(12),
            memory: 64 << 20,
            stall: Duration::from_secs(10),
            attempts: 3,
            connect: Duration::from_secs(10),
        }
    }
}
