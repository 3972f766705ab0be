//! One accepted connection, with TLS or without: HTTP/2 if it begins with that protocol's preface, else HTTP/1.1.
//!
//! An HTTP/1.1 connection that has been idle for a while is parked: hyper's buffers for it, 24 KiB, are given back until it asks
//! for more.

use std::convert::Infallible;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;
use std::sync::Once;
use std::time::Duration;

use http::header::CONNECTION;
use http::{HeaderValue, StatusCode, Version};
use hyper::body::Incoming;
use hyper::server::conn::{http1, http2};
use hyper::service::{Service, service_fn};
use hyper::{Request, Response};
use hyper_util::rt::{TokioExecutor, TokioTimer};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use crate::background::noted;
use crate::body::Body;
use crate::server::activity::{Answered, Upload};
use crate::server::connection::Connection;
use crate::server::io::{Io, Transport};
use crate::server::phase::{Phase, Phases};
use crate::server::places::{Place, Stay};
use crate::server::proxy_protocol::{self, Client, HeaderError};
use crate::server::tls::Tls;
use crate::server::tunnels::Tunnels;

/// What an HTTP/2 connection begins with (RFC 9113 3.4).
const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// The deadline for a request head, hence also for the next request of an idle connection. The first has a deadline of its own.
const HEAD_TIMEOUT: Duration = domain::connections::IDLE;

/// The deadline for a PROXY header and the handshake of TLS.
const HANDSHAKE: Duration = Duration::from_secs(10);

/// How long a connection is idle until it is parked: a player that polls is never.
const PARKED_AFTER: Duration = Duration::from_secs(10);

/// The interval between pings on a silent HTTP/2 connection.
const PING_INTERVAL: Duration = Duration::from_secs(20);

/// The number of HTTP/2 requests in flight per connection, as most servers have it.
const MAX_STREAMS: u32 = 100;

/// The bytes that the fields of an HTTP/2 request may have: the 32 KiB that Jellyfin's server takes, and 32 for each of its 100 fields as
/// RFC 9113 6.5.2 counts.
const MAX_FIELDS: u32 = 36 << 10;

/// The HTTP/2 window of an upload in bytes: what may wait for a server that does not read. Enough for 100 Mbit/s at 80 ms; with 64 KiB a
/// client that holds small packets back (no TCP_NODELAY) sends 64 KiB every 40 ms.
const WINDOW: u32 = 1 << 20;

/// How many bytes of an answer HTTP/2 takes before they can be sent.
const SENT_AHEAD: usize = 32 << 10;

/// Who is at the other end of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Peer {
    /// The address of the TCP peer, or of the client that a PROXY header names.
    pub address: SocketAddr,
    /// Whether the connection is encrypted.
    pub is_secure: bool,
    /// Whether the address is that of a proxy which did not say whose connection it is.
    pub is_anonymous: bool,
}

impl Peer {
    /// The address that has to be a trusted proxy's for the peer's word about its client to count. Where a PROXY header names no client, the
    /// word is not the proxy's.
    #[must_use]
    pub fn speaks_as(&self) -> Option<IpAddr> {
        (!self.is_anonymous).then(|| self.address.ip().to_canonical())
    }
}

/// One accepted connection, and what its requests are told of it.
pub(super) struct Serving {
    pub peer: Peer,
    pub has_proxy_header: bool,
    pub tunnels: Tunnels,
    pub phases: Phases,
    pub shutdown: CancellationToken,
}

/// How a connection came to its end.
enum Ended {
    /// By itself.
    Closed,
    /// By us, since nothing came.
    Unused,
    /// Before its first request, for want of a PROXY header or of TLS.
    Unopened(io::Error),
    Failed(hyper::Error),
}

