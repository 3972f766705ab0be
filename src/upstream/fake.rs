//! A server for unit tests, which answers every request as a function says and records it.
//!
//! It knows nothing of Jellyfin. Tests may pause the time around it.

use std::io;
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use http::uri::Scheme;
use http::{HeaderValue, Request, Response};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::net::TcpListener;
use tokio::time::Instant;

use crate::upstream::client::{Client, Target, Timeouts};
use crate::upstream::jellyfin::Jellyfin;

/// Status and body; `None` closes the connection without an answer.
pub(crate) type Reply = Option<(u16, String)>;

/// The server; it ends with the test's runtime.
pub(crate) struct Fake {
    pub(crate) jellyfin: Jellyfin,
    asked: Arc<Mutex<Vec<(Instant, String)>>>,
}

impl Fake {
    /// Starts a server that passes method and target, as in `GET /path?query`, to `answer`.
    pub(crate) async fn start<F>(answer: impl Fn(String) -> F + Clone + Send + 'static) -> Self
    where
        F: Future<Output = Reply> + Send + 'static,
    {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let asked = Arc::<Mutex<Vec<_>>>::default();
        let log = Arc::clone(&asked);
        let service = service_fn(move |request: Request<Incoming>| {
            let line = format!("{} {}", request.method(), request.uri());
            log.lock().unwrap_or_else(PoisonError::into_inner).push((Instant::now(), line.clone()));
            let reply = answer(line);
            async move {
                let (status, body) = reply.await.ok_or(io::ErrorKind::ConnectionReset)?;
                let answer = Response::builder().status(status).body(Full::new(Bytes::from(body)));
                answer.map_err(io::Error::other)
            }
        });
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let connection =
                    http1::Builder::new().serve_connection(TokioIo::new(stream), service.clone());
                tokio::spawn(async move { drop(connection.await) });
            }
        });
        let host = HeaderValue::try_from(&address).unwrap();
        let target = Target { scheme: Scheme::HTTP, authority: address.parse().unwrap() };
        Self { jellyfin: Jellyfin::new(Client::new(target, Timeouts::default()), host), asked }
    }

    /// The requests whose method and target contain `part`, with their times.
    pub(crate) fn asked(&self, part: &str) -> Vec<(Instant, String)> {
        let asked = self.asked.lock().unwrap_or_else(PoisonError::into_inner);
        asked.iter().filter(|(_, line)| line.contains(part)).cloned().collect()
    }
}
