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
use domain::connections::{Arrival, ConnectionId, Connections, DEFAULT_LIMIT, Rest, Whose};
use domain::reason::ConnectionEnd;
use http::{Response, StatusCode};
use http_body::{Frame, SizeHint};
use ipnet::IpNet;
use tokio::sync::Notify;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::body::paced::Paced;
use crate::body::{Body, BoxError};
use crate::wire::read_size::Share;
use crate::wire::tagged::Writes;

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
    /// Whether the last request had a body, some of which may still come when it has been answered.
    has_body: AtomicBool,
    /// The requests that are being answered; one more once it has left HTTP.
    answering: AtomicUsize,
    /// Whether it has left HTTP: what carries its bytes is not told to go.
    is_tunnel: AtomicBool,
    /// When the last answer was taken, in milliseconds `since` it was accepted.
    answered_at: AtomicU64,
    /// Since when the client has taken nothing of what is to be written, in the same milliseconds; 0 if it takes it.
    stalled_at: AtomicU64,
}

impl Activity {
    fn age(&self) -> u64 {
        u64::try_from(self.since.elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    /// Whether the last request and its answer have passed whole.
    fn is_done(&self) -> bool {
        let has_body = self.has_body.load(Ordering::Relaxed);
        self.asked.load(Ordering::Relaxed) && !has_body && !self.is_stalled()
    }

    fn is_stalled(&self) -> bool {
        self.stalled_at.load(Ordering::Relaxed) > 0
    }

    fn rest(&self) -> Option<Rest> {
        if self.is_tunnel.load(Ordering::Relaxed) {
            return None;
        }
        let stalled_at = self.stalled_at.load(Ordering::Relaxed);
        if stalled_at > 0 {
            return Some(Rest::Stalled(Duration::from_millis(self.age().saturating_sub(stalled_at))));
        }
        self.idle().map(Rest::Idle)
    }

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

    /// Ends connections whose clients have stopped reading, if memory `is_short`. It is asked only if there are such connections.
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
                "memory is short: connections end whose clients have read nothing for the longest time"
            )
        });
    }

    fn place(&self, id: ConnectionId) -> Place {
        let told = CancellationToken::new();
        let activity = Arc::new(Activity {
            since: Instant::now(),
            asked: AtomicBool::default(),
            has_body: AtomicBool::default(),
            answering: AtomicUsize::default(),
            is_tunnel: AtomicBool::default(),
            answered_at: AtomicU64::default(),
            stalled_at: AtomicU64::default(),
        });
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
        let Activity { stalled_at, answered_at, .. } = &*self.0.activity;
        match (is_taken, stalled_at.load(Ordering::Relaxed)) {
            (true, 0) | (false, 1..) => {}
            (true, 1..) => {
                // The body may have been handed out whole long before.
                answered_at.fetch_max(self.0.activity.age(), Ordering::Relaxed);
                stalled_at.store(0, Ordering::Relaxed);
            }
            (false, 0) => stalled_at.store(self.0.activity.age().max(1), Ordering::Relaxed),
        }
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
    /// The head of a request has arrived, which is being answered until the value is dropped.
    pub(super) fn asked(&self, has_body: bool) -> Answering {
        self.activity.has_body.store(has_body, Ordering::Relaxed);
        // Only the first needs the book.
        if !self.activity.asked.swap(true, Ordering::Relaxed) {
            self.shared.book().connections.asked(self.id);
        }
        Answering::new(&self.activity)
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
        self.activity.answered_at.load(Ordering::Relaxed)
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
                () = self.told.cancelled() => {
                    let is_stalled = self.activity.is_stalled();
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

/// A request that is being answered.
pub(super) struct Answering {
    activity: Arc<Activity>,
    _share: Share,
}

impl Answering {
    fn new(activity: &Arc<Activity>) -> Self {
        activity.answering.fetch_add(1, Ordering::AcqRel);
        Self { activity: Arc::clone(activity), _share: Share::new() }
    }

    /// The answer, which ends with its body. One that leaves HTTP never does.
    pub(super) fn with(self, answer: Response<Body>) -> Response<Answered> {
        if answer.status() == StatusCode::SWITCHING_PROTOCOLS {
            self.activity.answering.fetch_add(1, Ordering::AcqRel);
            self.activity.is_tunnel.store(true, Ordering::Relaxed);
        }
        answer.map(|body| Answered { body: Paced::new(body), _answering: self })
    }
}

impl Drop for Answering {
    fn drop(&mut self) {
        self.activity.answered_at.store(self.activity.age(), Ordering::Relaxed);
        self.activity.answering.fetch_sub(1, Ordering::AcqRel);
    }
}

/// The body of an answer, with whose end the request is answered.
pub(super) struct Answered {
    body: Paced,
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
        drop(first.asked(false));
        for place in [&open[1], &open[2]] {
            advance(Duration::from_secs(1)).await;
            place.wrote(false);
        }
        let second = open[2].stay();
        drop(second.asked(false));
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

    /// Nothing would come of it, and the next connection would wait in vain for the place.
    #[tokio::test(start_paused = true)]
    async fn a_tunnel_is_not_told_to_go() {
        let places = Places::new(Limits::default());
        let place = places.admit(LOCAL).await.unwrap();
        let mut switching = Response::new(crate::body::empty());
        *switching.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
        drop(place.stay().asked(false).with(switching));
        place.wrote(false);
        advance(Duration::from_secs(60)).await;
        places.relieve(|| panic!("no connection is to go"));
        assert_eq!(place.0.activity.rest(), None);
    }

    #[tokio::test(start_paused = true)]
    async fn who_takes_the_end_of_an_answer_late_has_been_idle_since_then() {
        let places = Places::new(Limits::default());
        let place = places.admit(LOCAL).await.unwrap();
        drop(place.stay().asked(false));
        place.wrote(false);
        advance(Duration::from_secs(30)).await;
        assert_eq!(place.0.activity.rest(), Some(Rest::Stalled(Duration::from_millis(29_999))));
        place.wrote(true);
        assert_eq!(place.0.activity.rest(), Some(Rest::Idle(Duration::ZERO)));
        advance(Duration::from_secs(3)).await;
        assert_eq!(place.0.activity.rest(), Some(Rest::Idle(Duration::from_secs(3))));
    }

    #[tokio::test(start_paused = true)]
    async fn a_connection_is_idle_once_its_answer_has_been_taken() {
        let places = Places::new(Limits::default());
        let place = places.admit(LOCAL).await.unwrap();
        let stay = place.stay();
        let long = Duration::from_secs(10);
        let idle = |before| timeout(Duration::from_secs(30), stay.idle_for(long, before));
        idle(None).await.unwrap_err();
        let answering = stay.asked(false);
        idle(None).await.unwrap_err();
        drop(answering);
        place.wrote(false);
        idle(None).await.unwrap_err();
        place.wrote(true);
        idle(None).await.unwrap();
        idle(Some(stay.answered_at())).await.unwrap_err();
        drop(stay.asked(true));
        idle(Some(0)).await.expect_err("the rest of the request may still come");
        drop(stay.asked(false));
        let begun = Instant::now();
        idle(Some(0)).await.unwrap();
        assert!(begun.elapsed() >= long);
    }
}
