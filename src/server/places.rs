//! The places of connections below the limit, as [`Connections`] gives them out.

use std::collections::BTreeMap;
use std::fmt;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use domain::connections::{Arrival, ConnectionId, Connections, DEFAULT_LIMIT, Rest, Whose};
use domain::reason::ConnectionEnd;
use http::Request;
use hyper::body::Incoming;
use tokio::sync::Notify;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::server::activity::{Activity, Answering, Upload};
use crate::server::trusted_proxies::TrustedProxies;
use crate::telemetry::counts::Counts;
use crate::wire::tagged::Writes;

/// The log tells of refusals at most this often.
const COMPLAINT: Duration = Duration::from_secs(60);

/// How many connections there may be, and whose have no share.
#[derive(Clone, Debug)]
pub struct Limits {
    /// The maximum number of connections that are open at once, tunnels included. At least 1.
    pub connections: usize,
    /// The proxies behind which are many clients.
    pub trusted_proxies: TrustedProxies,
    /// Counts the connections that are refused or ended, by [`ConnectionEnd`].
    pub ends: Counts,
}

impl Default for Limits {
    fn default() -> Self {
        let ends = Counts::of(ConnectionEnd::ALL.len());
        Self { connections: DEFAULT_LIMIT, trusted_proxies: TrustedProxies::default(), ends }
    }
}

/// Gives out the places. Clones share them.
#[derive(Clone)]
pub(super) struct Places(Arc<Shared>);

struct Shared {
    trusted: TrustedProxies,
    ends: Counts,
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

impl Places {
    pub(super) fn new(limits: Limits) -> Self {
        let connections = Connections::new(limits.connections);
        let book = Mutex::new(Book { connections, goers: BTreeMap::new(), complained: None });
        let Limits { trusted_proxies: trusted, ends, .. } = limits;
        Self(Arc::new(Shared { trusted, ends, book, freed: Notify::new() }))
    }

    /// Whether `address` is a trusted proxy's.
    pub(super) fn trusts(&self, address: IpAddr) -> bool {
        self.0.trusted.contain(Some(address))
    }

    /// A place for a connection from `address`, which waits at the limit; or the reason to close it.
    pub(super) async fn admit(&self, address: IpAddr) -> Result<Place, ConnectionEnd> {
        let whose = if self.trusts(address) { Whose::TrustedProxy } else { Whose::Client(address) };
        loop {
            let freed = self.0.freed.notified();
            tokio::pin!(freed);
            freed.as_mut().enable();
            match self.arrive(whose) {
                Arrival::Accepted(id) => return Ok(self.place(id)),
                Arrival::Refused(reason) => {
                    self.0.ends.add(reason as usize);
                    return Err(reason);
                }
                // A connection that becomes idle meanwhile need not go earlier.
                Arrival::Full { wait, .. } => drop(tokio::time::timeout(wait, freed).await),
            }
        }
    }

