//! The data plane: what a request becomes. Everything passes through; `live.m3u8` and our own segments are answered here.
//!
//! ```text
//! request ─► route ─┬─ live ─────► auth ─► supervisor ─► playlist
//!                   │                └──── miss ───────► forward
//!                   ├─ segment ──► supervisor ─► bytes
//!                   ├─ signal ───► supervisor, then forward
//!                   └─ other ────► forward
//! ```

pub mod auth;
pub mod cmcd;
pub mod cors;
pub mod credential;
pub mod error;
mod following;
pub mod forward;
pub mod headers;
pub mod hls;
pub mod lendings;
pub mod lineup;
mod linked;
pub mod misses;
pub mod opened;
pub mod opening;
pub mod prime;
mod produce;
pub mod query;
mod range;
mod recipe;
pub mod reload;
mod right;
pub mod route;
mod signals;
pub mod tunnel;

use std::convert::Infallible;
use std::future::Future;
use std::hash::{BuildHasher, RandomState};
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use http::header::ORIGIN;
use http::{HeaderName, Request, Response};
use hyper::body::Incoming;
use hyper::service::Service;

use crate::body::{self, Body};
use crate::proxy::auth::{Asker, Auth};
use crate::proxy::cors::Cors;
use crate::proxy::credential::Credential;
use crate::proxy::forward::Forwarder;
use crate::proxy::lendings::Lendings;
use crate::proxy::lineup::Served;
use crate::proxy::misses::Misses;
use crate::proxy::opening::Hopeless;
use crate::proxy::prime::Primer;
use crate::proxy::query::Query;
use crate::proxy::reload::Held;
use crate::proxy::route::{Route, route};
use crate::supervisor::Supervisor;
use crate::upstream::jellyfin::Jellyfin;
use domain::produce::Rules;
use domain::signal::{Signal, Whose};
use domain::viewer::Account;

/// On every answer that stands for one the server did not give.
const PROXY_STATUS: HeaderName = HeaderName::from_static("proxy-status");

/// The gateway as a service; one for all connections.
#[derive(Debug)]
pub struct Gateway {
    /// Its name in `Cache-Status`.
    pub name: String,
    /// How long a viewer waits for a cold start.
    pub cold_timeout: Duration,
    /// How streams come about.
    pub produce: Rules,
    /// Whether playlist requests are held until the segment they name is there.
    pub blocking_reload: bool,
    /// Those that are.
    pub held: Held,
    /// The plain way through.
    pub forwarder: Forwarder,
    /// Who may be served.
    pub auth: Auth,
    /// The server, for the few calls that answer a request.
    pub jellyfin: Jellyfin,
    /// The streams.
    pub supervisor: Supervisor,
    /// The gateway's own playlist, where it is served.
    pub lineup: Option<Served>,
    /// What was not ours to answer, by reason.
    pub misses: Misses,
    /// Who was denied a tuner although idle streams had been given back.
    pub hopeless: Hopeless,
    /// What clients have given back.
    pub lendings: Lendings,
    /// Spares the first viewer after the server's start its error.
    pub primer: Primer,
    /// What other origins may read.
    pub cors: Cors,
    /// Makes accounts of tokens, so that no token is kept where it is not needed.
    pub fingerprint: RandomState,
}

impl Gateway {
    async fn answer(self: &Arc<Self>, request: Request<Body>) -> Response<Body> {
        match route(request.method(), request.uri()) {
            Route::Live(live) => self.live(*live, request).await,
            Route::Plain(reason) => self.plain(reason, request).await,
            Route::Segment { consumer, sequence } => self.segment(consumer, sequence, &request),
            Route::PlaybackInfo { item } => self.opening(Some(item), request).await,
            Route::Open => self.opening(None, request).await,
            Route::Playing(report) => self.report(report, request).await,
            Route::ActiveEncodings { play_session, .. } => {
                if let Some(play_session) = play_session {
                    self.supervisor.signal(Whose::PlaySession(play_session), Signal::EncodingsDeleted);
                }
                self.forward(request).await
            }
            Route::Logout => self.log_out(request).await,
            Route::Close { live_stream } => self.close(live_stream, request).await,
            Route::Lineup(page) => self.lineup(page, request).await,
            Route::Master => self.master(request).await,
            Route::Other => self.other(request).await,
        }
    }

    async fn forward(&self, request: Request<Body>) -> Response<Body> {
        let origin = request.headers().get(ORIGIN).cloned();
        let response = self.forwarder.forward(request).await;
        if response.headers().contains_key(PROXY_STATUS) {
            // Our own word for the server's silence: it may be another server when it speaks again.
            self.primer.lost();
            return response;
        }
        self.cors.learn(origin.as_ref(), response.headers());
        response
    }

    /// Who makes a request; `None` if it shows no token.
    fn asker(&self, request: &Request<Body>, query: &Query) -> Option<Asker> {
        let credential = Credential::of(request.headers(), query)?;
        Some(Asker { credential, from: self.forwarder.forwarded_for(request) })
    }

    fn account(&self, token: &str) -> Account {
        Account(self.fingerprint.hash_one(token))
    }
}

/// A handle to the gateway that a connection can serve from.
#[derive(Clone, Debug)]
pub struct Handle(pub Arc<Gateway>);

impl Service<Request<Incoming>> for Handle {
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Infallible>> + Send>>;

    fn call(&self, request: Request<Incoming>) -> Self::Future {
        let gateway = Arc::clone(&self.0);
        Box::pin(async move { Ok(gateway.answer(request.map(body::boxed)).await) })
    }
}
