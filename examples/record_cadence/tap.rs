//! A TCP proxy between player and gateway: forwards everything, records each request and each close, and can be cut.
//!
//! A cut loses nothing and resets nothing: bytes wait, as they would wait for their retransmission on a real line. Only the
//! kernel still completes the handshake of a new connection.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http::header::{UPGRADE, USER_AGENT};
use http::uri::{PathAndQuery, Scheme};
use http::{Request, Response, StatusCode, Uri};
use http_body::{Body as _, Frame};
use http_body_util::BodyExt;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::upgrade::{OnUpgrade, on};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use serde_json::{Value, json};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, copy_bidirectional, duplex, split};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::{JoinHandle, JoinSet};
use tokio::time::Instant;
use warmgate::body::{self, Body, BoxError};

use crate::tape::Tape;

/// How long the gateway keeps an idle connection open (`server::HEAD_TIMEOUT`).
const IDLE: Duration = Duration::from_secs(75);
const BUFFER: usize = 64 << 10;

/// The listening proxy.
pub(crate) struct Tap {
    pub(crate) address: SocketAddr,
    cut: watch::Sender<bool>,
    serving: JoinHandle<()>,
}

impl Tap {
    /// A proxy to `gateway` that records on `tape`.
    pub(crate) async fn lay(gateway: SocketAddr, tape: Tape) -> io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let address = listener.local_addr()?;
        let (cut, is_cut) = watch::channel(false);
        let client = Client::builder(TokioExecutor::new()).build_http();
        let line = Arc::new(Line { gateway, client, tape, made: AtomicUsize::new(0) });
        let serving = tokio::spawn(async move {
            let mut open = JoinSet::new();
            while let Ok((stream, _)) = listener.accept().await {
                open.spawn(Arc::clone(&line).serve(stream, is_cut.clone()));
            }
        });
        Ok(Self { address, cut, serving })
    }

    /// Cuts the line, or restores it.
    pub(crate) fn cut(&self, cut: bool) {
        self.cut.send_replace(cut);
    }

    /// Ends the proxy. Open requests are recorded as they end.
    pub(crate) async fn remove(self) {
        self.serving.abort();
        let _ = self.serving.await;
        // Each connection's task records its open request as it ends.
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}

struct Line {
    gateway: SocketAddr,
    client: Client<HttpConnector, Body>,
    tape: Tape,
    made: AtomicUsize,
}

impl Line {
    async fn serve(self: Arc<Self>, stream: TcpStream, cut: watch::Receiver<bool>) {
        let number = self.made.fetch_add(1, Ordering::Relaxed);
        let _ = stream.set_nodelay(true);
        let (near, far) = duplex(BUFFER);
        let line = Arc::clone(&self);
        let service = service_fn(move |request| Arc::clone(&line).answer(number, request));
        let serving = http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(IDLE)
            .serve_connection(TokioIo::new(far), service)
            .with_upgrades();
        let relaying = async {
            let (from_player, to_player) = split(stream);
            let (from_gateway, to_gateway) = split(near);
            let by = tokio::select! {
                _ = pump(from_player, to_gateway, cut.clone()) => "player",
                // Only the player's side can fail.
                ended = pump(from_gateway, to_player, cut) => if ended.is_ok() { "gateway" } else { "player" },
            };
            self.tape.note(Instant::now(), "close", json!({"connection": number, "by": by}));
        };
        let _ = tokio::join!(relaying, serving);
    }

    async fn answer(
        self: Arc<Self>,
        connection: usize,
        mut request: Request<Incoming>,
    ) -> Result<Response<Body>, BoxError> {
        let agent = request.headers().get(USER_AGENT).and_then(|value| value.to_str().ok());
        agent.inspect(|agent| self.tape.introduced(agent));
        let mut entry = Entry::new(&self.tape, connection, &request);
        let upgrade = request.headers().contains_key(UPGRADE).then(|| on(&mut request));
        let target = request.uri().path_and_query().cloned();
        *request.uri_mut() = Uri::builder()
            .scheme(Scheme::HTTP)
            .authority(self.gateway.to_string())
            .path_and_query(target.unwrap_or(PathAndQuery::from_static("/")))
            .build()?;
        let (parts, body) = request.into_parts();
        let body = if entry.kind == "report" {
            let bytes = body.collect().await?.to_bytes();
            let said: Value = serde_json::from_slice(&bytes).unwrap_or_default();
            said.get("IsPaused").inspect(|paused| entry.detail["paused"] = (*paused).clone());
            body::full(bytes)
        } else {
            body::boxed(body)
        };
        let mut response = self.client.request(Request::from_parts(parts, body)).await?;
        entry.detail["status"] = json!(response.status().as_u16());
        if let (StatusCode::SWITCHING_PROTOCOLS, Some(player)) = (response.status(), upgrade) {
            tokio::spawn(tunnel(player, on(&mut response), entry));
            return Ok(response.map(|_| body::empty()));
        }
        if entry.kind != "playlist" {
            entry.whole = response.body().is_end_stream();
            return Ok(response.map(|inner| body::boxed(Counted { inner, entry })));
        }
        let (parts, inner) = response.into_parts();
        let bytes = inner.collect().await?.to_bytes();
        entry.read(&String::from_utf8_lossy(&bytes));
        entry.bytes = bytes.len();
        entry.whole = true;
        Ok(Response::from_parts(parts, body::full(bytes)))
    }
}