    fn arrive(&self, whose: Whose) -> Arrival {
        let mut book = self.0.book();
        let Book { connections, goers, .. } = &mut *book;
        let rest = |id| rest(goers, id);
        let arrival = connections.arrive(whose, rest);
        match arrival {
            Arrival::Accepted(_) => {
                let goes = connections.crowded_out(rest);
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

    /// Ends connections over which nothing moves, since the client or the server has stopped reading, if memory `is_short`. It is asked only if there are such connections.
    pub(super) fn relieve(&self, is_short: impl FnOnce() -> bool) {
        let mut book = self.0.book();
        let ends = book.connections.out_of_memory(|id| rest(&book.goers, id));
        if ends.is_empty() || !is_short() {
            return;
        }
        for id in &ends {
            book.tell(Some(*id));
        }
        book.complain(|| {
            tracing::warn!(
                connections = ends.len(),
                reason = ConnectionEnd::Stalled.as_str(),
                "memory is short: connections end over which nothing has moved for the longest time"
            )
        });
    }

    /// Connections cannot be accepted, which the log is told once in a while: it is tried again and again.
    pub(super) fn none_is_accepted(&self, error: &std::io::Error) {
        self.0.book().complain(|| tracing::warn!(%error, "cannot accept a connection"));
    }

    fn place(&self, id: ConnectionId) -> Place {
        let told = CancellationToken::new();
        let activity = Arc::new(Activity::new());
        let goer = Goer { told: told.clone(), activity: Arc::clone(&activity) };
        self.0.book().goers.insert(id, goer);
        Place(Stay { id, told, activity, shared: Arc::clone(&self.0) })
    }
}

/// How a connection rests; `None` if it has been told to go.
fn rest(goers: &BTreeMap<ConnectionId, Goer>, id: ConnectionId) -> Option<Rest> {
    goers.get(&id).filter(|goer| !goer.told.is_cancelled())?.activity.rest()
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

impl Writes for Place {
    fn is_abandoned(&self) -> bool {
        false
    }

    fn wrote(&self, is_taken: bool) {
        self.0.activity.wrote(is_taken);
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
    /// The head of a request has arrived, which is being answered until the value is dropped. The request's body is watched.
    pub(super) fn asked(&self, request: Request<Incoming>) -> (Answering, Request<Upload>) {
        let (answering, is_first) = self.activity.asked();
        // Only the first needs the book.
        if is_first {
            self.shared.book().connections.asked(self.id);
        }
        (answering, request.map(|body| Upload::new(body, &self.activity)))
    }

    /// Waits until nothing has been under way over the connection for `time`, and it has answered something since `before`.
    pub(super) async fn idle_for(&self, time: Duration, before: Option<u64>) {
        loop {
            match self
                .activity
                .idle()
                .filter(|_| before != Some(self.answered_at()) && self.activity.is_done())
            {
                Some(idle) if idle >= time => return,
                Some(idle) => tokio::time::sleep(time - idle).await,
                None => tokio::time::sleep(time).await,
            }
        }
    }

    /// When the last request was answered, in milliseconds of the connection's life.
    pub(super) fn answered_at(&self) -> u64 {
        self.activity.answered_at()
    }

    /// Waits until the connection has to go.
    pub(super) async fn over(&self) -> ConnectionEnd {
        let reason = self.has_to_go().await;
        self.shared.ends.add(reason as usize);
        reason
    }

    async fn has_to_go(&self) -> ConnectionEnd {
        loop {
            let age = self.activity.age();
            let left = self.shared.book().connections.time_left(self.id, age);
            let timer = async {
                match left {
                    Some(left) => tokio::time::sleep(left).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                biased;
                () = self.told.cancelled() => {
                    let is_stalled = matches!(self.activity.rest(), Some(Rest::Stalled(_)));
                    return if is_stalled { ConnectionEnd::Stalled } else { ConnectionEnd::MadeRoom };
                }
                () = timer => {}
            }
            if left.is_some_and(|left| left.is_zero()) {
                return ConnectionEnd::NoRequest;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use tokio::time::{advance, timeout};

    use super::*;

    const LOCAL: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

    #[tokio::test(start_paused = true)]
    async fn when_memory_is_short_the_connection_goes_that_stopped_reading_first() {
        let places = Places::new(Limits::default());
        let mut open = Vec::new();
        for _ in 0..3 {
            open.push(places.admit(LOCAL).await.unwrap());
        }
        let first = open[1].stay();
        drop(first.activity.asked());
        for place in [&open[1], &open[2]] {
            advance(Duration::from_secs(1)).await;
            place.wrote(false);
        }
        let second = open[2].stay();
        drop(second.activity.asked());
        places.relieve(|| panic!("nobody has stopped for long"));
        advance(Duration::from_secs(10)).await;
        places.relieve(|| false);
        timeout(Duration::from_secs(1), first.over()).await.unwrap_err();
        places.relieve(|| true);
        assert_eq!(first.over().await, ConnectionEnd::Stalled);
        timeout(Duration::from_secs(1), second.over()).await.unwrap_err();
        open[2].wrote(true);
        advance(Duration::from_secs(60)).await;
        places.relieve(|| panic!("the second reads again, and the first has been told"));
    }

    #[tokio::test(start_paused = true)]
    async fn a_connection_is_idle_once_its_answer_has_been_taken() {
        let places = Places::new(Limits::default());
        let place = places.admit(LOCAL).await.unwrap();
        let stay = place.stay();
        let long = Duration::from_secs(10);
        let idle = |before| timeout(Duration::from_secs(30), stay.idle_for(long, before));
        idle(None).await.unwrap_err();
        let answering = stay.activity.asked();
        idle(None).await.unwrap_err();
        drop(answering);
        place.wrote(false);
        idle(None).await.unwrap_err();
        place.wrote(true);
        idle(None).await.unwrap();
        idle(Some(stay.answered_at())).await.unwrap_err();
        drop(stay.activity.asked());
        let begun = Instant::now();
        idle(Some(0)).await.unwrap();
        assert!(begun.elapsed() >= long);
    }
}
