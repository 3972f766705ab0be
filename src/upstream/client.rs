//! The pooled HTTP/1.1 client of the one media server.
//!
//! It handles sockets, deadlines and the one safe retry. It sends the headers it is given, `Host` included, and does not know which
//! belong on a request.

use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http::uri::{Authority, PathAndQuery, Scheme};
use http::{Extensions, Method, Request, Response, Uri, Version};
use http_body::{Body as _, Frame, SizeHint};
use hyper::body::Incoming;
use hyper::upgrade::Upgraded;
use hyper_rustls::MaybeHttpsStream;
use hyper_util::client::legacy;
use hyper_util::client::legacy::connect::{CaptureConnection, capture_connection};
use hyper_util::rt::{TokioExecutor, TokioTimer};
use tokio::time::Instant;

use crate::body::paced::Paced;
use crate::body::{self, Body, BoxError};
use crate::telemetry::counts::Counts;
use crate::wire::Error;
use crate::wire::connector::{Abandoned, Answered, Conn, Connector, connector};
use crate::wire::trust::ClientTls;

/// An idle connection is closed after this time: before Kestrel closes it (130 s) while a request of ours is on its way.
const POOL_IDLE: Duration = Duration::from_secs(60);

/// The number of idle connections that are kept for the next burst of requests.
const POOL_SIZE: usize = 64;

/// The address of the media server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    /// `http` or `https`.
    pub scheme: Scheme,
    /// The host, and the port where it is not the scheme's default.
    pub authority: Authority,
}

/// The client's deadlines.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timeouts {
    /// For a new connection: name lookup, TCP and TLS together.
    pub connect: Duration,
    /// For the response head, counted from the last byte of the request.
    pub response: Duration,
}

impl Default for Timeouts {
    /// 3 s, and 5 min: Jellyfin holds a `live.m3u8` while a slow tuner starts.
    fn default() -> Self {
        Self { connect: Duration::from_secs(3), response: Duration::from_secs(300) }
    }
}

/// The client. Clones share its pool.
#[derive(Clone, Debug)]
pub struct Client {
    pool: legacy::Client<Connector, Body>,
    target: Target,
    timeouts: Timeouts,
    health: Health,
}

/// How the server is, as its last answers show. Clones share it.
#[derive(Clone, Debug)]
pub struct Health {
    is_away: Arc<AtomicBool>,
    failures: Counts,
}

impl Default for Health {
    fn default() -> Self {
        Self { is_away: Arc::default(), failures: Counts::of(Error::SPELLINGS.len()) }
    }
}

impl Health {
    /// Whether the last request found nobody to connect to.
    #[must_use]
    pub fn is_away(&self) -> bool {
        self.is_away.load(Ordering::Relaxed)
    }

    /// The requests without an answer, by reason.
    pub fn failures(&self) -> impl Iterator<Item = (&'static str, u64)> {
        Error::SPELLINGS.into_iter().enumerate().map(|(kind, reason)| (reason, self.failures.get(kind)))
    }

    fn note(&self, answer: Result<(), &Error>) {
        match answer {
            Ok(()) => self.is_away.store(false, Ordering::Relaxed),
            Err(error) => {
                if error.is_away() {
                    self.is_away.store(true, Ordering::Relaxed);
                }
                let kind = Error::SPELLINGS.iter().position(|reason| *reason == error.as_str());
                kind.into_iter().for_each(|kind| self.failures.add(kind));
            }
        }
    }
}

impl Client {
    /// Creates a client without connections; the first request opens one. Over TLS it trusts the authorities of the system.
    #[must_use]
    pub fn new(target: Target, timeouts: Timeouts) -> Self {
        let is_secure = target.scheme == Scheme::HTTPS;
        let tls = if is_secure { ClientTls::of_system() } else { ClientTls::unneeded() };
        Self::trusting(tls, target, timeouts)
    }

    /// The same, with what `tls` says about TLS.
    #[must_use]
    pub fn trusting(tls: ClientTls, target: Target, timeouts: Timeouts) -> Self {
        let pool = legacy::Client::builder(TokioExecutor::new())
            .pool_timer(TokioTimer::new())
            .pool_idle_timeout(POOL_IDLE)
            .pool_max_idle_per_host(POOL_SIZE)
            .build(connector(tls, timeouts.connect));
        Self { pool, target, timeouts, health: Health::default() }
    }

    /// How the server is.
    #[must_use]
    pub const fn health(&self) -> &Health {
        &self.health
    }

    /// Sends one request, whose URI is path and query, and returns as soon as the response head has arrived.
    ///
    /// A GET or HEAD without a body is sent a second time if the server turns out to have closed the pooled connection before
    /// it sent a response head (RFC 9110 9.2.2). No other request is ever sent twice.
    ///
    /// # Errors
    /// If no response head arrives. Dropping the future, or the response's body, ends the upstream request.
    pub async fn send(&self, request: Request<Body>) -> Result<Response<Incoming>, Error> {
        let answer = self.sent(request).await;
        self.health.note(answer.as_ref().map(|_| ()));
        answer
    }

