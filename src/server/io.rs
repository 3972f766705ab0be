//! The byte stream of one accepted connection, which occupies its place in the connection limit even after it has left HTTP.

use hyper::upgrade::Upgraded;

use tokio::net::TcpStream;
use tokio_rustls::server::TlsStream;
use tokio_util::either::Either;

use crate::server::places::Place;
use crate::wire::tagged::{OverTcp, TaggedStream};

/// What carries the bytes of a connection: TCP alone, or TLS over it, boxed so that all the others need no room for it.
pub(super) type Transport = Either<TcpStream, Box<TlsStream<TcpStream>>>;

impl OverTcp for Transport {
    fn tcp(&self) -> &TcpStream {
        match self {
            Self::Left(stream) => stream,
            Self::Right(stream) => stream.get_ref().0,
        }
    }
}

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
