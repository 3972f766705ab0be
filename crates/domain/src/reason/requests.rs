//! What requests are about, for whoever counts them.

use serde::{Deserialize, Serialize};

reasons! {
    /// What a request at the gateway is about.
    RouteClass {
        /// A live stream's playlist.
        Playlist = "playlist",
        /// A segment of a stream of the gateway's.
        Segment = "segment",
        /// The opening of a channel.
        Opening = "opening",
        /// What a player tells of its playback: that it begins, goes on, ends or closes.
        Report = "report",
        /// The gateway's own playlist, its guide, and the channels in it.
        Lineup = "lineup",
        /// The server's own media.
        Media = "media",
        /// A WebSocket.
        Socket = "socket",
        /// Anything else, which is passed through.
        Other = "other",
    }
}
