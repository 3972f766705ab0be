//! The gateway's own playlist and guide, and its channels as raw streams: through these a server may tune.

use std::fmt;

use http::header::{ACCEPT_RANGES, CACHE_CONTROL, CONTENT_TYPE, RETRY_AFTER};
use http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode};
use tracing::info;

use crate::body::{self, Body};
use crate::lineup::Lineups;
use crate::proxy::Gateway;
use crate::proxy::query::Query;
use crate::proxy::route::Page;
use crate::supervisor::direct::Denied;
use domain::key::ChannelId;
use domain::lineup::m3u::{self, Site};

/// Somebody may have left by then.
const RETRY: HeaderValue = HeaderValue::from_static("5");

/// What is served, and to whom.
#[derive(Clone)]
pub struct Served {
    /// The channels.
    pub lineups: Lineups,
    /// What a request must carry.
    pub token: String,
    /// Where the gateway is; `None` is for the host that was asked.
    pub site: Option<Site>,
}

impl fmt::Debug for Served {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Served").field("site", &self.site).finish_non_exhaustive()
    }
}

impl Gateway {
    /// A page of the lineup; what stands there upstream, if it is not served.
    pub(super) async fn lineup(&self, page: Page, request: Request<Body>) -> Response<Body> {
        let Some(served) = &self.lineup else { return self.forward(request).await };
        // Accounts are compared, not tokens: how long that takes tells nothing.
        let shown = Query::of(request.uri()).get("token").map(|token| self.account(token));
        if shown != Some(self.account(&served.token)) {
            return self.bare(request.headers(), StatusCode::FORBIDDEN);
        }
        let (kind, text) = match page {
            Page::Channels => {
                let site = served
                    .site
                    .clone()
                    .unwrap_or_else(|| Site::new(&self.forwarder.asked(&request), Some(&served.token)));
                ("audio/x-mpegurl; charset=utf-8", m3u::render(&served.lineups.current(), &site))
            }
            Page::Guide => ("application/xml; charset=utf-8", served.lineups.guide().await),
            Page::Channel(id) => return self.raw(&id, request).await,
        };
        let mut response = Response::new(body::full(text));
        response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(kind));
        response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
        response
    }

    /// A channel, from a few seconds ago on and without an end.
    async fn raw(&self, id: &ChannelId, request: Request<Body>) -> Response<Body> {
        let read = if request.method() != Method::HEAD {
            self.supervisor.read(id).await
        } else if self.supervisor.has_channel(id) {
            Ok(body::empty())
        } else {
            Err(Denied::Unknown)
        };
        let body = match read {
            Ok(body) => body,
            Err(denied) => return self.denied(denied, request.headers()),
        };
        let mut response = Response::new(body);
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("video/mp2t"));
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
        headers.insert(ACCEPT_RANGES, HeaderValue::from_static("none"));
        response
    }

    fn denied(&self, denied: Denied, request: &HeaderMap) -> Response<Body> {
        let (status, retry) = match denied {
            Denied::Unknown => (StatusCode::NOT_FOUND, false),
            Denied::Busy => (StatusCode::SERVICE_UNAVAILABLE, true),
            Denied::Failed(failure) => {
                info!(reason = failure.as_str(), "nothing comes from the provider");
                (StatusCode::BAD_GATEWAY, false)
            }
        };
        let mut response = self.bare(request, status);
        if retry {
            response.headers_mut().insert(RETRY_AFTER, RETRY);
        }
        response
    }
}
