//! The places of connections below the limit, as [`Connections`] gives them out.

use std::collections::BTreeMap;
use std::fmt;
use std::net::IpAddr;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use domain::connections::{Arrival, ConnectionId, Connections, DEFAULT_LIMIT, Whose};
use domain::reason::ConnectionEnd;
use http::{Response, StatusCode};
use http_body::{Frame, SizeHint};
use ipnet::IpNet;
use tokio::sync::Notify;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::body::{Body, BoxError};

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
    goers: BTreeMap<ConnectionId, Goer>,
    complained: Option<Instant>,
}

/// A connection that may have to make room.
struct Goer {
    /// Tells it to.
    told: CancellationToken,
    activity: Arc<Activity>,
}

/// What a connection is doing. Read only where the limit is near, so that requests need not lock anything.
struct Activity {
    since: Instant,
    /// Whether a whole request has arrived.
    asked: AtomicBool,
    /// The requests that are being answered; one more once it has left HTTP.
    answering: AtomicUsize,
    /// When the last one was answered, in milliseconds `since` it was accepted.
    answered_at: AtomicU64,
}

impl Activity {
    fn idle(&self) -> Option<Duration> {
        let is_idle = self.answering.load(Ordering::Acquire) == 0;
        let answered_at = Duration::from_millis(self.answered_at.load(Ordering::Relaxed));
        is_idle.then(|| self.since.elapsed().saturating_sub(answered_at))
    }
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
                // A connection that becomes idle meanwhile need not go earlier.
                Arrival::Full { wait, .. } => drop(tokio::time::timeout(wait, freed).await),
            }
        }
    }

    fn arrive(&self, whose: Whose) -> Arrival {
        let mut book = self.0.book();
        let Book { connections, goers, .. } = &mut *book;
        let idle = |id| goers.get(&id).filter(|goer| !goer.told.is_cancelled())?.activity.idle();
        let arrival = connections.arrive(whose, idle);
        match arrival {
            Arrival::Accepted(_) => {
                let goes = connections.crowded_out(idle);
                book.tell(goes);
            }
            Arrival::Refused(reason) => {
                book.complain(|| tracing::warn!(reason = reason.as_str(), from = ?whose, "few connections are free, and one was refused (clients.connections; a proxy belongs into trusted_proxies)"));
            }
            Arrival::Full { goes, .. } => {
                book.tell(goes);
                book.complain(|| tracing::warn!("the limit of connections is reached (clients.connections)"));
            }
        }
        arrival
    }

    fn place(&self, id: ConnectionId) -> Place {
        let told = CancellationToken::new();
        let activity = Arc::new(Activity {
            since: Instant::now(),
            asked: AtomicBool::default(),
            answering: AtomicUsize::default(),
            answered_at: AtomicU64::default(),
        });
        let goer = Goer { told: told.clone(), activity: Arc::clone(&activity) };
        self.0.book().goers.insert(id, goer);
        Place(Stay { id, told, activity, shared: Arc::clone(&self.0) })
    }
}

impl Shared {
    fn book(&self) -> MutexGuard<'_, Book> {
        self.book.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Book {
    /// Tells a connection to make room.
    fn tell(&self, goes: Option<ConnectionId>) {
        if let Some(goer) = goes.and_then(|id| self.goers.get(&id)) {
            goer.told.cancel();
        }
    }

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
    activity: Arc<Activity>,
    shared: Arc<Shared>,
}

impl Stay {
    /// A whole request has arrived, which is being answered until the value is dropped.
    pub(super) fn asked(&self) -> Answering {
        // Only the first needs the book.
        if !self.activity.asked.swap(true, Ordering::Relaxed) {
            self.shared.book().connections.asked(self.id);
        }
        Answering::new(&self.activity)
    }

    /// Waits until the connection has to go.
    pub(super) async fn over(&self) -> ConnectionEnd {
        loop {
            let age = self.activity.since.elapsed();
            let left = self.shared.book().connections.time_left(self.id, age);
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

/// A request that is being answered.
pub(super) struct Answering(Arc<Activity>);

impl Answering {
    fn new(activity: &Arc<Activity>) -> Self {
        activity.answering.fetch_add(1, Ordering::AcqRel);
        Self(Arc::clone(activity))
    }

    /// The answer, which ends with its body. One that leaves HTTP never does.
    pub(super) fn with(self, answer: Response<Body>) -> Response<Answered> {
        if answer.status() == StatusCode::SWITCHING_PROTOCOLS {
            self.0.answering.fetch_add(1, Ordering::AcqRel);
        }
        answer.map(|body| Answered { body, _answering: self })
    }
}

impl Drop for Answering {
    fn drop(&mut self) {
        let age = u64::try_from(self.0.since.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.0.answered_at.store(age, Ordering::Relaxed);
        self.0.answering.fetch_sub(1, Ordering::AcqRel);
    }
}

/// The body of an answer, with whose end the request is answered.
pub(super) struct Answered {
    body: Body,
    _answering: Answering,
}

impl http_body::Body for Answered {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        Pin::new(&mut self.body).poll_frame(cx)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
