//! The files of the transcode folder, served as ASP.NET Core's `PhysicalFileResult` does: with ranges and validators.

use std::path::Path;
use std::time::SystemTime;

use bytes::Bytes;
use http::header::{self, HeaderName, HeaderValue};
use http::{HeaderMap, StatusCode};

use crate::body::Body;
use crate::response::{Refusal, Response, insert, status};
use crate::state::State;

/// `GET /Videos/{any}/hls/{playlist id}/{name}.{ext}`: needs no token. A playlist pings its job, a segment does not
/// (`HlsSegmentController.cs`).
///
/// # Errors
/// [`Refusal::Missing`] unless a file has the playlist id in its name, and the named file exists.
pub(crate) async fn segment(
    state: &State,
    headers: &HeaderMap,
    playlist_id: &str,
    name: &str,
) -> Result<Response, Refusal> {
    let (_, extension) = name.rsplit_once('.').ok_or(Refusal::Missing)?;
    if name.contains(['\\', '%']) {
        return Err(Refusal::BadRequest);
    }
    let found = find(&state.server.folder, playlist_id, extension).ok_or(Refusal::Missing)?;
    if extension.eq_ignore_ascii_case("m3u8") {
        let id = found.trim_end_matches(".m3u8");
        state.jobs.ping(id);
    }
    let content_type = match extension.to_ascii_lowercase().as_str() {
        "m3u8" => "application/vnd.apple.mpegurl",
        "ts" => "video/mp2t",
        _ => "application/octet-stream",
    };
    file(&state.server.folder.join(name), content_type, headers).await
}

fn find(folder: &Path, playlist_id: &str, extension: &str) -> Option<String> {
    let names = std::fs::read_dir(folder).ok()?.flatten().map(|entry| entry.file_name());
    names.filter_map(|name| name.into_string().ok()).find(|name| {
        let ending = name.rsplit_once('.').map_or("", |(_, ending)| ending);
        (ending == "m3u8" || ending.eq_ignore_ascii_case(extension)) && name.contains(playlist_id)
    })
}

async fn file(path: &Path, content_type: &'static str, requested: &HeaderMap) -> Result<Response, Refusal> {
    let bytes = Bytes::from(tokio::fs::read(path).await.map_err(|_| Refusal::Missing)?);
    let metadata = tokio::fs::metadata(path).await.map_err(|_| Refusal::Missing)?;
    let modified = httpdate::fmt_http_date(metadata.modified().unwrap_or(SystemTime::UNIX_EPOCH));
    let mut response = if not_modified(requested, &modified) {
        status(StatusCode::NOT_MODIFIED)
    } else {
        let mut response = slice(bytes, requested, &modified)?;
        response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type));
        response.headers_mut().insert(header::ACCEPT_RANGES, HeaderValue::from_static("bytes"));
        response
    };
    insert(response.headers_mut(), header::LAST_MODIFIED, &modified);
    Ok(response)
}

fn not_modified(requested: &HeaderMap, modified: &str) -> bool {
    let date = |text: &str| httpdate::parse_http_date(text).ok();
    let since = text(requested, header::IF_MODIFIED_SINCE).and_then(date);
    since.is_some_and(|since| date(modified).is_some_and(|modified| modified <= since))
}

fn slice(bytes: Bytes, requested: &HeaderMap, modified: &str) -> Result<Response, Refusal> {
    let current = text(requested, header::IF_RANGE).is_none_or(|validator| validator == modified);
    let Some(range) = text(requested, header::RANGE).filter(|_| current).and_then(ByteRange::parse) else {
        return Ok(Response::new(Body::complete(bytes)));
    };
    let length = bytes.len() as u64;
    let (start, end) = range.within(length).ok_or(Refusal::Range(length))?;
    let part = bytes.slice(start as usize..end as usize);
    let mut response = Response::new(Body::complete(part));
    *response.status_mut() = StatusCode::PARTIAL_CONTENT;
    insert(response.headers_mut(), header::CONTENT_RANGE, &format!("bytes {start}-{}/{length}", end - 1));
    Ok(response)
}

fn text(headers: &HeaderMap, name: HeaderName) -> Option<&str> {
    headers.get(name)?.to_str().ok()
}

/// A single byte range. A request for several gets the whole file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum ByteRange {
    From(u64, Option<u64>),
    Last(u64),
}

impl ByteRange {
    fn parse(text: &str) -> Option<Self> {
        let (first, last) = text.strip_prefix("bytes=")?.trim().split_once('-')?;
        match (first.is_empty(), last.is_empty()) {
            (true, _) => Some(Self::Last(last.parse().ok()?)),
            (false, true) => Some(Self::From(first.parse().ok()?, None)),
            (false, false) => {
                let (first, last) = (first.parse().ok()?, last.parse().ok()?);
                (first <= last).then_some(Self::From(first, Some(last)))
            }
        }
    }

    /// Its start and its end (exclusive) in a file of this length; `None` if it lies outside.
    fn within(self, length: u64) -> Option<(u64, u64)> {
        let (start, end) = match self {
            Self::From(first, last) => {
                (first, last.map_or(length, |last| length.min(last.saturating_add(1))))
            }
            Self::Last(count) => (length.saturating_sub(count), length),
        };
        (start < end).then_some((start, end))
    }
}

#[cfg(test)]
mod tests {
    use crate::files::ByteRange;

    #[test]
    fn ranges_are_those_of_rfc_9110() {
        let range = |text| ByteRange::parse(text).map(|range| range.within(100));
        assert_eq!(range("bytes=0-9"), Some(Some((0, 10))));
        assert_eq!(range("bytes=90-"), Some(Some((90, 100))));
        assert_eq!(range("bytes=90-200"), Some(Some((90, 100))));
        assert_eq!(range("bytes=-30"), Some(Some((70, 100))));
        assert_eq!(range("bytes=-300"), Some(Some((0, 100))));
        assert_eq!(range("bytes=100-"), Some(None));
        assert_eq!(range("bytes=-0"), Some(None));
        assert_eq!(range("bytes=9-3"), None);
        assert_eq!(range("bytes=0-1,4-5"), None);
        assert_eq!(range("items=0-1"), None);
    }
}