    async fn sent(&self, request: Request<Body>) -> Result<Response<Incoming>, Error> {
        let request = self.addressed(request)?;
        let again = repeatable(&request);
        match self.exchange(request).await {
            Err(Failure { stale: true, error }) => match again {
                Some(request) => {
                    tracing::debug!(
                        reason = error.as_str(),
                        "the server had closed a pooled connection; the request is sent again"
                    );
                    self.exchange(request).await.map_err(|failure| failure.error)
                }
                None => Err(error),
            },
            answer => answer.map_err(|failure| failure.error),
        }
    }

    fn addressed(&self, request: Request<Body>) -> Result<Request<Body>, Error> {
        let (mut parts, body) = request.into_parts();
        let path = parts.uri.into_parts().path_and_query.unwrap_or_else(|| PathAndQuery::from_static("/"));
        parts.uri = Uri::builder()
            .scheme(self.target.scheme.clone())
            .authority(self.target.authority.clone())
            .path_and_query(path)
            .build()
            .map_err(|error| Error::Target(error.into()))?;
        parts.version = Version::HTTP_11;
        Ok(Request::from_parts(parts, body))
    }

    async fn exchange(&self, request: Request<Body>) -> Result<Response<Incoming>, Failure> {
        let progress = Progress::default();
        let mut request = request.map(|body| progress.follow(body));
        let connection = (!request.body().is_end_stream()).then(|| capture_connection(&mut request));
        let mut answer = self.pool.request(request);
        // Dropped before the answer, whose end has hyper look at the connection.
        let mut wanted = Wanted(connection);
        loop {
            let deadline = progress.last() + self.timeouts.response;
            match tokio::time::timeout_at(deadline, &mut answer).await {
                Ok(Ok(response)) => {
                    wanted.0 = None;
                    if let Some(answered) = response.extensions().get::<Answered>() {
                        answered.set();
                    }
                    return Ok(response);
                }
                Ok(Err(error)) => return Err(Failure::new(error)),
                Err(_) if progress.last() + self.timeouts.response > deadline => {}
                Err(_) => return Err(Failure { error: Error::ResponseTimeout, stale: false }),
            }
        }
    }
}

/// A request whose answer is waited for. If the value is dropped meanwhile, the rest of the request need not be sent.
struct Wanted(Option<CaptureConnection>);

impl Drop for Wanted {
    fn drop(&mut self) {
        let Some(connection) = self.0.take() else { return };
        let mut extras = Extensions::new();
        if let Some(connected) = connection.connection_metadata().as_ref() {
            // The answer may have arrived just now: then the connection would be kept for others.
            connected.poison();
            connected.get_extras(&mut extras);
        }
        if let Some(abandoned) = extras.get::<Abandoned>() {
            abandoned.set();
        }
    }
}

/// Ends an upgraded connection with a RST, so that the server notices at once, and does not take it for an orderly end.
pub fn reset(upgraded: Upgraded) {
    let Ok(parts) = upgraded.downcast::<MaybeHttpsStream<Conn>>() else { return };
    let ended = match &parts.io {
        MaybeHttpsStream::Http(conn) => conn.reset(),
        MaybeHttpsStream::Https(tls) => tls.inner().get_ref().0.inner().reset(),
    };
    if let Err(error) = ended {
        tracing::debug!(%error, "cannot reset a connection to the server");
    }
}

/// An exchange without an answer. `stale` if its connection had carried an answer before, and then ended.
struct Failure {
    error: Error,
    stale: bool,
}

impl Failure {
    fn new(error: legacy::Error) -> Self {
        let mut extras = Extensions::new();
        if let Some(connected) = error.connect_info() {
            connected.get_extras(&mut extras);
        }
        let pooled = extras.get::<Answered>().is_some_and(Answered::get);
        let error = Error::from(error);
        let stale = pooled && matches!(error, Error::Closed(_) | Error::Incomplete(_));
        Self { error, stale }
    }
}

/// A copy of a request that may be sent twice. An upgrade may not: once it is answered, its connection is no longer HTTP.
fn repeatable(request: &Request<Body>) -> Option<Request<Body>> {
    let safe = matches!(*request.method(), Method::GET | Method::HEAD);
    if !safe || !request.body().is_end_stream() || request.headers().contains_key(http::header::UPGRADE) {
        return None;
    }
    let mut again = Request::new(body::empty());
    *again.method_mut() = request.method().clone();
    *again.uri_mut() = request.uri().clone();
    *again.headers_mut() = request.headers().clone();
    Some(again)
}

/// The time at which a request's body last moved. The deadline for the answer counts from there, as an upload may be long.
#[derive(Clone)]
struct Progress(Arc<Mutex<Instant>>);

impl Default for Progress {
    fn default() -> Self {
        Self(Arc::new(Mutex::new(Instant::now())))
    }
}

impl Progress {
    fn last(&self) -> Instant {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn follow(&self, body: Body) -> Body {
        if body.is_end_stream() {
            return body;
        }
        body::boxed(Followed { body: Paced::new(body), progress: self.clone() })
    }
}

struct Followed {
    body: Paced,
    progress: Progress,
}

impl http_body::Body for Followed {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        let polled = Pin::new(&mut self.body).poll_frame(cx);
        if polled.is_ready() {
            *self.progress.0.lock().unwrap_or_else(PoisonError::into_inner) = Instant::now();
        }
        polled
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
