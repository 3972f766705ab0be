//! Where one process passes on to the next what still comes over its own connections.
//!
//! It does not know what is passed on.

use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener};
use std::os::fd::OwnedFd;

use http::uri::{Authority, Scheme};
use ipnet::IpNet;

use super::dialogue::HandoverError;
use crate::server::{Limits, Listener, Phases, TrustedProxies};
use crate::supervisor::random;
use crate::upstream::client::Target;

/// The socket at which one process passes requests on to the next. It is handed on as the others are, so that it leads to whichever
/// process serves.
#[derive(Debug)]
pub(super) struct BackDoor {
    pub(super) socket: OwnedFd,
    pub(super) address: SocketAddr,
    /// What is believed there.
    pub(super) secret: String,
}

impl BackDoor {
    /// A new one, which nobody else on this machine may use who does not know its secret.
    pub(super) fn new() -> io::Result<Self> {
        let socket = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        socket.set_nonblocking(true)?;
        let address = socket.local_addr()?;
        Ok(Self { socket: socket.into(), address, secret: format!("{:032x}", random()) })
    }

    /// Accepts what is passed on, from this machine alone: no connection is refused for being one too many of its address.
    pub(super) fn listener(&self, phases: Phases) -> io::Result<Listener> {
        let socket = tokio::net::TcpListener::from_std(TcpListener::from(self.socket.try_clone()?))?;
        let this_machine = TrustedProxies::new(vec![IpNet::from(IpAddr::from(Ipv4Addr::LOCALHOST))]);
        let limits = Limits { trusted_proxies: this_machine, ..Limits::default() };
        Ok(Listener::on(socket)?.limited(limits).following(phases))
    }

    pub(super) fn target(&self) -> Result<Target, HandoverError> {
        let authority =
            Authority::try_from(self.address.to_string()).map_err(|_| HandoverError::Unexpected)?;
        Ok(Target { scheme: Scheme::HTTP, authority })
    }
}
