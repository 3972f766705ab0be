//! Serves the gateway's own playlist and guide, and its channels as raw streams: with these a media server can tune through the
//! gateway.

use http::header::{ACCEPT_RANGES, CACHE_CONTROL, CONTENT_TYPE, RETRY_AFTER};
use http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode};
use tracing::info;

use crate::body::{self, Body};
use crate::proxy::gateway::Gateway;
use crate::proxy::query::Query;
use crate::proxy::route::Page;
use crate::supervisor::inputs::raw_readers::Denied;
use domain::container::Container;
use domain::key::ChannelId;
use domain::lineup::m3u;
use domain::lineup::site::Site;

/// `Retry-After` in seconds, when every tuner is busy: by then another reader may have left.
const RETRY: HeaderValue = HeaderValue::from_static("5");

impl Gateway {
    /// Answers for a page of the lineup; where the gateway serves none, the request goes to the server.
    pub(super) async fn lineup(&self, page: Page, request: Request<Body>) -> Response<Body> {
        let Some(served) = &self.lineup else { return self.forward(request).await };
        // Compares hashes instead of tokens, so that the time it takes reveals nothing of the token.
        let shown = Query::of(request.uri()).get("token").map(|token| self.account(token));
        if shown != Some(self.account(&served.token)) {
            return self.empty_response(request.headers(), StatusCode::FORBIDDEN);
        }
        let (kind, text) = match page {
            Page::Channels => {
                let site = served
                    .site
                    .clone()
                    .unwrap_or_else(|| Site::new(&self.forwarder.origin(&request), Some(&served.token)));
                ("audio/x-mpegurl; charset=utf-8", m3u::render(&served.lineups.current(), &site))
            }
            Page::Guide => ("application/xml; charset=utf-8", served.lineups.guide().await),
            Page::Channel(id) => return self.raw_channel(&id, request).await,
        };
        let mut response = Response::new(body::full(text));
        response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(kind));
        response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
        response
    }

    /// Sends a channel's raw stream without end, beginning with the last few seconds.
    async fn raw_channel(&self, id: &ChannelId, request: Request<Body>) -> Response<Body> {
        let read = if request.method() != Method::HEAD {
            self.supervisor.inputs().read(id).await
        } else if self.supervisor.inputs().has_channel(id) {
            Ok(body::empty())
        } else {
            Err(Denied::Unknown)
        };
        let body = match read {
            Ok(body) => body,
            Err(denied) => return self.raw_channel_denied(denied, request.headers()),
        };
        let mut response = Response::new(body);
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(Container::MpegTs.media_type()));
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
        headers.insert(ACCEPT_RANGES, HeaderValue::from_static("none"));
        response
    }

    fn raw_channel_denied(&self, denied: Denied, request: &HeaderMap) -> Response<Body> {
        let (status, retry) = match denied {
            Denied::Unknown => (StatusCode::NOT_FOUND, false),
            Denied::Busy => (StatusCode::SERVICE_UNAVAILABLE, true),
            Denied::Failed(failure) => {
                info!(reason = failure.as_str(), "the provider sends nothing for a channel");
                (StatusCode::BAD_GATEWAY, false)
            }
        };
        let mut response = self.empty_response(request, status);
        if retry {
            response.headers_mut().insert(RETRY_AFTER, RETRY);
        }
        response
    }
}
