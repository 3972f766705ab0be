//! Answers for the segments of the gateway's own streams, which a consumer token grants.
//!
//! It does not know how streams are produced, nor which segments are listed.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::header::{AGE, CACHE_CONTROL, CONTENT_TYPE, ETAG};
use http::{HeaderMap, HeaderName, HeaderValue, Request, Response, StatusCode};

use crate::background::{noted, survived};
use crate::body::{self, Body, BoxError};
use crate::proxy::cmcd::Cmcd;
use crate::proxy::gateway::Gateway;
use crate::proxy::hls::{CACHE_STATUS, STREAM};
use crate::proxy::injected_panics::{self, Step};
use crate::proxy::query::Query;
use crate::proxy::range::{self, Validators};
use crate::supervisor::answering::Answering;
use crate::supervisor::stream::Stream;
use crate::upstream::jellyfin::Media;
use domain::key::{ConsumerId, StreamId};
use domain::pool::SegmentRequest;

/// What a panic at a segment is counted under.
const NAME: &str = "the answer to a segment request";

/// What a request for a segment has found.
struct Found {
    id: StreamId,
    stream: Arc<Stream>,
    pieces: Vec<Media>,
    is_asked_for: bool,
    answering: Answering,
}

impl Gateway {
    /// Answers for a segment of the gateway's. After a panic its bytes are found once more, for an answer without anything else. If that
    /// fails too the answer breaks off: players then ask again, whereas jellyfin-web ends its player at any status from 400 on.
    pub(super) async fn segment(
        &self,
        consumer: ConsumerId,
        sequence: u64,
        request: Request<Body>,
    ) -> Response<Body> {
        let request = request.map(drop);
        if let Some(response) = noted(NAME, self.full_segment(consumer, sequence, &request)).await {
            return response;
        }
        noted(NAME, self.bare_segment(consumer, sequence, &request)).await.unwrap_or_else(broken_off)
    }

    async fn full_segment(
        &self,
        consumer: ConsumerId,
        sequence: u64,
        request: &Request<()>,
    ) -> Response<Body> {
        let zaps = self.supervisor.zaps().clone();
        zaps.segment_asked(consumer);
        let signals = Cmcd::of(request.headers(), Query::of(request.uri()).get("CMCD")).signals();
        let connection = self.comes_over(self.connection(request).as_ref(), consumer);
        let asked = SegmentRequest { sequence, signals: &signals, connection };
        injected_panics::at(Step::Segment);
        let Some(Found { id, stream, pieces, is_asked_for, answering }) = self.found(consumer, &asked).await
        else {
            return self.empty_response(request.headers(), StatusCode::NOT_FOUND);
        };
        let made = pieces.first().and_then(|first| first.modified.clone());
        let none = HeaderMap::new();
        // Nothing of another segment may be taken for a part of this one.
        let asked = if is_asked_for { request.headers() } else { &none };
        let mut response = respond(request, asked, sequence, pieces);
        let headers = response.headers_mut();
        if is_asked_for {
            let keep = format!("private, max-age={}, immutable", stream.availability().as_secs());
            insert(headers, CACHE_CONTROL, &keep);
        } else {
            headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
            headers.remove(ETAG);
        }
        self.say(headers, CACHE_STATUS, || format!("{}; hit", self.name));
        self.say(headers, STREAM, || id.0.to_string());
        if let Some(age) = made.as_ref().filter(|_| self.choices().status_fields).and_then(since) {
            self.say(headers, AGE, || age.as_secs().to_string());
        }
        let ended = move |whole| {
            if whole {
                // The connection lives on whatever comes of this.
                survived(NAME, || {
                    answering.sent();
                    zaps.segment_sent(consumer);
                });
            }
        };
        self.with_cors(request.headers(), response.map(|body| body::watched(body, ended)))
    }

    async fn bare_segment(
        &self,
        consumer: ConsumerId,
        sequence: u64,
        request: &Request<()>,
    ) -> Response<Body> {
        injected_panics::at(Step::BareSegment);
        let asked = SegmentRequest { sequence, signals: &[], connection: None };
        let Some(found) = self.found(consumer, &asked).await else {
            return self.empty_response(request.headers(), StatusCode::NOT_FOUND);
        };
        let mut response = respond(request, &HeaderMap::new(), sequence, found.pieces);
        response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
        found.answering.sent();
        self.with_cors(request.headers(), response)
    }

    async fn found(&self, consumer: ConsumerId, asked: &SegmentRequest<'_>) -> Option<Found> {
        let ((id, stream), listing, answering) = self.supervisor.segment_requested(consumer, asked)?;
        let segment = stream.segment(listing, asked.sequence).await;
        let (pieces, is_asked_for) =
            segment.map_or_else(Default::default, |segment| (segment.pieces, segment.is_asked_for));
        if pieces.is_empty() {
            answering.sent();
            return None;
        }
        Some(Found { id, stream, pieces, is_asked_for, answering })
    }
}

/// The answer with these pieces, as far as the fields `asked` ask for them.
fn respond(request: &Request<()>, asked: &HeaderMap, sequence: u64, pieces: Vec<Media>) -> Response<Body> {
    let first = pieces.first().map(|first| (first.content_type.clone(), first.modified.clone()));
    let pieces: Vec<_> = pieces.into_iter().map(|piece| piece.body).collect();
    let length: usize = pieces.iter().map(Bytes::len).sum();
    let etag = format!("\"{sequence:x}-{length:x}\"");
    let etag = HeaderValue::try_from(etag).unwrap_or(HeaderValue::from_static("\"\""));
    let (content_type, modified) = first.unzip();
    let validators = Validators { etag, modified: modified.flatten() };
    let mut response = range::respond(request.method(), asked, pieces, &validators);
    if let Some(content_type) = content_type {
        response.headers_mut().insert(CONTENT_TYPE, content_type);
    }
    response
}

/// An answer that ends before its first byte.
fn broken_off() -> Response<Body> {
    Response::new(body::unfold((), |()| async {
        ((), Some(Err(BoxError::from("the gateway failed at a request for a segment"))))
    }))
}

/// The time since an HTTP date.
fn since(date: &HeaderValue) -> Option<Duration> {
    httpdate::parse_http_date(date.to_str().ok()?).ok()?.elapsed().ok()
}

fn insert(headers: &mut HeaderMap, name: HeaderName, value: &str) {
    if let Ok(value) = HeaderValue::try_from(value) {
        headers.insert(name, value);
    }
}
