//! The HTTP server: listens, bounds connections, sets protocol options, and ends in order.
//!
//! HTTP/1.1 and HTTP/2 with prior knowledge share a port. It does not know what a request means: a [`hyper::service::Service`]
//! answers. The extensions of each request tell about its connection: [`Peer`] is its address, [`Connection`] calls back at its end,
//! and [`Tunnels`] runs what an upgrade turns it into.

mod connection;
mod io;
pub mod open_files;
mod places;
mod tunnels;

use std::convert::Infallible;
use std::net::SocketAddr;
use std::time::Duration;

use hyper::body::Incoming;
use hyper::service::{Service, service_fn};
use hyper::{Request, Response};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use hyper_util::server::graceful::GracefulShutdown;
use tokio::net::{TcpListener, TcpStream};
use tokio_util::sync::CancellationToken;

use crate::body::Body;
use crate::server::places::{Place, Places};

pub use crate::server::connection::Connection;
pub use crate::server::io::reset;
pub use crate::server::places::{Limits, is_trusted};
pub use crate::server::tunnels::Tunnels;

/// The deadline for a request head, hence also for the next request of an idle connection. The first has a deadline of its own.
const HEAD_TIMEOUT: Duration = domain::connections::IDLE;

/// The interval between pings on a silent HTTP/2 connection.
const PING_INTERVAL: Duration = Duration::from_secs(20);

/// The number of HTTP/2 requests in flight per connection, as most servers have it.
const MAX_STREAMS: u32 = 100;

/// The bytes that the fields of an HTTP/2 request may have: the 32 KiB that Jellyfin's server takes, and 32 for each of its 100 fields as
/// RFC 9113 6.5.2 counts.
const MAX_FIELDS: u32 = 36 << 10;

/// The HTTP/2 window in bytes: enough for 100 Mbit/s at 80 ms. The default of 64 KiB throttles uploads.
const WINDOW: u32 = 1 << 20;

/// The pause after a failed `accept`, which mostly fails for lack of file descriptors.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// The address of the TCP peer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Peer(pub SocketAddr);

/// A bound socket.
#[derive(Debug)]
pub struct Listener {
    socket: TcpListener,
    address: SocketAddr,
    limits: Limits,
}

impl Listener {
    /// Binds `addr`; port 0 lets the kernel choose a free one.
    ///
    /// # Errors
    /// If `bind` fails: the address is in use, or not one of this machine's.
    pub async fn bind(addr: SocketAddr) -> std::io::Result<Self> {
        let socket = TcpListener::bind(addr).await?;
        let address = socket.local_addr()?;
        Ok(Self { socket, address, limits: Limits::default() })
    }

    /// Bounds the connections by `limits`.
    #[must_use]
    pub fn limited(self, limits: Limits) -> Self {
        Self { limits, ..self }
    }

    /// The address it listens at, with the port that the kernel chose.
    #[must_use]
    pub const fn local_addr(&self) -> SocketAddr {
        self.address
    }

    /// Serves until `shutdown` is cancelled, then finishes open requests for at most `grace`. Connections that are still open after that are
    /// cut, and so are tunnels, which have no natural end.
    pub async fn serve<S>(self, service: S, shutdown: CancellationToken, grace: Duration)
    where
        S: Service<Request<Incoming>, Response = Response<Body>, Error = Infallible> + Clone + Send + 'static,
        S::Future: Send,
    {
        let places = Places::new(self.limits.clone());
        let open = GracefulShutdown::new();
        let tunnels = Tunnels::default();
        loop {
            let accepted = tokio::select! {
                biased;
                () = shutdown.cancelled() => break,
                accepted = self.accept(&places) => accepted,
            };
            let Some((stream, peer, place)) = accepted else { continue };
            let connection =
                Serving { peer: Peer(peer), tunnels: tunnels.clone(), shutdown: shutdown.clone() };
            let watcher = open.watcher();
            let serving =
                connection.serve(io::Io::new(TokioIo::new(stream), place), service.clone(), watcher);
            tunnels.spawn(serving);
        }
        drop(self.socket);
        if tokio::time::timeout(grace, open.shutdown()).await.is_err() {
            tracing::warn!(grace_s = grace.as_secs(), "requests were still open after the grace period");
        }
        tunnels.cut().await;
    }

    async fn accept(&self, places: &Places) -> Option<(TcpStream, SocketAddr, Place)> {
        let (stream, peer) = match self.socket.accept().await {
            Ok(accepted) => accepted,
            Err(error) => {
                tracing::warn!(%error, "cannot accept a connection");
                tokio::time::sleep(ACCEPT_PAUSE).await;
                return None;
            }
        };
        if let Err(error) = stream.set_nodelay(true) {
            tracing::debug!(%error, "a connection ended before it was accepted");
            return None;
        }
        match places.admit(peer.ip()).await {
            Ok(place) => Some((stream, peer, place)),
            Err(reason) => {
                tracing::debug!(%peer, reason = reason.as_str(), "a connection is refused");
                // With a RST the system keeps nothing of it.
                let _ = stream.set_zero_linger();
                None
            }
        }
    }
}

/// One accepted connection, and what its requests are told of it.
struct Serving {
    peer: Peer,
    tunnels: Tunnels,
    shutdown: CancellationToken,
}

impl Serving {
    async fn serve<S>(self, io: io::Io, service: S, watcher: hyper_util::server::graceful::Watcher)
    where
        S: Service<Request<Incoming>, Response = Response<Body>, Error = Infallible> + Clone + Send + 'static,
        S::Future: Send,
    {
        let (stay, asking) = (io.tag.stay(), io.tag.stay());
        let (end, shutdown, peer) = (Connection::default(), self.shutdown.clone(), self.peer);
        let connection = end.clone();
        let service = service_fn(move |mut request: Request<Incoming>| {
            let answering = asking.asked();
            request.extensions_mut().insert(self.peer);
            request.extensions_mut().insert(self.tunnels.clone());
            request.extensions_mut().insert(connection.clone());
            let answer = service.call(request);
            async move { answer.await.map(|answer| answering.with(answer)) }
        });
        let builder = builder();
        let connection = watcher.watch(builder.serve_connection_with_upgrades(io, service).into_owned());
        let ended = tokio::select! {
            ended = connection => Ok(ended),
            reason = stay.over() => Err(reason),
        };
        let by_peer = match ended {
            Ok(Ok(())) => true,
            Ok(Err(error)) => {
                tracing::debug!(%error, peer = %peer.0, "a connection ended with an error");
                !error.downcast_ref::<hyper::Error>().is_some_and(hyper::Error::is_timeout)
            }
            Err(reason) => {
                tracing::debug!(peer = %peer.0, reason = reason.as_str(), "a connection is ended");
                false
            }
        };
        end.ended(by_peer && !shutdown.is_cancelled());
    }
}

/// The protocol options; those against floods are h2's own (docs/decisions/34-http2-floods.md). With `half_close(false)` a client that closes its side counts as gone, and its request is cancelled.
fn builder() -> auto::Builder<TokioExecutor> {
    let mut builder = auto::Builder::new(TokioExecutor::new());
    builder.http1().timer(TokioTimer::new()).header_read_timeout(HEAD_TIMEOUT).half_close(false);
    builder
        .http2()
        .timer(TokioTimer::new())
        .keep_alive_interval(PING_INTERVAL)
        .keep_alive_timeout(PING_INTERVAL)
        .max_concurrent_streams(MAX_STREAMS)
        .max_header_list_size(MAX_FIELDS)
        .initial_stream_window_size(WINDOW)
        .initial_connection_window_size(4 * WINDOW);
    builder
}
