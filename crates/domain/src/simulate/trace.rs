//! One viewer's requests, reports and connections, generated or recorded.

use std::time::Duration;

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
