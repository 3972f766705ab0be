//! Says which openings a request mentions, and in which way.

use crate::key::{LiveStreamId, PlaySessionId};
use crate::viewer::Account;

/// The names of openings in a request. It means the openings of its play session, or else all those of its account on its live stream.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Mention {
    /// The account of the request; without one, only the play session and the unique id can mean an opening.
    pub account: Option<Account>,
    /// The live stream that the request names.
    pub live_stream: Option<LiveStreamId>,
    /// The play session that the request names.
    pub play_session: Option<PlaySessionId>,
    /// The unique id of an opening that the request names.
    pub name: Option<String>,
}

/// What a request says about the openings that it mentions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MentionKind {
    /// Nothing but their names: the client is there.
    Named,
    /// The client was served a playlist of ours.
    Served,
    /// The client reports that it stopped.
    Stopped,
    /// The client reports that it stopped what it had never reported to play. The server is not told of the live stream.
    LeftUnreported,
    /// The server has accepted the client's report that it plays: from now on it believes so.
    Reported,
    /// The server has answered a request for a live playlist of its own: the client plays that.
    PassedOn,
    /// The server has answered a request for other media of its own, so it knows when it has to close the opening.
    TakenOver,
    /// The client asks the server to close the opening.
    Closing,
    /// The server has closed the opening for the client.
    Closed,
    /// The server has refused to close it.
    Kept,
}

/// A report about playback that the server has accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PlaybackReport {
    /// The client plays.
    Playing,
    /// The client has paused.
    Paused,
    /// The client has stopped.
    Stopped,
}
