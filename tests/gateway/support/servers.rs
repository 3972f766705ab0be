//! A gateway that forwards everything to an origin, origins, HTTP clients, and bytes without a pattern.
//!
//! Every server ends when its value is dropped.

use std::convert::Infallible;
use std::future::Future;
use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use bytes::Bytes;
use http::uri::{Authority, Scheme};
use http::{Request, Response};
use http_body_util::BodyExt;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::client::legacy;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use warmgate::body::{self, Body};
use warmgate::proxy::forward::{Forwarder, Identity};
use warmgate::server::{Listener, TrustedProxies, Upload};
use warmgate::upstream::client::{Client, Target, Timeouts};
use warmgate::wire::trust::ClientTls;

use crate::support::wait::soon;

/// Any free port of the loopback interface.
pub(crate) const ANY: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 0);

/// A server. Dropping it ends it.
pub(crate) struct Server {
    pub(crate) addr: SocketAddr,
    pub(crate) stop: CancellationToken,
    task: JoinHandle<()>,
}

impl Server {
    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.addr)
    }

    /// Waits until it has ended by itself.
    pub(crate) async fn ended(mut self) {
        soon(&mut self.task).await.expect("the server panicked");
    }

    /// Ends it in an orderly way, and waits.
    pub(crate) async fn stopped(mut self) {
        self.stop.cancel();
        soon(&mut self.task).await.expect("the server panicked");
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.stop.cancel();
        self.task.abort();
    }
}

/// The settings of a test's gateway.
pub(crate) struct Setup {
    pub(crate) scheme: Scheme,
    /// Which servers it trusts, if not those that the system does.
    pub(crate) tls: Option<ClientTls>,
    pub(crate) identity: Identity,
    pub(crate) timeouts: Timeouts,
    pub(crate) grace: Duration,
}

impl Default for Setup {
    fn default() -> Self {
        Self {
            scheme: Scheme::HTTP,
            tls: None,
            identity: Identity { name: "gate".into(), trusted_proxies: TrustedProxies::default() },
            timeouts: Timeouts::default(),
            grace: Duration::from_secs(5),
        }
    }
}

/// A gateway that forwards everything to `origin`.
pub(crate) async fn gateway(origin: SocketAddr) -> Server {
    gateway_with(&origin.to_string(), Setup::default()).await
}

pub(crate) async fn gateway_with(authority: &str, setup: Setup) -> Server {
    let listener = Listener::bind(ANY).await.unwrap();
    gateway_on(listener, authority, setup)
}

pub(crate) fn gateway_on(listener: Listener, authority: &str, setup: Setup) -> Server {
    let target = Target { scheme: setup.scheme, authority: authority.parse::<Authority>().unwrap() };
    let client = match setup.tls {
        Some(tls) => Client::trusting(tls, target, setup.timeouts),
        None => Client::new(target, setup.timeouts),
    };
    let forwarder = Forwarder::new(client, setup.identity);
    let service = service_fn(move |request: Request<Upload>| {
        let forwarder = forwarder.clone();
        async move { Ok::<_, Infallible>(forwarder.forward(request.map(body::boxed)).await) }
    });
    let (addr, stop) = (listener.local_addr(), CancellationToken::new());
    let task = tokio::spawn(listener.serve(service, stop.clone(), setup.grace));
    Server { addr, stop, task }
}

/// The gateway's own server, whose responses come from `handler`.
pub(crate) async fn listen<F, R>(handler: F) -> Server
where
    F: Fn(Request<Upload>) -> R + Clone + Send + Sync + 'static,
    R: Future<Output = Response<Body>> + Send + 'static,
{
    listen_on(Listener::bind(ANY).await.unwrap(), handler)
}

pub(crate) fn listen_on<F, R>(listener: Listener, handler: F) -> Server
where
    F: Fn(Request<Upload>) -> R + Clone + Send + Sync + 'static,
    R: Future<Output = Response<Body>> + Send + 'static,
{
    let service = service_fn(move |request| {
        let answer = handler(request);
        async move { Ok::<_, Infallible>(answer.await) }
    });
    let (addr, stop) = (listener.local_addr(), CancellationToken::new());
    let task = tokio::spawn(listener.serve(service, stop.clone(), Duration::ZERO));
    Server { addr, stop, task }
}

/// An HTTP/1.1 origin whose responses come from `handler`.
pub(crate) async fn origin<F, R>(handler: F) -> Server
where
    F: Fn(Request<Incoming>) -> R + Clone + Send + Sync + 'static,
    R: Future<Output = Response<Body>> + Send + 'static,
{
    origin_on(TcpListener::bind(ANY).await.unwrap(), handler)
}

