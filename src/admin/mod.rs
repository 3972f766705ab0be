//! What goes on inside, for people and programs: the dashboard, the API and the metrics, at a listener of their own.
//!
//! It reads one published state (`published`), and changes the pool only through the few actions that the API has. Players never
//! come here, and Jellyfin knows nothing of it.

mod access;
mod actions;
mod answer;
mod deliveries;
mod events;
mod examiner;
mod facts;
mod history;
mod ledger;
mod metrics;
mod notices;
mod openapi;
mod page;
mod problem;
mod published;
mod sentences;
mod views;
mod waits;

use std::convert::Infallible;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use http::header::{CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, X_CONTENT_TYPE_OPTIONS};
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, Response, Uri};
use hyper::service::Service;

use crate::admin::access::Access;
use crate::admin::answer::{json, of_type};
use crate::admin::events::Events;
use crate::admin::problem::Problem;
use crate::admin::published::Published;
use crate::body::{self, Body};
use crate::config::Secret;
use crate::server::Upload;
use crate::supervisor::Supervisor;
use crate::supervisor::warm_up::ChannelWarmth;
use domain::key::{ItemId, StreamId};

const RESOURCE_POLICY: HeaderName = HeaderName::from_static("cross-origin-resource-policy");

pub use crate::admin::examiner::{Examiner, Places};
pub use crate::admin::facts::Facts;

/// Nothing from elsewhere, and no script or style within the page.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; media-src blob:; connect-src 'self'; \
    base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/// Answers the requests of all connections to the listener.
#[derive(Debug)]
pub struct Admin {
    access: Access,
    supervisor: Supervisor,
    published: Arc<Published>,
    events: Events,
    examiner: Arc<Examiner>,
}

impl Admin {
    /// Shows what `supervisor` does to whoever shows `token`, if there is one. Browsers may reach it under the names in `hosts`, beside
    /// `localhost` and addresses.
    #[must_use]
    pub fn new(
        (supervisor, examiner): (Supervisor, Arc<Examiner>),
        facts: Facts,
        (token, hosts): (Option<Secret>, Vec<String>),
    ) -> Self {
        let published = Arc::new(Published::new(supervisor.clone(), facts));
        let events = Events::new(Arc::clone(&published), supervisor.zaps().follow());
        Self { access: Access { token, hosts }, supervisor, published, events, examiner }
    }

    /// Tells webhooks for ever what happens.
    pub async fn watch(&self) {
        notices::watch(Arc::clone(&self.published), self.published.webhooks().clone()).await;
    }

    /// Tells webhooks that the gateway has started, or that it stops, and then waits for `patience` at most until they have taken it.
    pub async fn tell(&self, is_up: bool, patience: Duration) {
        let webhooks = self.published.webhooks();
        webhooks.tell(&notices::of_gateway(is_up));
        webhooks.all_told(patience).await;
    }

    async fn answer(&self, method: &Method, uri: &Uri, headers: &HeaderMap) -> Response<Body> {
        let path = uri.path();
        let answered = match self.access.check((method, uri.authority()), headers, is_public(path)) {
            Ok(()) => self.allowed(method, uri, headers).await,
            Err(problem) => Err(problem),
        };
        let mut response = answered.unwrap_or_else(Problem::response);
        let fields = response.headers_mut();
        fields.insert(CONTENT_SECURITY_POLICY, HeaderValue::from_static(POLICY));
        fields.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
        // No other page may show a picture of what is watched.
        fields.insert(RESOURCE_POLICY, HeaderValue::from_static("same-origin"));
        response
    }

