//! The places of connections below the limit, as [`Connections`] gives them out.

use std::collections::BTreeMap;
use std::fmt;
use std::net::IpAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use domain::connections::{Arrival, ConnectionId, Connections, DEFAULT_LIMIT, Whose};
use domain::reason::ConnectionEnd;
use ipnet::IpNet;
use tokio::sync::Notify;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

/// The log tells of refusals at most this often.
const COMPLAINT: Duration = Duration::from_secs(60);

/// How many connections there may be, and whose have no share.
#[derive(Clone, Debug)]
pub struct Limits {
    /// The maximum number of connections that are open at once, tunnels included. At least 1.
    pub connections: usize,
    /// The proxies behind which are many clients.
    pub trusted_proxies: Vec<IpNet>,
}

impl Default for Limits {
    fn default() -> Self {
        Self { connections: DEFAULT_LIMIT, trusted_proxies: Vec::new() }
    }
}

/// Whether `address` is one of the `trusted` proxies.
#[must_use]
pub fn is_trusted(address: Option<IpAddr>, trusted: &[IpNet]) -> bool {
    address.is_some_and(|ip| trusted.iter().any(|net| net.contains(&ip.to_canonical())))
}

/// Gives out the places. Clones share them.
#[derive(Clone)]
pub(super) struct Places(Arc<Shared>);

struct Shared {
    trusted: Vec<IpNet>,
    book: Mutex<Book>,
    freed: Notify,
}

struct Book {
    connections: Connections,
    /// Tells a stranger to make room.
    goers: BTreeMap<ConnectionId, CancellationToken>,
    complained: Option<Instant>,
}

impl Places {
    pub(super) fn new(limits: Limits) -> Self {
        let connections = Connections::new(limits.connections);
        let book = Mutex::new(Book { connections, goers: BTreeMap::new(), complained: None });
        Self(Arc::new(Shared { trusted: limits.trusted_proxies, book, freed: Notify::new() }))
    }

    /// A place for a connection from `address`, which waits at the limit; or the reason to close it.
    pub(super) async fn admit(&self, address: IpAddr) -> Result<Place, ConnectionEnd> {
        let trusted = is_trusted(Some(address), &self.0.trusted);
        let whose = if trusted { Whose::TrustedProxy } else { Whose::Client(address) };
        loop {
            let freed = self.0.freed.notified();
            tokio::pin!(freed);
            freed.as_mut().enable();
            match self.arrive(whose) {
                Arrival::Accepted(id) => return Ok(self.place(id)),
                Arrival::Refused(reason) => return Err(reason),
                Arrival::Full(_) => freed.await,
            }
        }
    }

    fn arrive(&self, whose: Whose) -> Arrival {
        let mut book = self.0.book();
        let arrival = book.connections.arrive(whose);
        match arrival {
            Arrival::Accepted(_) => {}
            Arrival::Refused(reason) => {
                book.complain(|| tracing::warn!(reason = reason.as_str(), from = ?whose, "few connections are free, and one was refused (clients.connections; a proxy belongs into trusted_proxies)"));
            }
            Arrival::Full(goes) => {
                if let Some(told) = goes.and_then(|id| book.goers.get(&id)) {
                    told.cancel();
                }
                book.complain(|| tracing::warn!("the limit of connections is reached (clients.connections)"));
            }
        }
        arrival
    }

    fn place(&self, id: ConnectionId) -> Place {
        let told = CancellationToken::new();
        self.0.book().goers.insert(id, told.clone());
        let asked = Arc::default();
        Place(Stay { id, told, since: Instant::now(), asked, shared: Arc::clone(&self.0) })
    }
}

impl Shared {
    fn book(&self) -> MutexGuard<'_, Book> {
        self.book.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Book {
    fn complain(&mut self, log: impl FnOnce()) {
        if self.complained.is_none_or(|at| at.elapsed() >= COMPLAINT) {
            self.complained = Some(Instant::now());
            log();
        }
    }
}

/// A connection's place, which is free again when this is dropped.
pub(super) struct Place(Stay);

impl Place {
    pub(super) fn stay(&self) -> Stay {
        self.0.clone()
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut book = self.0.shared.book();
        book.connections.ended(self.0.id);
        book.goers.remove(&self.0.id);
        drop(book);
        self.0.shared.freed.notify_waiters();
    }
}

impl fmt::Debug for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Place").field(&self.0.id).finish()
    }
}

/// How long a connection may stay in its place.
#[derive(Clone)]
pub(super) struct Stay {
    id: ConnectionId,
    told: CancellationToken,
    since: Instant,
    /// Spares the book's lock for all requests but the first.
    asked: Arc<AtomicBool>,
    shared: Arc<Shared>,
}

impl Stay {
    /// A whole request has arrived.
    pub(super) fn asked(&self) {
        if !self.asked.swap(true, Ordering::Relaxed) {
            self.shared.book().connections.asked(self.id);
        }
    }

    /// Waits until the connection has to go; for ever if it has asked.
    pub(super) async fn over(&self) -> ConnectionEnd {
        loop {
            let left = self.shared.book().connections.time_left(self.id, self.since.elapsed());
            let timer = async {
                match left {
                    Some(left) => tokio::time::sleep(left).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                biased;
                () = self.told.cancelled() => return ConnectionEnd::MadeRoom,
                () = timer => {}
            }
            if left.is_some_and(|left| left.is_zero()) {
                return ConnectionEnd::NoRequest;
            }
        }
    }
}