pub(crate) fn origin_on<F, R>(socket: TcpListener, handler: F) -> Server
where
    F: Fn(Request<Incoming>) -> R + Clone + Send + Sync + 'static,
    R: Future<Output = Response<Body>> + Send + 'static,
{
    raw_origin_on(socket, move |stream, _| {
        let handler = handler.clone();
        let service = service_fn(move |request| {
            let answer = handler(request);
            async move { Ok::<_, Infallible>(answer.await) }
        });
        async move {
            let connection = hyper::server::conn::http1::Builder::new()
                .serve_connection(TokioIo::new(stream), service)
                .with_upgrades();
            drop(connection.await);
        }
    })
}

/// An origin whose connections, numbered from 0, go to `handler`.
pub(crate) async fn raw_origin<F, R>(handler: F) -> Server
where
    F: Fn(TcpStream, usize) -> R + Send + Sync + 'static,
    R: Future<Output = ()> + Send + 'static,
{
    raw_origin_on(TcpListener::bind(ANY).await.unwrap(), handler)
}

fn raw_origin_on<F, R>(socket: TcpListener, handler: F) -> Server
where
    F: Fn(TcpStream, usize) -> R + Send + Sync + 'static,
    R: Future<Output = ()> + Send + 'static,
{
    let (addr, stop) = (socket.local_addr().unwrap(), CancellationToken::new());
    let stopped = stop.clone();
    let task = tokio::spawn(async move {
        let mut connections = tokio::task::JoinSet::new();
        for number in 0.. {
            tokio::select! {
                () = stopped.cancelled() => break,
                accepted = socket.accept() => {
                    let (stream, _) = accepted.unwrap();
                    stream.set_nodelay(true).unwrap();
                    connections.spawn(handler(stream, number));
                }
            }
        }
    });
    Server { addr, stop, task }
}

pub(crate) type Http = legacy::Client<HttpConnector, Body>;

/// A pooled HTTP/1.1 client.
pub(crate) fn http() -> Http {
    legacy::Client::builder(TokioExecutor::new()).build_http()
}

/// A client that speaks HTTP/2 from the first byte.
pub(crate) fn h2c() -> Http {
    legacy::Client::builder(TokioExecutor::new()).http2_only(true).build_http()
}

pub(crate) fn get(url: impl AsRef<str>) -> Request<Body> {
    Request::get(url.as_ref()).body(body::empty()).unwrap()
}

/// The head and the whole body of the response.
pub(crate) async fn fetch(client: &Http, request: Request<Body>) -> (http::response::Parts, Bytes) {
    let response = soon(client.request(request)).await.unwrap();
    let (head, body) = response.into_parts();
    (head, soon(body.collect()).await.unwrap().to_bytes())
}

/// Bytes without a pattern, which depend on `seed` and their position alone.
pub(crate) fn noise(seed: u64, from: u64, len: usize) -> Bytes {
    let end = from + len as u64;
    let words = (from / 8)..end.div_ceil(8);
    let mut bytes = Vec::with_capacity(len + 16);
    for word in words {
        bytes.extend_from_slice(&mix(seed ^ word).to_le_bytes());
    }
    let skip = (from % 8) as usize;
    Bytes::from(bytes).slice(skip..skip + len)
}

/// The finalizer of SplitMix64.
const fn mix(word: u64) -> u64 {
    let word = word.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let word = (word ^ (word >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let word = (word ^ (word >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    word ^ (word >> 31)
}

/// A streamed body of `len` bytes of [`noise`], made when it is polled; `made` gets the number of bytes so far.
pub(crate) fn noise_body(seed: u64, len: u64, made: impl Fn(u64) + Send + 'static) -> Body {
    const CHUNK: u64 = 64 * 1024;
    let chunks = futures_util::stream::unfold(0u64, move |from| {
        let size = CHUNK.min(len - from);
        made(from + size);
        async move {
            let frame = http_body::Frame::data(noise(seed, from, usize::try_from(size).unwrap()));
            (size > 0).then_some((Ok::<_, body::BoxError>(frame), from + size))
        }
    });
    body::boxed(http_body_util::StreamBody::new(chunks))
}

/// Reads a body of [`noise`] to its end and returns its length.
pub(crate) async fn assert_noise(seed: u64, body: &mut Incoming) -> u64 {
    let mut at = 0;
    while let Some(frame) = soon(body.frame()).await {
        let Ok(data) = frame.expect("the body broke off").into_data() else { continue };
        assert!(data == noise(seed, at, data.len()), "bytes differ after {at}");
        at += data.len() as u64;
    }
    at
}