    async fn allowed(
        &self,
        method: &Method,
        uri: &Uri,
        headers: &HeaderMap,
    ) -> Result<Response<Body>, Problem> {
        let path = uri.path();
        let segments: Vec<_> = path.strip_prefix('/').unwrap_or_default().split('/').collect();
        let is_read = matches!(*method, Method::GET | Method::HEAD);
        match (is_read, &segments[..]) {
            (true, ["api", "v1", "health"]) => Ok(json(&serde_json::json!({"status": "ok"}))),
            (true, ["api", "v1", "state"]) => Ok(json(&self.published.moment().await?.state)),
            (true, ["api", "v1", "streams"]) => Ok(json(&self.published.moment().await?.state.streams)),
            (true, ["api", "v1", "streams", id]) => {
                let moment = self.published.moment().await?;
                let id: u64 = id.parse().map_err(|_| Problem::NoSuchThing)?;
                let streams = &moment.state.streams;
                // They stand in the order of their ids.
                let at = streams.binary_search_by_key(&id, |stream| stream.id);
                at.map(|at| json(&streams[at])).map_err(|_| Problem::NoSuchThing)
            }
            (true, ["api", "v1", "streams", id, "picture"]) => {
                let id = id.parse().map_err(|_| Problem::NoSuchThing)?;
                let picture = self.supervisor.picture(StreamId(id)).await.ok_or(Problem::NoSuchThing)?;
                Ok(picture.map_or_else(actions::done, answer::jpeg))
            }
            (true, ["api", "v1", "streams", id, "preview", file]) => {
                let id = StreamId(id.parse().map_err(|_| Problem::NoSuchThing)?);
                if *file == "live.m3u8" {
                    let list = self.supervisor.preview_list(id).ok_or(Problem::NoSuchThing)?;
                    return Ok(of_type("application/vnd.apple.mpegurl", list));
                }
                let sequence = file.strip_suffix(".ts").and_then(|number| number.parse().ok());
                let segment = self.supervisor.preview_segment(id, sequence.ok_or(Problem::NoSuchPage)?).await;
                Ok(of_type("video/mp2t", segment.ok_or(Problem::NoSuchThing)?))
            }
            (true, ["api", "v1", "channels"]) => Ok(json(&self.published.channels().await?)),
            (true, ["api", "v1", "channels", id]) => {
                let item = ItemId::parse(id).ok_or(Problem::NoSuchThing)?;
                Ok(json(&self.published.warm_channel(&item)))
            }
            (true, ["api", "v1", "channels", id, "ready"]) => {
                let item = ItemId::parse(id).ok_or(Problem::NoSuchThing)?;
                match self.supervisor.warmth_of(&item) {
                    ChannelWarmth::Feed | ChannelWarmth::Stream => {
                        Ok(json(&self.published.warm_channel(&item)))
                    }
                    ChannelWarmth::Opening => Err(Problem::NotReady),
                    ChannelWarmth::Cold => Err(Problem::NoSuchThing),
                }
            }
            (true, ["api", "v1", "tuners"]) => Ok(json(&self.published.moment().await?.state.tuners)),
            (true, ["api", "v1", "zaps"]) => {
                Ok(json(&serde_json::json!({"zaps": self.published.zaps_from(0)})))
            }
            (true, ["api", "v1", "history"]) => {
                Ok(json(&history::watched(self.supervisor.remembering(), uri.query()).await?))
            }
            (true, ["api", "v1", "config"]) => Ok(json(&self.published.config())),
            (true, ["api", "v1", "ledger"]) => Ok(json(&ledger::all(&self.supervisor, &self.published))),
            (true, ["api", "v1", "webhooks"]) => Ok(json(&deliveries::Told::of(self.published.webhooks()))),
            (true, ["api", "v1", "decisions"]) => Ok(json(&self.published.decisions())),
            (true, ["api", "v1", "summary"]) => {
                let moment = self.published.moment().await?;
                Ok(json(&waits::summarized(&moment.state, &moment.zaps)))
            }
            (true, ["api", "v1", "doctor"]) => {
                let (found, findings) = self.examiner.examine().await;
                Ok(json(&views::Doctor::of(&found, &findings)))
            }
            (true, ["api", "v1", "openapi.json"]) => Ok(of_type("application/json", openapi::text())),
            (true, ["api", "v1", "events"]) => {
                let last = headers.get(HeaderName::from_static("last-event-id"));
                let last = last.and_then(|last| last.to_str().ok()?.parse().ok());
                let events = self.events.listen(last).ok_or(Problem::TooManyListeners)?;
                let mut response = Response::new(events);
                let fields = response.headers_mut();
                fields.insert(CONTENT_TYPE, HeaderValue::from_static("text/event-stream"));
                fields.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
                // nginx would hold events back.
                fields.insert("x-accel-buffering", HeaderValue::from_static("no"));
                Ok(response)
            }
            (true, ["metrics"]) => {
                Ok(of_type(metrics::CONTENT_TYPE, metrics::text(self.published.moment().await?)))
            }
            (false, ["api", "v1", "streams", id, "stop"]) if *method == Method::POST => {
                actions::stop(&self.supervisor, id)
            }
            (false, ["api", "v1", "streams", id, "pin"]) if *method == Method::POST => {
                actions::pin(&self.supervisor, id, true)
            }
            (false, ["api", "v1", "streams", id, "unpin"]) if *method == Method::POST => {
                actions::pin(&self.supervisor, id, false)
            }
            (false, ["api", "v1", "viewers", id, "kick"]) if *method == Method::POST => {
                actions::kick(&self.supervisor, id)
            }
            (false, ["api", "v1", "channels", id, "warm"]) if *method == Method::POST => {
                actions::warm_up(&self.supervisor, &self.published, id).await
            }
            (false, ["api", "v1", "channels", id, "release"]) if *method == Method::POST => {
                actions::release(&self.supervisor, id)
            }
            (
                _,
                ["api", "v1", "streams", _, "stop" | "pin" | "unpin"]
                | ["api", "v1", "viewers", _, "kick"]
                | ["api", "v1", "channels", _, "warm" | "release"],
            ) => Err(Problem::Method("POST")),
            (true, _) => page::file(path).ok_or(Problem::NoSuchPage),
            (false, _) => Err(Problem::Method("GET, HEAD")),
        }
    }
}

/// What is shown without the token: that the gateway lives, and the page that asks for the token. Nothing else, however it is spelled.
fn is_public(path: &str) -> bool {
    path == "/api/v1/health" || page::exists(path)
}

/// The listener's service; clones are cheap.
#[derive(Clone, Debug)]
pub struct Handle(pub Arc<Admin>);

impl Service<Request<Upload>> for Handle {
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Infallible>> + Send>>;

    fn call(&self, request: Request<Upload>) -> Self::Future {
        let admin = Arc::clone(&self.0);
        Box::pin(async move {
            let response = admin.answer(request.method(), request.uri(), request.headers()).await;
            Ok(if request.method() == Method::HEAD { response.map(|_| body::empty()) } else { response })
        })
    }
}
