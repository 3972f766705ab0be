//! Has the access log told of requests, where there is one.
//!
//! It tells nothing that would let whoever reads the log watch: no query, no consumer's token.

use std::net::IpAddr;
use std::time::SystemTime;

use http::{HeaderMap, Method, Request, Response};
use tokio::time::Instant;

use crate::access_log::{AccessLog, Entry};
use crate::body::Body;
use crate::body::counted::counted;
use crate::proxy::gateway::Gateway;
use domain::reason::RouteClass;

/// What stands for a secret part of a path.
const HIDDEN: &str = "…";
/// The folders whose names are secrets: those of consumers (`list_path`) begin like this.
const CONSUMER: &str = "wg";
/// Whoever knows what follows one of these in a path may have it without a credential (docs/jellyfin.md).
const SECRET_BELOW: [&str; 4] = ["livestreamfiles", "liverecordings", "hls", "hls1"];

/// A request that is being answered.
pub(super) struct Asked {
    log: AccessLog,
    at: SystemTime,
    begun: Instant,
    client: Option<IpAddr>,
    method: Method,
    path: String,
}

impl Gateway {
    /// Notes a request, if there is a log for it.
    pub(super) fn noted(&self, request: &Request<Body>) -> Option<Asked> {
        let log = self.access_log.clone()?;
        Some(Asked {
            log,
            at: SystemTime::now(),
            begun: Instant::now(),
            client: self.forwarder.client_address(request),
            method: request.method().clone(),
            path: masked(request.uri().path()),
        })
    }
}

impl Asked {
    /// Has it written to the log once `response` has been sent.
    pub(super) fn answered(self, response: Response<Body>, class: RouteClass) -> Response<Body> {
        let Self { log, at, begun, client, method, path } = self;
        let (status, first_byte) = (response.status().as_u16(), begun.elapsed());
        let (cache, stream) =
            (said(response.headers(), "cache-status"), said(response.headers(), "warmgate-stream"));
        response.map(|body| {
            counted(body, move |bytes| {
                let (method, route, total) = (method.to_string(), class.as_str(), begun.elapsed());
                log.add(Entry {
                    at,
                    client,
                    method,
                    path,
                    status,
                    bytes,
                    first_byte,
                    total,
                    route,
                    cache,
                    stream,
                });
            })
        })
    }
}

/// What an answer says in a field.
fn said(fields: &HeaderMap, name: &str) -> Option<String> {
    let lines: Vec<_> = fields.get_all(name).iter().filter_map(|line| line.to_str().ok()).collect();
    (!lines.is_empty()).then(|| lines.join(", "))
}

/// A path without what is secret in it.
fn masked(path: &str) -> String {
    let (mut hides, mut hidden) = (false, "");
    let parts = path.split('/').map(|part| {
        let is_consumer = part.strip_prefix(CONSUMER).is_some_and(|token| token.len() >= 16);
        let shown = match std::mem::take(&mut hides) {
            _ if is_consumer => format!("{CONSUMER}{HIDDEN}"),
            true => {
                hidden = part;
                HIDDEN.to_owned()
            }
            // Jellyfin's segments are named after their folder.
            false if !hidden.is_empty() => part.replace(hidden, HIDDEN),
            false => part.to_owned(),
        };
        hides = SECRET_BELOW.iter().any(|folder| part.eq_ignore_ascii_case(folder));
        shown
    });
    parts.collect::<Vec<_>>().join("/")
}

#[cfg(test)]
mod tests {
    use super::*;
    use domain::key::ConsumerId;

    #[test]
    fn nothing_in_a_path_lets_anybody_watch() {
        let token = ConsumerId::from_bits(u128::MAX / 3);
        for (path, shown) in [
            (format!("/jf/videos/1/hls/wg{token}/12.ts"), "/jf/videos/1/hls/wg…/12.ts"),
            (format!("/videos/1/hls/wg{token}/live.m3u8"), "/videos/1/hls/wg…/live.m3u8"),
            ("/LiveTv/LiveStreamFiles/secret/stream.ts".to_owned(), "/LiveTv/LiveStreamFiles/…/stream.ts"),
            ("/videos/1/hls/5f3a/5f3a12.ts".to_owned(), "/videos/1/hls/…/…12.ts"),
            ("/LiveTv/LiveRecordings/5f3a/stream".to_owned(), "/LiveTv/LiveRecordings/…/stream"),
            ("/web/wgets/index.html".to_owned(), "/web/wgets/index.html"),
            ("/".to_owned(), "/"),
        ] {
            assert_eq!(masked(&path), shown);
        }
    }
}
