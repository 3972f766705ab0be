//! The page: serves a player, and what the gateway and the media server hold at the moment.
//!
//! The player sends Jellyfin's requests to the gateway, as jellyfin-web does, and gets from this listener only what no client
//! of Jellyfin could know.

use std::convert::Infallible;
use std::future::Future;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;

use http::header::{CACHE_CONTROL, CONTENT_TYPE};
use http::{HeaderValue, Method, Request, Response, StatusCode};
use http_body_util::{BodyExt, Limited};
use hyper::service::Service;
use jellyfin_alike::{Origin, User};
use serde_json::{Value, json};
use tokio::sync::watch;

use crate::body::{self, Body};
use crate::server::Upload;
use crate::supervisor::Supervisor;
use domain::pool::StreamView;
use domain::producer::State;

const HTML: &str = include_str!("page.html");
/// The largest report that is read, in bytes.
const REPORT: usize = 1 << 20;

/// The page's HTTP service. Its clones share one state.
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
    /// A page for `users` of `origin` and its `tuners`, whose player plays through `gateway`. A page that zaps by itself sends
    /// a report, which goes to `report`.
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
        // An unspecified address is none to connect to: the page then takes the host it was loaded from.
        let host = (!gateway.ip().is_unspecified()).then(|| gateway.to_string());
        let setting = json!({
            "gateway": host, "port": gateway.port(),
            "users": users.collect::<Value>(), "channels": channels.collect::<Value>(),
        });
        Self(Arc::new(Inner { origin, supervisor, setting, tuners, report }))
    }

    async fn respond(self, request: Request<Upload>) -> Response<Body> {
        match (request.method(), request.uri().path()) {
            (&Method::GET, "/") => text("text/html; charset=utf-8", HTML.to_owned()),
            (&Method::GET, "/setting") => text("application/json", self.0.setting.to_string()),
            (&Method::GET, "/state") => text("application/json", self.0.state().to_string()),
            (&Method::POST, "/report") => status(self.0.take(request.into_body()).await),
            _ => status(StatusCode::NOT_FOUND),
        }
    }
}

impl Service<Request<Upload>> for Page {
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Infallible>> + Send>>;

    fn call(&self, request: Request<Upload>) -> Self::Future {
        let page = self.clone();
        Box::pin(async move { Ok(page.respond(request).await) })
    }
}

impl Inner {
    /// The streams and viewers of the gateway, and the tuners and FFmpegs of the media server.
    fn state(&self) -> Value {
        let (pool, counts) = (self.supervisor.snapshot(), self.origin.counts());
        json!({
            "streams": pool.streams.iter().map(stream).collect::<Value>(),
            "viewers": pool.present(), "tuned": pool.tally.tuned,
            "tuners": counts.tuners_open, "limit": self.tuners, "starts": counts.jobs_started,
        })
    }

    async fn take(&self, body: Upload) -> StatusCode {
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
    json!({"item": stream.item.as_str().replace('-', ""), "state": state, "viewers": viewers})
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
