//! Holds the playlist requests of viewers that play while the server is away, as during its restart.
//!
//! jellyfin-web destroys its player at any status from 400 on, but tries again after a time-out: so a viewer that waits plays on. This module
//! does not know how a playlist request is answered.

use std::sync::Arc;
use std::time::Duration;

use http::{Request, Response, StatusCode};
use tokio::time::{Instant, sleep};
use tracing::debug;

use crate::body::{self, Body};
use crate::proxy::gateway::Gateway;
use crate::proxy::miss::Miss;
use crate::proxy::route::Live;
use crate::upstream::jellyfin::Error;
use domain::key::ConsumerId;

/// Between two attempts to answer a request.
const RETRY: Duration = Duration::from_millis(500);

/// A playlist request that only the server can answer, which is away.
#[derive(Debug)]
pub(super) struct Away {
    /// The request, to be tried again. A `GET` has no body.
    request: Request<Body>,
    /// What is answered if the server stays away.
    response: Response<Body>,
}

impl Away {
    /// Keeps a request that is about to be passed on.
    pub(super) fn before(request: &Request<Body>) -> impl FnOnce(Response<Body>) -> Self + use<> {
        let mut kept = Request::new(body::empty());
        kept.uri_mut().clone_from(request.uri());
        kept.headers_mut().clone_from(request.headers());
        kept.extensions_mut().clone_from(request.extensions());
        *kept.version_mut() = request.version();
        move |response| Self { request: kept, response }
    }
}

/// Whether an answer of the server's says that it is away, or was a moment ago: then it has forgotten the live stream.
pub(super) fn is_away(miss: Miss, status: StatusCode) -> bool {
    Error::Status(status).is_absence()
        || (miss == Miss::AuthUnknown
            && matches!(status, StatusCode::NOT_FOUND | StatusCode::INTERNAL_SERVER_ERROR))
}

impl Gateway {
    /// Answers a `GET …/live.m3u8` whose stream can be shared. While the server is away, a viewer that plays waits for it, for as
    /// long as it would for a cold start: a player whose patience is shorter repeats its request.
    pub(super) async fn live(
        self: &Arc<Self>,
        live: Live,
        token: Option<ConsumerId>,
        mut request: Request<Body>,
    ) -> Response<Body> {
        let received_at = Instant::now();
        loop {
            match self.try_live(&live, token, request, received_at).await {
                Ok(response) => return response,
                Err(away) if received_at.elapsed() + RETRY < self.choices().cold_timeout => {
                    debug!(
                        status = away.response.status().as_u16(),
                        "the server is away: a viewer that plays waits"
                    );
                    sleep(RETRY).await;
                    request = away.request;
                }
                Err(away) => return away.response,
            }
        }
    }
}
