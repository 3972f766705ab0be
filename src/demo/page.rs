//! The page: a player, and what the gateway and the media server hold at the moment.
//!
//! The player talks to the gateway alone, as jellyfin-web would; of this listener it only asks what no client of
//! Jellyfin's can know.

use std::convert::Infallible;
use std::future::Future;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;

use http::header::{CACHE_CONTROL, CONTENT_TYPE};
use http::{HeaderValue, Method, Request, Response, StatusCode};
use http_body_util::{BodyExt, Limited};
use hyper::body::Incoming;
use hyper::service::Service;
use serde_json::{Value, json};
use tokio::sync::watch;

use crate::body::{self, Body};
use crate::demo::origin::{Origin, User};
use crate::supervisor::Supervisor;
use domain::pool::StreamView;
use domain::producer::State;

const HTML: &str = include_str!("page.html");
/// The largest report taken.
const REPORT: usize = 1 << 20;

/// The listener's service; clones share everything.
#[derive(Clone, Debug)]
pub struct Page(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    origin: Arc<Origin>,
    supervisor: Supervisor,
    setting: Value,
    tuners: usize,
    report: watch::Sender<Option<Value>>,
}

impl Page {
    /// A page for `users` of `origin`, whose player plays through `gateway`; what a page that zapped by itself tells
    /// goes to `report`.
    #[must_use]
    pub fn new(
        origin: Arc<Origin>,
        supervisor: Supervisor,
        gateway: SocketAddr,
        users: &[User],
        tuners: usize,
        report: watch::Sender<Option<Value>>,
    ) -> Self {
        let channels = origin.channels();
        let channels = channels
            .iter()
            .map(|channel| json!({"number": channel.number, "name": channel.name, "item": channel.item_id}));
        let users = users.iter().map(|user| json!({"name": user.name, "password": user.password}));
        // Listening everywhere is no address: the page then takes the host it came from.
        let host = (!gateway.ip().is_unspecified()).then(|| gateway.to_string());
        let setting = json!({
            "gateway": host, "port": gateway.port(),
            "users": users.collect::<Value>(), "channels": channels.collect::<Value>(),
        });
        Self(Arc::new(Inner { origin, supervisor, setting, tuners, report }))
    }

    async fn answer(self, request: Request<Incoming>) -> Response<Body> {
        match (request.method(), request.uri().path()) {
            (&Method::GET, "/") => text("text/html; charset=utf-8", HTML.to_owned()),
            (&Method::GET, "/setting") => text("application/json", self.0.setting.to_string()),
            (&Method::GET, "/state") => text("application/json", self.0.state().to_string()),
            (&Method::POST, "/report") => status(self.0.take(request.into_body()).await),
            _ => status(StatusCode::NOT_FOUND),
        }
    }
}

impl Service<Request<Incoming>> for Page {
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Infallible>> + Send>>;

    fn call(&self, request: Request<Incoming>) -> Self::Future {
        let page = self.clone();
        Box::pin(async move { Ok(page.answer(request).await) })
    }
}

impl Inner {
    /// What is held: by the gateway (streams, viewers) and by the media server (tuners, FFmpegs).
    fn state(&self) -> Value {
        let (pool, counts) = (self.supervisor.snapshot(), self.origin.counts());
        json!({
            "streams": pool.streams.iter().map(stream).collect::<Value>(),
            "viewers": pool.present(), "tuned": pool.tally.tuned,
            "tuners": counts.tuners_open, "limit": self.tuners, "starts": counts.jobs_started,
        })
    }

    async fn take(&self, body: Incoming) -> StatusCode {
        let Ok(bytes) = Limited::new(body, REPORT).collect().await else { return StatusCode::BAD_REQUEST };
        match serde_json::from_slice(&bytes.to_bytes()) {
            Ok(report) => {
                self.report.send_replace(Some(report));
                StatusCode::NO_CONTENT
            }
            Err(_) => StatusCode::BAD_REQUEST,
        }
    }
}

fn stream(stream: &StreamView) -> Value {
    let state = match stream.state {
        State::Starting => "starting",
        State::Live => "live",
        State::Resting => "resting",
        State::BackingOff { .. } => "backing off",
        State::Retiring(_) => "retiring",
    };
    let viewers = stream.consumers.iter().filter(|consumer| consumer.verdict.state.is_present()).count();
    json!({"item": stream.item.replace('-', ""), "state": state, "viewers": viewers})
}

fn text(kind: &'static str, text: String) -> Response<Body> {
    let mut response = Response::new(body::full(text));
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(kind));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

fn status(code: StatusCode) -> Response<Body> {
    let mut response = Response::new(body::empty());
    *response.status_mut() = code;
    response
}