impl Serving {
    pub(super) async fn serve<S>(self, (stream, tls): (TcpStream, Option<Tls>), place: Place, service: S)
    where
        S: Service<Request<Upload>, Response = Response<Body>, Error = Infallible> + Clone + Send + 'static,
        S::Future: Send,
    {
        let (stay, asking) = (place.stay(), place.stay());
        let Self { peer: proxy, has_proxy_header, tunnels, phases, shutdown } = self;
        let end = Connection::default();
        let connection = end.clone();
        // Whoever waits for its end is told also of its death.
        let ended = noted("a connection", async {
            let serve = async {
                let opened = tokio::select! {
                    opened = opened((stream, proxy), has_proxy_header, tls) => opened,
                    () = shutdown.cancelled() => return Ended::Unused,
                };
                let (transport, peer) = match opened {
                    Ok(opened) => opened,
                    Err(error) => return Ended::Unopened(error),
                };
                // It moves from one parking to the next.
                let (service, serving) = (Box::new(service), phases.clone());
                let service = service_fn(move |request: Request<Incoming>| {
                    let (version, phases) = (request.version(), serving.clone());
                    let (answering, mut request) = asking.asked(request);
                    request.extensions_mut().insert(peer);
                    request.extensions_mut().insert(tunnels.clone());
                    request.extensions_mut().insert(connection.clone());
                    let answer = service.call(request);
                    async move {
                        answer.await.map(|mut answer| {
                            if phases.now() == Phase::HandedOver {
                                end_with(&mut answer, version);
                            }
                            answering.with(answer)
                        })
                    }
                });
                either(Io::new(transport, place), service, &stay, (&phases, &shutdown)).await
            };
            tokio::select! {
                ended = serve => Ok(ended),
                reason = stay.over() => Err(reason),
            }
        });
        let by_peer = match ended.await {
            Some(Ok(Ended::Closed)) => true,
            Some(Ok(Ended::Unused)) | None => false,
            Some(Ok(Ended::Unopened(error))) => {
                tracing::debug!(%error, peer = %proxy.address, "a connection ended before its first request");
                true
            }
            Some(Ok(Ended::Failed(error))) => {
                tracing::debug!(%error, peer = %proxy.address, "a connection ended with an error");
                !error.is_timeout()
            }
            Some(Err(reason)) => {
                tracing::debug!(peer = %proxy.address, reason = reason.as_str(), "a connection is ended");
                false
            }
        };
        end.ended(by_peer && !shutdown.is_cancelled());
    }
}

/// Has the connection end with this answer: the client's next one goes to the process that has taken this one's place. An idle connection
/// is not closed, since a request may be on its way over it.
fn end_with(answer: &mut Response<Body>, version: Version) {
    // HTTP/2 says it by a frame of its own.
    if version < Version::HTTP_2 && answer.status() != StatusCode::SWITCHING_PROTOCOLS {
        answer.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
    }
}

/// Reads who is at the other end of a connection if a proxy says that first, and speaks TLS on it if there is `tls` for it.
async fn opened(
    (mut stream, mut peer): (TcpStream, Peer),
    has_proxy_header: bool,
    tls: Option<Tls>,
) -> io::Result<(Transport, Peer)> {
    // Boxed, so that all the others need no room for it.
    if has_proxy_header {
        peer = match Box::pin(client_of(&mut stream, peer)).await? {
            Some(Client { address, is_secure }) => {
                Peer { address, is_secure: peer.is_secure || is_secure, is_anonymous: false }
            }
            None => Peer { is_anonymous: true, ..peer },
        };
    }
    let Some(tls) = tls else { return Ok((Transport::Left(stream), peer)) };
    let secured = Box::pin(timeout(HANDSHAKE, tls.accept(stream))).await;
    let secured = secured.map_err(|_| io::ErrorKind::TimedOut)??;
    Ok((Transport::Right(Box::new(secured)), peer))
}

/// Whose connection a proxy says it is.
async fn client_of(stream: &mut TcpStream, proxy: Peer) -> io::Result<Option<Client>> {
    static SAID: Once = Once::new();
    let header =
        timeout(HANDSHAKE, proxy_protocol::read(stream)).await.map_err(|_| io::ErrorKind::TimedOut)?;
    header.map_err(|error| match error {
        // As one that only looks whether the port is open.
        HeaderError::Io(error) => error,
        error => {
            SAID.call_once(|| {
                tracing::warn!(%error, proxy = %proxy.address.ip(), "a connection of a trusted proxy is closed: with proxy_protocol all of them have to begin with a PROXY header");
            });
            io::Error::other(error)
        }
    })
}