/// Forwards bytes in one direction while the line is not cut.
async fn pump(
    mut from: impl AsyncRead + Unpin,
    mut to: impl AsyncWrite + Unpin,
    mut cut: watch::Receiver<bool>,
) -> Result<(), BoxError> {
    let mut buffer = vec![0; BUFFER];
    loop {
        cut.wait_for(|cut| !cut).await?;
        let read = from.read(&mut buffer).await;
        cut.wait_for(|cut| !cut).await?;
        match read? {
            0 => break,
            read => to.write_all(&buffer[..read]).await?,
        }
    }
    Ok(to.shutdown().await?)
}

async fn tunnel(player: OnUpgrade, gateway: OnUpgrade, mut entry: Entry) {
    if let Ok((player, gateway)) = tokio::try_join!(player, gateway) {
        let carried = copy_bidirectional(&mut TokioIo::new(player), &mut TokioIo::new(gateway)).await;
        entry.whole = carried.is_ok();
    }
}

/// A request, recorded when the last byte of its response is sent or the player gives it up.
struct Entry {
    tape: Tape,
    at: Instant,
    kind: &'static str,
    detail: Value,
    bytes: usize,
    whole: bool,
}

impl Entry {
    fn new(tape: &Tape, connection: usize, request: &Request<Incoming>) -> Self {
        let (kind, mut detail) = kind(tape, request.uri().path());
        detail["connection"] = json!(connection);
        detail["method"] = json!(request.method().as_str());
        Self { tape: tape.clone(), at: Instant::now(), kind, detail, bytes: 0, whole: false }
    }

    /// The target duration of a playlist.
    fn read(&mut self, text: &str) {
        let target = text.lines().find_map(|line| line.strip_prefix("#EXT-X-TARGETDURATION:"));
        target.and_then(|target| target.parse().ok()).inspect(|target| self.tape.promised(*target));
        let last = text.lines().rev().find(|line| !line.starts_with('#')).and_then(number);
        if let Some(last) = last {
            self.detail["last"] = json!(last);
        }
    }
}

impl Drop for Entry {
    fn drop(&mut self) {
        let mut detail = self.detail.take();
        detail["bytes"] = json!(self.bytes);
        detail["ms"] = json!(self.at.elapsed().as_millis() as u64);
        detail["whole"] = json!(self.whole);
        self.tape.note(self.at, self.kind, detail);
    }
}

/// The kind of resource that a path names, without ids and tokens.
fn kind(tape: &Tape, path: &str) -> (&'static str, Value) {
    let parts: Vec<&str> = path.split('/').collect();
    match parts[..] {
        [.., "master.m3u8"] => ("other", json!({"name": "master.m3u8"})),
        [.., "live.m3u8"] => ("playlist", json!({})),
        [.., "hls", consumer, segment] => {
            ("segment", json!({"number": number(segment), "consumer": tape.consumer(consumer)}))
        }
        [.., "Sessions", "Playing"] => ("report", json!({"name": "Playing"})),
        [.., "Playing", moment] => ("report", json!({"name": moment})),
        [.., "Videos", "ActiveEncodings"] => ("report", json!({"name": "ActiveEncodings"})),
        [.., "LiveStreams", name] => ("report", json!({"name": format!("LiveStreams/{name}")})),
        [.., name] => ("other", json!({"name": name})),
        [] => ("other", json!({"name": ""})),
    }
}

/// The media sequence number at the end of a segment's URI.
fn number(uri: &str) -> Option<u64> {
    uri.split('?').next()?.strip_suffix(".ts")?.rsplit('/').next()?.parse().ok()
}

struct Counted {
    inner: Incoming,
    entry: Entry,
}

impl http_body::Body for Counted {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        let polled = Pin::new(&mut self.inner).poll_frame(cx);
        if let Poll::Ready(Some(Ok(frame))) = &polled {
            self.entry.bytes += frame.data_ref().map_or(0, Bytes::len);
        }
        self.entry.whole |= self.inner.is_end_stream() || matches!(polled, Poll::Ready(None));
        polled
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    fn size_hint(&self) -> http_body::SizeHint {
        self.inner.size_hint()
    }
}
