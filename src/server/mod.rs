//! The HTTP server: listens, bounds connections, sets protocol options, and ends in order.
//!
//! HTTP/1.1 and HTTP/2 with prior knowledge share a port. It does not know what a request means: a [`hyper::service::Service`]
//! answers. The extensions of each request tell about its connection: [`Peer`] is its address, [`Connection`] calls back at its end,
//! and [`Tunnels`] runs what an upgrade turns it into.

mod activity;
mod connection;
mod io;
mod memory_limit;
pub mod open_files;
mod places;
mod serving;
mod tunnels;

use std::convert::Infallible;
use std::net::SocketAddr;
use std::time::Duration;

use hyper::service::Service;
use hyper::{Request, Response};
use tokio::net::{TcpListener, TcpStream};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::background::kept;
use crate::body::Body;
use crate::server::places::{Place, Places};
use crate::server::serving::Serving;

pub use crate::server::activity::Upload;
pub use crate::server::connection::Connection;
pub use crate::server::io::reset;
pub use crate::server::places::{Limits, is_trusted};
pub use crate::server::serving::Peer;
pub use crate::server::tunnels::Tunnels;

/// The pause after a failed `accept`, which mostly fails for lack of file descriptors.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// How often the gateway looks whether memory is short.
const MEMORY: Duration = Duration::from_secs(1);

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
        S: Service<Request<Upload>, Response = Response<Body>, Error = Infallible> + Clone + Send + 'static,
        S::Future: Send,
    {
        let places = Places::new(self.limits.clone());
        let open = TaskTracker::new();
        let tunnels = Tunnels::default();
        let relieved = places.clone();
        tunnels.spawn(kept("the watch over memory", move || {
            let relieved = relieved.clone();
            async move {
                loop {
                    tokio::time::sleep(MEMORY).await;
                    relieved.relieve(memory_limit::is_short);
                }
            }
        }));
        loop {
            let accepted = tokio::select! {
                biased;
                () = shutdown.cancelled() => break,
                accepted = self.accept(&places) => accepted,
            };
            let Some((stream, peer, place)) = accepted else { continue };
            let connection =
                Serving { peer: Peer(peer), tunnels: tunnels.clone(), shutdown: shutdown.clone() };
            let serving = connection.serve(io::Io::new(stream, place), service.clone());
            tunnels.spawn(open.track_future(serving));
        }
        drop(self.socket);
        open.close();
        if tokio::time::timeout(grace, open.wait()).await.is_err() {
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
