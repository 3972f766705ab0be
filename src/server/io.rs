//! The byte stream of one accepted connection, which occupies its place in the connection limit even after it has left HTTP.

use hyper::upgrade::Upgraded;

use crate::server::places::Place;
use crate::server::transport::Transport;
use crate::wire::tagged::TaggedStream;

/// A connection and its place below the limit.
pub(super) type Io = TaggedStream<Place, Transport>;

/// Ends an upgraded connection with a RST, so that the client notices at once, and does not take it for an orderly end.
pub fn reset(upgraded: Upgraded) {
    if let Ok(parts) = upgraded.downcast::<Io>()
        && let Err(error) = parts.io.reset()
    {
        tracing::debug!(%error, "cannot reset a connection of a client");
    }
}
