//! What is heard of a viewer, and of whom it is heard: requests that carry its token, and hints seen in passing.
//!
//! It does not know how any of it was spelled on the wire.

use std::time::Duration;

use crate::key::{ConsumerId, DeviceId, MediaSourceId, PlaySessionId};
use crate::viewer::Account;

/// Something heard of a viewer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Signal {
    /// It asked for its playlist.
    Playlist,
    /// It asked for the segment of this number.
    Segment(u64),
    /// It reported that it plays, or pauses.
    Report {
        /// Whether it pauses, if it says so.
        paused: Option<bool>,
    },
    /// It said that it is there, and no more.
    Ping,
    /// It says that it pauses (`true`) or plays, in passing (CMCD `sta`, `pr`).
    Pauses(bool),
    /// It says that its buffer ran dry (CMCD `bs`, `sta=r`).
    Starved,
    /// It says how much it has in its buffer (CMCD `bl`).
    Buffered(Duration),
    /// It reported that it stopped.
    Stopped,
    /// It deleted its encodings: it stops, or is about to ask for another profile.
    EncodingsDeleted,
    /// It closed its live stream.
    LiveStreamClosed,
    /// Its WebSocket closed.
    SocketClosed,
    /// It asks over a connection that it has not used before.
    ConnectionOpened,
    /// It asks again over a connection.
    ConnectionKept,
    /// One of its connections ended.
    ConnectionClosed {
        /// Whether it was the one to end it.
        by_peer: bool,
    },
    /// It says that it is leaving (CMCD `sta=q`, `sta=e`).
    Quits,
}

/// Of whom.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Whose {
    /// Of the consumer with this token.
    Consumer(ConsumerId),
    /// Of whoever plays under this name.
    PlaySession(PlaySessionId),
    /// Of an account's device, or of all of them if it names none.
    Device(Account, Option<DeviceId>),
    /// Of the one viewer of this source on an account's device; of nobody if there are several.
    Source(Account, Option<DeviceId>, MediaSourceId),
}
