//! The gateway's own playlist and guide, through which a server may tune.

use std::fmt;

use http::header::{CACHE_CONTROL, CONTENT_TYPE};
use http::{HeaderValue, Request, Response, StatusCode};

use crate::body::{self, Body};
use crate::domain::lineup::m3u::{self, Site};
use crate::lineup::Lineups;
use crate::proxy::Gateway;
use crate::proxy::query::Query;
use crate::proxy::route::Page;

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
        };
        let mut response = Response::new(body::full(text));
        response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(kind));
        response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
        response
    }
}
