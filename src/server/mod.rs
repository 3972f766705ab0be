//! The listening side: sockets, limits, protocol settings, an orderly end.
//!
//! HTTP/1.1 and HTTP/2 with prior knowledge share a port. It does not know what a request means: whoever serves it
//! brings a [`hyper::service::Service`]. What it knows of a connection it leaves in the request's extensions:
//! [`Peer`], [`Connection`] for what is to be told at its end, and [`Tunnels`] for requests that leave HTTP behind.

mod connection;
mod io;
mod tunnels;

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use hyper::body::Incoming;
use hyper::service::{Service, service_fn};
use hyper::{Request, Response};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use hyper_util::server::graceful::GracefulShutdown;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_util::sync::CancellationToken;

use crate::body::Body;

pub use crate::server::connection::Connection;
pub use crate::server::io::reset;
pub use crate::server::tunnels::Tunnels;

/// Connections open at once, tunnels included; one more waits in the kernel's backlog until another ends.
const MAX_CONNECTIONS: usize = 4096;

/// For a request head to arrive, and so also for an idle connection to bring its next one. Above nginx's 60 s
/// for idle upstream connections: who closes first must be the one who also sends.
const HEAD_TIMEOUT: Duration = Duration::from_secs(75);

/// How often a silent HTTP/2 connection is asked whether it still lives.
const PING_INTERVAL: Duration = Duration::from_secs(20);

/// HTTP/2 requests in flight per connection; the usual value of servers.
const MAX_STREAMS: u32 = 100;

/// Enough for 100 Mbit/s at 80 ms; the default of 64 KiB throttles uploads.
const WINDOW: u32 = 1 << 20;

/// How long to wait after an `accept` that failed for want of descriptors.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// The address of the TCP peer, in the extensions of every request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Peer(pub SocketAddr);

/// A bound socket.
#[derive(Debug)]
pub struct Listener {
    socket: TcpListener,
    address: SocketAddr,
}

impl Listener {
    /// Binds; port 0 asks the kernel for a free one.
    ///
    /// # Errors
    /// Those of `bind`: the address is taken, or not ours.
    pub async fn bind(addr: SocketAddr) -> std::io::Result<Self> {
        let socket = TcpListener::bind(addr).await?;
        let address = socket.local_addr()?;
        Ok(Self { socket, address })
    }

    /// Where it listens, with the port that the kernel chose.
    #[must_use]
    pub const fn local_addr(&self) -> SocketAddr {
        self.address
    }

    /// Serves until `shutdown` is cancelled, then finishes open requests for at most `grace`; what is still open
    /// after that is cut, and so are tunnels, for which there is no good moment.
    pub async fn serve<S>(self, service: S, shutdown: CancellationToken, grace: Duration)
    where
        S: Service<Request<Incoming>, Response = Response<Body>, Error = Infallible> + Clone + Send + 'static,
        S::Future: Send,
    {
        let limit = Arc::new(Semaphore::new(MAX_CONNECTIONS));
        let open = GracefulShutdown::new();
        let tunnels = Tunnels::default();
        loop {
            let accepted = tokio::select! {
                biased;
                () = shutdown.cancelled() => break,
                accepted = self.accept(&limit) => accepted,
            };
            let Some((stream, peer, permit)) = accepted else { continue };
            let connection =
                Serving { peer: Peer(peer), tunnels: tunnels.clone(), shutdown: shutdown.clone() };
            let watcher = open.watcher();
            let serving =
                connection.serve(io::Io::new(TokioIo::new(stream), permit), service.clone(), watcher);
            tunnels.spawn(serving);
        }
        drop(self.socket);
        if tokio::time::timeout(grace, open.shutdown()).await.is_err() {
            tracing::warn!(grace_s = grace.as_secs(), "requests were still open after the grace period");
        }
        tunnels.cut().await;
    }

    async fn accept(&self, limit: &Arc<Semaphore>) -> Option<(TcpStream, SocketAddr, OwnedSemaphorePermit)> {
        let permit = Arc::clone(limit).acquire_owned().await.expect("the semaphore is never closed");
        match self.socket.accept().await {
            Ok((stream, peer)) => {
                if let Err(error) = stream.set_nodelay(true) {
                    tracing::debug!(%error, "a connection that ended before it was accepted");
                    return None;
                }
                Some((stream, peer, permit))
            }
            Err(error) => {
                tracing::warn!(%error, "accept failed");
                tokio::time::sleep(ACCEPT_PAUSE).await;
                None
            }
        }
    }
}

/// What every request of one connection is told.
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
        let asked = Arc::new(AtomicBool::new(false));
        let (link, shutdown, peer) = (Connection::default(), self.shutdown.clone(), self.peer);
        let told = link.clone();
        let overdue = overdue(Arc::clone(&asked));
        let service = service_fn(move |mut request: Request<Incoming>| {
            asked.store(true, Ordering::Relaxed);
            request.extensions_mut().insert(self.peer);
            request.extensions_mut().insert(self.tunnels.clone());
            request.extensions_mut().insert(told.clone());
            service.call(request)
        });
        let builder = builder();
        let connection = watcher.watch(builder.serve_connection_with_upgrades(io, service).into_owned());
        let ended = tokio::select! {
            ended = connection => Some(ended),
            () = overdue => None,
        };
        let by_peer = match ended {
            Some(Ok(())) => true,
            Some(Err(error)) => {
                tracing::debug!(%error, peer = %peer.0, "a connection ended badly");
                !error.downcast_ref::<hyper::Error>().is_some_and(hyper::Error::is_timeout)
            }
            None => {
                tracing::debug!(peer = %peer.0, "a connection without a request");
                false
            }
        };
        link.ended(by_peer && !shutdown.is_cancelled());
    }
}

/// Ends when a connection has not brought its first request in time: hyper's own deadline begins only once it
/// has told HTTP/1 from HTTP/2.
async fn overdue(asked: Arc<AtomicBool>) {
    tokio::time::sleep(HEAD_TIMEOUT).await;
    if asked.load(Ordering::Relaxed) {
        std::future::pending::<()>().await;
    }
}

/// `half_close(false)`: a client that closed its side is gone, and its request is cancelled.
fn builder() -> auto::Builder<TokioExecutor> {
    let mut builder = auto::Builder::new(TokioExecutor::new());
    builder.http1().timer(TokioTimer::new()).header_read_timeout(HEAD_TIMEOUT).half_close(false);
    builder
        .http2()
        .timer(TokioTimer::new())
        .keep_alive_interval(PING_INTERVAL)
        .keep_alive_timeout(PING_INTERVAL)
        .max_concurrent_streams(MAX_STREAMS)
        .initial_stream_window_size(WINDOW)
        .initial_connection_window_size(4 * WINDOW);
    builder
}
