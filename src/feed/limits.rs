//! The limits of a feed: its memory, and how long it waits for an input.

use std::time::Duration;

/// The memory a feed may use, and how long it waits for an input.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// How much of the stream's own time the ring holds.
    pub ring: Duration,
    /// The maximum memory of the ring, in bytes.
    pub memory: u64,
    /// How long an input may send no packet before it has stalled.
    pub stall: Duration,
    /// The failures in a row after which an input is left.
    pub attempts: u32,
    /// The time limit for opening an input.
    pub connect: Duration,
}

impl Default for Limits {
    /// 12 s or 64 MiB (42 Mbit/s for 12 s); a stall after 10 s, three attempts of 10 s each.
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
