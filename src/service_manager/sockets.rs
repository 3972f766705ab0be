//! Sockets that the service manager has bound for the gateway, and keeps while it restarts: whoever connects meanwhile waits.
//!
//! It does not know what is spoken at them.

use std::env;
use std::io;
use std::net::{self, SocketAddr};

use listenfd::ListenFd;
use tokio::net::TcpListener;

/// The name of the socket for HTTPS (`FileDescriptorName=` of its unit); the other one may have any name.
const SECURE: &str = "tls";

/// Why the sockets of the service manager cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum SocketsError {
    /// One of them is no listening TCP socket.
    #[error("a socket of the service manager cannot be used: {0}")]
    Unfit(#[from] io::Error),
    /// There are more than the gateway has use for.
    #[error(
        "the service manager gives several sockets for the same: the gateway takes one for HTTP, and one named {SECURE} for HTTPS"
    )]
    TooMany,
}

/// The sockets that the service manager has bound. [`Sockets::default`] has none.
#[derive(Debug, Default)]
pub struct Sockets {
    plain: Option<net::TcpListener>,
    secure: Option<net::TcpListener>,
}

impl Sockets {
    /// Takes them from the service manager. Only before the process has other threads: it removes `LISTEN_FDS` from the environment.
    ///
    /// # Errors
    /// If they are not what the gateway needs.
    pub fn inherited() -> Result<Self, SocketsError> {
        let names = env::var("LISTEN_FDNAMES").unwrap_or_default();
        let names: Vec<_> = names.split(':').collect();
        let mut passed = ListenFd::from_env();
        let mut sockets = Self::default();
        for place in 0..passed.len() {
            let Some(socket) = passed.take_tcp_listener(place)? else { continue };
            let is_secure = names.get(place).is_some_and(|name| *name == SECURE);
            let taken = if is_secure { &mut sockets.secure } else { &mut sockets.plain };
            if taken.replace(socket).is_some() {
                return Err(SocketsError::TooMany);
            }
        }
        Ok(sockets)
    }

    /// Sockets that another process of the gateway has bound.
    #[must_use]
    pub const fn of(plain: Option<net::TcpListener>, secure: Option<net::TcpListener>) -> Self {
        Self { plain, secure }
    }

    /// The socket for HTTP, bound to `addr` unless the service manager has given one.
    ///
    /// # Errors
    /// If `bind` fails.
    pub async fn plain(&mut self, addr: SocketAddr) -> io::Result<TcpListener> {
        given_or_bound(self.plain.take(), addr).await
    }

    /// The socket for HTTPS, likewise.
    ///
    /// # Errors
    /// If `bind` fails.
    pub async fn secure(&mut self, addr: SocketAddr) -> io::Result<TcpListener> {
        given_or_bound(self.secure.take(), addr).await
    }

    /// Whether the service manager has given a socket that nobody has taken.
    #[must_use]
    pub const fn is_one_left(&self) -> bool {
        self.plain.is_some() || self.secure.is_some()
    }
}

async fn given_or_bound(given: Option<net::TcpListener>, addr: SocketAddr) -> io::Result<TcpListener> {
    match given {
        Some(socket) => {
            socket.set_nonblocking(true)?;
            TcpListener::from_std(socket)
        }
        None => TcpListener::bind(addr).await,
    }
}
