//! The byte stream of one connection, which holds its place in the connection limit, also beyond HTTP.

use hyper::upgrade::Upgraded;
use hyper_util::server::conn::auto::upgrade::downcast;
use tokio::sync::OwnedSemaphorePermit;

use crate::wire::tagged::TaggedStream;

/// A connection and its permit.
pub(super) type Io = TaggedStream<OwnedSemaphorePermit>;

/// Ends an upgraded connection by RST, so that its client learns of the failure at once, and as one.
pub fn reset(upgraded: Upgraded) {
    if let Ok(parts) = downcast::<Io>(upgraded)
        && let Err(error) = parts.io.reset()
    {
        tracing::debug!(%error, "a connection that could not be reset");
    }
}
