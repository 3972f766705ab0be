//! Who watches what is simulated, and what they do.

use crate::simulate::zapping::workload::Workload;

/// Viewers who share one gateway.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Audience {
    /// How they change channels.
    pub workload: Workload,
    /// How many there are.
    pub viewers: u32,
    /// How many channels the line-up has.
    pub channels: u32,
    /// For how many days they are followed.
    pub days: u32,
    /// What their chances are drawn from.
    pub seed: u64,
}

/// A viewer tunes to a channel, or switches off.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Zap {
    /// Milliseconds since the beginning, which is a midnight.
    pub at: u64,
    /// The viewer.
    pub viewer: u32,
    /// The place of the channel in the line-up, from 0; `None` if the viewer switches off.
    pub channel: Option<u32>,
}

/// The hour of the day, from 0 to 23, at this many milliseconds since a midnight.
pub(super) fn hour(at: u64) -> u8 {
    u8::try_from(at / 3_600_000 % 24).unwrap_or_default()
}
