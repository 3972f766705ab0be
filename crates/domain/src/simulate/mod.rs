//! How good the presence rules are: viewers who behave as players do, judged by the very same pool, beside simpler rules.
//!
//! ```text
//! generate ──┐
//!            ├─► Trace ──► judge ──► Row
//! recordings ┘
//! ```
//!
//! The same seed gives the same rows. The laws of the generated viewers are those that the rules assume (zapping 3.2, 3.3):
//! what they show is that the rules do what they promise if the world is as assumed; recordings show whether it is.

mod chance;
mod generate;
mod judge;

use std::time::Duration;

pub use crate::simulate::generate::{Player, generate};
pub use crate::simulate::judge::{Detector, judge};

use crate::cadence::Class;

/// What one viewer did, from its first request on.
#[derive(Clone, Debug)]
pub struct Trace {
    /// What its `User-Agent` says.
    pub class: Class,
    /// The target duration of what it watched.
    pub target: Duration,
    /// Milliseconds after its first request, in order.
    pub events: Vec<(u64, Seen)>,
    /// When it left, in the same milliseconds; `None` if it was watched no longer.
    pub left_at: Option<u64>,
}

/// What is seen of a viewer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Seen {
    /// A request for a playlist.
    Playlist,
    /// A request for the segment of this number.
    Segment(u64),
    /// A report of its playback, paused or not.
    Report {
        /// Whether it pauses.
        paused: bool,
    },
    /// The report that it stopped.
    Stopped,
    /// The end of its WebSocket.
    SocketClosed,
    /// A request for media came over a connection: a new one, or one that was kept.
    Connected {
        /// Whether it was new.
        new: bool,
    },
    /// The player closed a connection, or the gateway did.
    Disconnected {
        /// Whether it was the player.
        by_peer: bool,
    },
}

/// How one detector did on some traces.
#[derive(Clone, Debug, PartialEq)]
pub struct Row {
    /// The detector.
    pub detector: Detector,
    /// Hours of viewing.
    pub hours: f64,
    /// How often a viewer was held to have left who had not.
    pub false_left: u64,
    /// How long after a viewer's leaving it was suspect, in seconds.
    pub suspect: Delay,
    /// … and held to have left.
    pub left: Delay,
}

/// Delays in seconds.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Delay {
    /// Half of them are shorter.
    pub median: f64,
    /// Nineteen of twenty are shorter.
    pub p95: f64,
}

impl Row {
    /// Wrong verdicts per hour of viewing.
    #[must_use]
    pub fn false_per_hour(&self) -> f64 {
        if self.hours > 0.0 {
            f64::from(u32::try_from(self.false_left).unwrap_or(u32::MAX)) / self.hours
        } else {
            0.0
        }
    }
}

#[cfg(test)]
mod tests;
