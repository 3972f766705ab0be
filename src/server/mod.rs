//! The HTTP server: listens, bounds connections, sets protocol options, and ends in order.
//!
//! HTTP/1.1 and HTTP/2 with prior knowledge share a port; another may have both over TLS. It does not know what a request means: a [`hyper::service::Service`]
//! answers. The extensions of each request tell about its connection: [`Peer`] is its address, [`Connection`] calls back at its end,
//! and [`Tunnels`] runs what an upgrade turns it into.

mod activity;
mod connection;
mod io;
mod memory_limit;
pub mod open_files;
mod phase;
mod places;
mod proxy_protocol;
mod refusal;
mod serving;
pub mod tls;
mod trusted_proxies;
mod tunnels;

use std::convert::Infallible;
use std::net::SocketAddr;
use std::os::fd::{AsFd as _, BorrowedFd};
use std::time::Duration;

use hyper::service::Service;
use hyper::{Request, Response};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::background::kept;
use crate::body::Body;
use crate::server::places::{Place, Places};
use crate::server::refusal::Refusals;
use crate::server::serving::Serving;
use crate::server::tls::Tls;

pub use crate::server::activity::Upload;
pub use crate::server::connection::Connection;
pub use crate::server::io::reset;
pub use crate::server::phase::{Phase, Phases};
pub use crate::server::places::Limits;
pub use crate::server::serving::Peer;
pub use crate::server::trusted_proxies::{TrustedProxies, is_trusted};
pub use crate::server::tunnels::Tunnels;

/// The pause after a failed `accept`, which mostly fails for lack of file descriptors.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// How often the gateway looks whether memory is short.
const MEMORY: Duration = Duration::from_secs(1);

/// How long connections may stay open after a hand-over: a recording that somebody watches passes whole.
const LINGER: Duration = Duration::from_secs(4 * 3600);

/// A bound socket, and maybe another one for TLS.
#[derive(Debug)]
pub struct Listener {
    socket: TcpListener,
    address: SocketAddr,
    secure: Option<Secure>,
    limits: Limits,
    /// Whether the connections of trusted proxies begin with a PROXY header.
    has_proxy_headers: bool,
    phases: Phases,
}

/// A bound socket that speaks TLS.
#[derive(Debug)]
struct Secure {
    socket: TcpListener,
    address: SocketAddr,
    tls: Tls,
}

/// An accepted connection.
struct Accepted {
    stream: TcpStream,
    peer: Peer,
    /// Whether it begins with a PROXY header.
    has_proxy_header: bool,
    /// What speaks TLS on it.
    tls: Option<Tls>,
    place: Place,
}

impl Listener {
    /// Binds `addr`; port 0 lets the kernel choose a free one.
    ///
    /// # Errors
    /// If `bind` fails: the address is in use, or not one of this machine's.
    pub async fn bind(addr: SocketAddr) -> std::io::Result<Self> {
        Self::on(TcpListener::bind(addr).await?)
    }

    /// Listens at a socket that is bound already.
    ///
    /// # Errors
    /// If the socket does not know its address.
    pub fn on(socket: TcpListener) -> std::io::Result<Self> {
        let address = socket.local_addr()?;
        let (limits, phases) = (Limits::default(), Phases::default());
        Ok(Self { socket, address, secure: None, limits, has_proxy_headers: false, phases })
    }

    /// Binds `addr` too, and speaks TLS there.
    ///
    /// # Errors
    /// If `bind` fails.
    pub async fn and_secure(self, addr: SocketAddr, tls: Tls) -> std::io::Result<Self> {
        self.and_secure_on(TcpListener::bind(addr).await?, tls)
    }

    /// Speaks TLS at a socket that is bound already.
    ///
    /// # Errors
    /// If the socket does not know its address.
    pub fn and_secure_on(self, socket: TcpListener, tls: Tls) -> std::io::Result<Self> {
        let address = socket.local_addr()?;
        Ok(Self { secure: Some(Secure { socket, address, tls }), ..self })
    }

    /// What speaks TLS, if anything does.
    #[must_use]
    pub fn tls(&self) -> Option<Tls> {
        self.secure.as_ref().map(|secure| secure.tls.clone())
    }

    /// Bounds the connections by `limits`.
    #[must_use]
    pub fn limited(self, limits: Limits) -> Self {
        Self { limits, ..self }
    }

    /// Says whether the connections of trusted proxies begin with a PROXY header.
    #[must_use]
    pub fn with_proxy_headers(self, has_proxy_headers: bool) -> Self {
        Self { has_proxy_headers, ..self }
    }

    /// Follows the hand-over to another process, which listens at the same sockets.
    #[must_use]
    pub fn following(self, phases: Phases) -> Self {
        Self { phases, ..self }
    }

    /// The sockets, for that process: this one, and the one that speaks TLS.
    #[must_use]
    pub fn sockets(&self) -> (BorrowedFd<'_>, Option<BorrowedFd<'_>>) {
        (self.socket.as_fd(), self.secure.as_ref().map(|secure| secure.socket.as_fd()))
    }

    /// The address it listens at, with the port that the kernel chose.
    #[must_use]
    pub const fn local_addr(&self) -> SocketAddr {
        self.address
    }

    /// The address at which it speaks TLS, if it does.
    #[must_use]
    pub fn secure_addr(&self) -> Option<SocketAddr> {
        self.secure.as_ref().map(|secure| secure.address)
    }