async fn either<S>(
    mut io: Io,
    service: S,
    stay: &Stay,
    (phases, shutdown): (&Phases, &CancellationToken),
) -> Ended
where
    S: Service<Request<Incoming>, Response = Response<Answered>, Error = Infallible> + Unpin + Send + 'static,
    S::Future: Send,
{
    // Whoever has asked already is answered.
    let begins = tokio::select! {
        biased;
        begins = io.begins_with(PREFACE) => begins,
        () = shutdown.cancelled() => return Ended::Unused,
    };
    match begins {
        // What was wrong is seen again by whoever reads on.
        Ok(false) | Err(_) => serve_http1(io, service, stay, shutdown).await,
        Ok(true) => {
            // Boxed, so that all the others need no room for it.
            Box::pin(serve_http2(io, service, (phases, shutdown))).await
        }
    }
}

async fn serve_http1<S>(mut io: Io, mut service: S, stay: &Stay, shutdown: &CancellationToken) -> Ended
where
    S: Service<Request<Incoming>, Response = Response<Answered>, Error = Infallible> + Unpin + Send + 'static,
    S::Future: Send,
{
    let mut parked_at = None;
    loop {
        let mut connection = Box::pin(http1().serve_connection(io, service).with_upgrades());
        let mut ending = false;
        loop {
            tokio::select! {
                biased;
                ended = &mut connection => return ended.map_or_else(Ended::Failed, |()| Ended::Closed),
                () = shutdown.cancelled(), if !ending => {
                    connection.as_mut().graceful_shutdown();
                    ending = true;
                }
                () = stay.idle_for(PARKED_AFTER, parked_at), if !ending => break,
            }
        }
        let Some(parts) = Pin::into_inner(connection).into_parts() else { return Ended::Closed };
        (io, service) = (parts.io, parts.service);
        parked_at = Some(stay.answered_at());
        if !parts.read_buf.is_empty() {
            io.put_back(parts.read_buf);
            continue;
        }
        // Empty as it is, it has its 8 KiB still.
        drop(parts.read_buf);
        tokio::select! {
            biased;
            readable = timeout(HEAD_TIMEOUT - PARKED_AFTER, io.readable()) => {
                if readable.is_err() {
                    return Ended::Unused;
                }
            }
            () = shutdown.cancelled() => return Ended::Unused,
        }
    }
}

async fn serve_http2<S>(io: Io, service: S, (phases, shutdown): (&Phases, &CancellationToken)) -> Ended
where
    S: Service<Request<Incoming>, Response = Response<Answered>, Error = Infallible> + Send + 'static,
    S::Future: Send,
{
    let mut connection = std::pin::pin!(http2().serve_connection(io, service));
    let ended = tokio::select! {
        biased;
        ended = &mut connection => ended,
        () = async { tokio::select! { () = shutdown.cancelled() => {} () = phases.handed_over() => {} } } => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    ended.map_or_else(Ended::Failed, |()| Ended::Closed)
}

/// With `half_close(false)` a client that closes its side counts as gone, and its request is cancelled.
fn http1() -> http1::Builder {
    let mut builder = http1::Builder::new();
    builder.timer(TokioTimer::new()).header_read_timeout(HEAD_TIMEOUT).half_close(false);
    builder
}

/// The protocol's options; those against floods are h2's own (docs/decisions/34-http2-floods.md).
fn http2() -> http2::Builder<TokioExecutor> {
    let mut builder = http2::Builder::new(TokioExecutor::new());
    builder
        .timer(TokioTimer::new())
        .keep_alive_interval(PING_INTERVAL)
        .keep_alive_timeout(PING_INTERVAL)
        .max_concurrent_streams(MAX_STREAMS)
        .max_header_list_size(MAX_FIELDS)
        .max_send_buf_size(SENT_AHEAD)
        .initial_stream_window_size(WINDOW)
        .initial_connection_window_size(4 * WINDOW);
    builder
}
