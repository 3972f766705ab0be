//! Answers a request for bytes in memory: evaluates its conditions (RFC 9110 13) and its range (RFC 9110 14).
//!
//! It does not know what the bytes are. A request for several ranges gets all bytes, as RFC 9110 14.2 allows.

use std::ops::Range;
use std::time::SystemTime;

use bytes::Bytes;
use http::header::{
    ACCEPT_RANGES, CONTENT_LENGTH, CONTENT_RANGE, ETAG, IF_MODIFIED_SINCE, IF_NONE_MATCH, IF_RANGE,
    LAST_MODIFIED, RANGE,
};
use http::{HeaderMap, HeaderName, HeaderValue, Method, Response, StatusCode};

use crate::body::{self, Body};

/// The validators of the bytes (RFC 9110 8.8).
#[derive(Clone, Debug)]
pub(super) struct Validators {
    /// The strong entity tag, quotes included.
    pub(super) etag: HeaderValue,
    /// The time at which the bytes last changed.
    pub(super) modified: Option<HeaderValue>,
}

/// Answers `method` with all bytes of `pieces`, with a part of them, or with a 304 if the client has them already.
#[must_use]
pub(super) fn respond(
    method: &Method,
    request: &HeaderMap,
    pieces: Vec<Bytes>,
    validators: &Validators,
) -> Response<Body> {
    let total = pieces.iter().map(Bytes::len).sum();
    let whole = 0..total;
    let (status, part) = if is_unmodified(request, validators) {
        (StatusCode::NOT_MODIFIED, 0..0)
    } else {
        match wanted(request, total, validators) {
            Wanted::Whole => (StatusCode::OK, whole),
            Wanted::Part(part) => (StatusCode::PARTIAL_CONTENT, part),
            Wanted::Nothing => (StatusCode::RANGE_NOT_SATISFIABLE, 0..0),
        }
    };
    let sends = status == StatusCode::OK || status == StatusCode::PARTIAL_CONTENT;
    let body =
        if sends && method != Method::HEAD { body::of_all(slices(pieces, &part)) } else { body::empty() };
    let mut response = Response::new(body);
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(ACCEPT_RANGES, HeaderValue::from_static("bytes"));
    headers.insert(ETAG, validators.etag.clone());
    if let Some(modified) = &validators.modified {
        headers.insert(LAST_MODIFIED, modified.clone());
    }
    if sends {
        headers.insert(CONTENT_LENGTH, HeaderValue::from(part.len()));
    }
    match status {
        StatusCode::PARTIAL_CONTENT => {
            insert(headers, format!("bytes {}-{}/{total}", part.start, part.end - 1))
        }
        StatusCode::RANGE_NOT_SATISFIABLE => insert(headers, format!("bytes */{total}")),
        _ => {}
    }
    response
}

/// The slices of `pieces` that `part` of them all consists of.
fn slices(pieces: Vec<Bytes>, part: &Range<usize>) -> impl Iterator<Item = Bytes> + Send + 'static {
    let Range { start, end } = *part;
    let mut begin = 0;
    pieces.into_iter().filter_map(move |piece| {
        let (from, to) =
            (start.saturating_sub(begin).min(piece.len()), end.saturating_sub(begin).min(piece.len()));
        begin += piece.len();
        (from < to).then(|| piece.slice(from..to))
    })
}

fn insert(headers: &mut HeaderMap, range: String) {
    if let Ok(value) = HeaderValue::try_from(range) {
        headers.insert(CONTENT_RANGE, value);
    }
}

/// Whether the client has the bytes already. `If-None-Match` takes precedence over `If-Modified-Since` (RFC 9110 13.2.2).
fn is_unmodified(request: &HeaderMap, validators: &Validators) -> bool {
    if request.contains_key(IF_NONE_MATCH) {
        let tags = request.get_all(IF_NONE_MATCH).iter().filter_map(|value| value.to_str().ok());
        return tags.flat_map(|tags| tags.split(',')).map(str::trim).any(|tag| {
            tag == "*" || tag.strip_prefix("W/").unwrap_or(tag).as_bytes() == validators.etag.as_bytes()
        });
    }
    match (date(request.get(&IF_MODIFIED_SINCE)), date(validators.modified.as_ref())) {
        (Some(since), Some(modified)) => modified <= since,
        (None, _) | (_, None) => false,
    }
}

fn date(value: Option<&HeaderValue>) -> Option<SystemTime> {
    httpdate::parse_http_date(value?.to_str().ok()?).ok()
}

enum Wanted {
    Whole,
    Part(Range<usize>),
    Nothing,
}