    /// Serves until `shutdown` is cancelled, then finishes open requests for at most `grace`. Connections that are still open after that are
    /// cut, and so are tunnels, which have no natural end. After a hand-over it accepts no more, and serves until all of them have ended.
    pub async fn serve<S>(self, service: S, shutdown: CancellationToken, grace: Duration)
    where
        S: Service<Request<Upload>, Response = Response<Body>, Error = Infallible> + Clone + Send + 'static,
        S::Future: Send,
    {
        let places = Places::new(self.limits.clone());
        let open = TaskTracker::new();
        let tunnels = Tunnels::default();
        let _watches = self.watches(&places);
        let is_handed_over = self.accept_all((&places, &open, &tunnels), service, &shutdown).await;
        drop((self.socket, self.secure));
        open.close();
        if is_handed_over {
            let ended = async { tokio::join!(open.wait(), tunnels.ended()) };
            tokio::select! {
                ended = tokio::time::timeout(LINGER, ended) => if ended.is_err() {
                    tracing::warn!(hours = LINGER.as_secs() / 3600, "connections were still open long after the hand-over, and are cut");
                },
                () = shutdown.cancelled() => {}
            }
        }
        if tokio::time::timeout(grace, open.wait()).await.is_err() {
            tracing::warn!(grace_s = grace.as_secs(), "requests were still open after the grace period");
        }
        tunnels.cut().await;
    }

    /// Accepts connections until `shutdown` is cancelled. Returns whether another process accepts them from now on.
    async fn accept_all<S>(
        &self,
        (places, open, tunnels): (&Places, &TaskTracker, &Tunnels),
        service: S,
        shutdown: &CancellationToken,
    ) -> bool
    where
        S: Service<Request<Upload>, Response = Response<Body>, Error = Infallible> + Clone + Send + 'static,
        S::Future: Send,
    {
        let refusals = Refusals::default();
        loop {
            let next = tokio::select! {
                biased;
                () = shutdown.cancelled() => return false,
                () = self.phases.begins() => None,
                next = self.next() => Some(next),
            };
            let Some(next) = next else {
                // Whoever connects meanwhile waits in the socket, for this process or the other.
                tokio::select! {
                    is_handed_over = self.phases.is_handed_over() => if is_handed_over { return true },
                    () = shutdown.cancelled() => {}
                }
                continue;
            };
            let accepted = tokio::select! {
                biased;
                () = shutdown.cancelled() => return false,
                accepted = self.accept(next, places, (&refusals, tunnels)) => accepted,
            };
            let Some(Accepted { stream, peer, has_proxy_header, tls, place }) = accepted else { continue };
            let (tunnels, phases, shutdown) = (tunnels.clone(), self.phases.clone(), shutdown.clone());
            let connection = Serving { peer, has_proxy_header, tunnels: tunnels.clone(), phases, shutdown };
            let serving = connection.serve((stream, tls), place, service.clone());
            tunnels.spawn(open.track_future(serving));
        }
    }

    /// What goes on beside the connections, until the value is dropped.
    fn watches(&self, places: &Places) -> JoinSet<()> {
        let mut watches = JoinSet::new();
        let relieved = places.clone();
        watches.spawn(kept("the watch over memory", move || {
            let relieved = relieved.clone();
            async move {
                loop {
                    tokio::time::sleep(MEMORY).await;
                    relieved.relieve(memory_limit::is_short);
                }
            }
        }));
        if let Some(Secure { tls, .. }) = &self.secure {
            let tls = tls.clone();
            watches.spawn(kept("the watch over the certificate", move || {
                let tls = tls.clone();
                async move { tls.follow().await }
            }));
        }
        watches
    }

    /// The next connection at either socket.
    async fn next(&self) -> std::io::Result<(TcpStream, SocketAddr, Option<Tls>)> {
        let plain = async || self.socket.accept().await.map(|(stream, peer)| (stream, peer, None));
        let Some(Secure { socket, tls, .. }) = &self.secure else { return plain().await };
        tokio::select! {
            accepted = plain() => accepted,
            accepted = socket.accept() => accepted.map(|(stream, peer)| (stream, peer, Some(tls.clone()))),
        }
    }

    async fn accept(
        &self,
        next: std::io::Result<(TcpStream, SocketAddr, Option<Tls>)>,
        places: &Places,
        (refusals, tunnels): (&Refusals, &Tunnels),
    ) -> Option<Accepted> {
        let (stream, peer, tls) = match next {
            Ok(accepted) => accepted,
            Err(error) => {
                places.none_is_accepted(&error);
                tokio::time::sleep(ACCEPT_PAUSE).await;
                return None;
            }
        };
        if let Err(error) = stream.set_nodelay(true) {
            tracing::debug!(%error, "a connection ended before it was accepted");
            return None;
        }
        match places.admit(peer.ip()).await {
            Ok(place) => {
                let has_proxy_header = self.has_proxy_headers && places.trusts(peer.ip());
                let peer = Peer { address: peer, is_secure: tls.is_some(), is_anonymous: false };
                Some(Accepted { stream, peer, has_proxy_header, tls, place })
            }
            Err(reason) => {
                tracing::debug!(%peer, reason = reason.as_str(), "a connection is refused");
                refusals.refuse(stream, tls.is_none(), tunnels);
                None
            }
        }
    }
}
