//! The recordings that the server is to make.

use crate::key::{ItemId, MediaSourceId};
use crate::time::Timestamp;

/// A recording that the server is to make, or makes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Timer {
    /// The server's name for it.
    pub id: String,
    /// The channel's item.
    pub item: Option<ItemId>,
    /// The channel's media source.
    pub source: Option<MediaSourceId>,
    /// The MD5 of the URL of the M3U host that it is on, if it is.
    pub playlist: Option<String>,
    /// When the server opens the channel: the padding before the programme is included.
    pub starts: Timestamp,
    /// When the recording ends.
    pub ends: Timestamp,
    /// How far it is.
    pub status: TimerStatus,
}

/// How far a recording is (`RecordingStatus.cs`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TimerStatus {
    /// `New`: it has not begun, or could not. The server tries again every minute.
    New,
    /// `InProgress`: it has its channel open.
    InProgress,
    /// Anything else: it needs no tuner.
    Over,
}

impl Timer {
    /// Whether it waits for its channel at `now`, or will.
    #[must_use]
    pub fn is_waiting(&self, now: Timestamp) -> bool {
        match self.status {
            TimerStatus::New => now < self.ends,
            TimerStatus::InProgress | TimerStatus::Over => false,
        }
    }

    /// Whether it has its channel open at `now`.
    #[must_use]
    pub fn is_recording(&self, now: Timestamp) -> bool {
        match self.status {
            TimerStatus::InProgress => now < self.ends,
            TimerStatus::New | TimerStatus::Over => false,
        }
    }
}