fn wanted(request: &HeaderMap, total: usize, validators: &Validators) -> Wanted {
    let text = |name: HeaderName| request.get(name).and_then(|value| value.to_str().ok());
    let holds = |condition: &str| {
        let same_date = || {
            validators.modified.as_ref().is_some_and(|modified| modified.as_bytes() == condition.as_bytes())
        };
        condition.as_bytes() == validators.etag.as_bytes() || same_date()
    };
    if text(IF_RANGE).is_some_and(|condition| !holds(condition)) {
        return Wanted::Whole;
    }
    let spec = text(RANGE).and_then(|range| range.strip_prefix("bytes=")).filter(|spec| !spec.contains(','));
    let Some((first, last)) = spec.and_then(|spec| spec.trim().split_once('-')) else { return Wanted::Whole };
    match (first.parse::<usize>(), last.parse::<usize>()) {
        (Ok(first), Ok(last)) if first <= last && first < total => {
            Wanted::Part(first..total.min(last.saturating_add(1)))
        }
        (Ok(first), Err(_)) if last.is_empty() && first < total => Wanted::Part(first..total),
        (Err(_), Ok(suffix)) if first.is_empty() && suffix > 0 && total > 0 => {
            Wanted::Part(total.saturating_sub(suffix)..total)
        }
        (Ok(first), _)
            if first >= total
                && (last.is_empty() || last.parse::<usize>().is_ok_and(|last| first <= last)) =>
        {
            Wanted::Nothing
        }
        (Err(_), Ok(0)) if first.is_empty() => Wanted::Nothing,
        _ => Wanted::Whole,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MODIFIED: &str = "Sat, 21 Nov 2026 01:47:50 GMT";

    fn pieces(pieces: &[&'static str]) -> Vec<Bytes> {
        pieces.iter().copied().map(Bytes::from).collect()
    }

    #[test]
    fn a_range_may_begin_and_end_in_any_piece() {
        for (part, expected) in
            [(0..10, "0123456789"), (3..5, "34"), (4..6, "45"), (0..4, "0123"), (5..10, "56789")]
        {
            let slices: Vec<_> = slices(pieces(&["0123", "45", "", "6789"]), &part).collect();
            assert!(slices.iter().all(|slice| !slice.is_empty()));
            assert_eq!(slices.concat(), expected.as_bytes(), "{part:?}");
        }
    }

    fn answer(fields: &[(HeaderName, &'static str)]) -> (u16, Option<String>, Option<String>) {
        let request =
            fields.iter().map(|(name, value)| (name.clone(), HeaderValue::from_static(value))).collect();
        let validators = Validators {
            etag: HeaderValue::from_static("\"1-a\""),
            modified: Some(HeaderValue::from_static(MODIFIED)),
        };
        let response = respond(&Method::GET, &request, pieces(&["0123", "45", "", "6789"]), &validators);
        let text = |name| response.headers().get(name).map(|value| value.to_str().unwrap().to_owned());
        (response.status().as_u16(), text(CONTENT_RANGE), text(CONTENT_LENGTH))
    }

    #[test]
    fn ranges() {
        let table: [(&str, u16, Option<&str>); 12] = [
            ("bytes=0-", 206, Some("bytes 0-9/10")),
            ("bytes=2-4", 206, Some("bytes 2-4/10")),
            ("bytes=9-99", 206, Some("bytes 9-9/10")),
            ("bytes=-3", 206, Some("bytes 7-9/10")),
            ("bytes=-30", 206, Some("bytes 0-9/10")),
            ("bytes=10-", 416, Some("bytes */10")),
            ("bytes=-0", 416, Some("bytes */10")),
            ("bytes=4-2", 200, None),
            ("bytes=0-1,3-4", 200, None),
            ("lines=0-1", 200, None),
            ("bytes=x-1", 200, None),
            ("bytes=12-11", 200, None),
        ];
        for (range, status, content_range) in table {
            let (got, got_range, _) = answer(&[(RANGE, range)]);
            assert_eq!((got, got_range.as_deref()), (status, content_range), "{range}");
        }
    }

    #[test]
    fn conditions() {
        // The second request for a first segment, as recorded in `fixtures/jellyfin/web-12.0-zap.ndjson`.
        assert_eq!(answer(&[(IF_MODIFIED_SINCE, MODIFIED)]), (304, None, None));
        assert_eq!(answer(&[(IF_MODIFIED_SINCE, "Sat, 21 Nov 2026 01:47:49 GMT")]).0, 200);
        assert_eq!(answer(&[(IF_NONE_MATCH, "\"x\", W/\"1-a\"")]).0, 304);
        assert_eq!(answer(&[(IF_NONE_MATCH, "*")]).0, 304);
        assert_eq!(answer(&[(IF_NONE_MATCH, "\"x\""), (IF_MODIFIED_SINCE, MODIFIED)]).0, 200);
        assert_eq!(answer(&[(IF_RANGE, "\"1-a\""), (RANGE, "bytes=0-0")]).0, 206);
        assert_eq!(answer(&[(IF_RANGE, MODIFIED), (RANGE, "bytes=0-0")]).0, 206);
        assert_eq!(answer(&[(IF_RANGE, "\"x\""), (RANGE, "bytes=0-0")]), (200, None, Some("10".to_owned())));
    }

    #[test]
    fn a_head_has_the_fields_and_no_bytes() {
        let validators = Validators { etag: HeaderValue::from_static("\"a\""), modified: None };
        let response = respond(&Method::HEAD, &HeaderMap::new(), pieces(&["01", "23"]), &validators);
        assert_eq!(response.headers()[CONTENT_LENGTH], "4");
        assert!(http_body::Body::is_end_stream(response.body()));
    }
}
