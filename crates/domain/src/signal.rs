//! Signals of a viewer's presence or absence, and which viewers each one concerns.
//!
//! Signals are requests that carry a consumer's token, and hints in other requests. How each is spelled on the wire is not
//! known here; docs/presence.md 4 lists their effects.

use std::time::Duration;

use crate::key::{ConsumerId, DeviceId, MediaSourceId, PlaySessionId};
use crate::viewer::Account;

/// A sign of a viewer's presence or absence.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Signal {
    /// It requested its playlist.
    Playlist,
    /// It requested the segment with this number.
    Segment(u64),
    /// It reported that it plays, or pauses.
    Report {
        /// Whether it pauses, if it says so.
        paused: Option<bool>,
    },
    /// It reported that it is there (`Sessions/Playing/Ping`).
    Ping,
    /// A request says that it pauses (`true`) or plays (CMCD `sta`, `pr`).
    Pauses(bool),
    /// A request says that its buffer ran dry (CMCD `bs`, `sta=r`).
    Starved,
    /// A request says how much is in its buffer (CMCD `bl`).
    Buffered(Duration),
    /// It reported that it stopped.
    Stopped,
    /// It deleted its encodings: it stops, or is about to request another profile.
    EncodingsDeleted,
    /// It closed its live stream.
    LiveStreamClosed,
    /// Its WebSocket closed.
    SocketClosed,
    /// A request of its came over a connection that it had not used before.
    ConnectionOpened,
    /// A request of its came over a connection that it had used before.
    ConnectionKept,
    /// One of its connections ended.
    ConnectionClosed {
        /// Whether the player ended it, not the gateway.
        by_peer: bool,
    },
    /// A request says that the playback ends (CMCD `sta=q`, `sta=e`).
    Quits,
}

/// The viewers that a signal concerns.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Whose {
    /// The consumer with this token.
    Consumer(ConsumerId),
    /// The consumers that play under this play session.
    PlaySession(PlaySessionId),
    /// The consumers of an account on one device, or on all of its devices.
    Device(Account, Option<DeviceId>),
    /// The one present consumer of this source on an account's device; nobody if there are several.
    Source(Account, Option<DeviceId>, MediaSourceId),
}
