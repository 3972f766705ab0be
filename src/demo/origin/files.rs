//! Files out of the transcode folder, as ASP.NET's static results give them: ranges, validators, 304.

use std::path::Path;
use std::time::SystemTime;

use bytes::Bytes;
use http::header::{self, HeaderName, HeaderValue};
use http::{HeaderMap, Response, StatusCode};

use crate::body;
use crate::demo::origin::answer::{Answer, Refusal, insert, status};
use crate::demo::origin::state::State;

/// `GET /Videos/{any}/hls/{playlist id}/{name}.{ext}`: no token is asked. A playlist pings its job, a segment does not.
///
/// # Errors
/// [`Refusal::Missing`] if no playlist or segment has the id in its name, or the file itself is not there.
pub(super) async fn segment(
    state: &State,
    headers: &HeaderMap,
    playlist_id: &str,
    name: &str,
) -> Result<Answer, Refusal> {
    let (_, extension) = name.rsplit_once('.').ok_or(Refusal::Missing)?;
    if name.contains(['\\', '%']) {
        return Err(Refusal::BadRequest);
    }
    let known = owner(&state.folder, playlist_id, extension).ok_or(Refusal::Missing)?;
    if extension.eq_ignore_ascii_case("m3u8") {
        let id = known.trim_end_matches(".m3u8");
        state.jobs.ping(id, state.settings.delays.kill_timer);
    }
    let content_type = match extension.to_ascii_lowercase().as_str() {
        "m3u8" => "application/vnd.apple.mpegurl",
        "ts" => "video/mp2t",
        _ => "application/octet-stream",
    };
    file(&state.folder.join(name), content_type, headers).await
}

fn owner(folder: &Path, playlist_id: &str, extension: &str) -> Option<String> {
    let names = std::fs::read_dir(folder).ok()?.flatten().map(|entry| entry.file_name());
    names.filter_map(|name| name.into_string().ok()).find(|name| {
        let ending = name.rsplit_once('.').map_or("", |(_, ending)| ending);
        (ending == "m3u8" || ending.eq_ignore_ascii_case(extension)) && name.contains(playlist_id)
    })
}

async fn file(path: &Path, content_type: &'static str, asked: &HeaderMap) -> Result<Answer, Refusal> {
    let bytes = Bytes::from(tokio::fs::read(path).await.map_err(|_| Refusal::Missing)?);
    let metadata = tokio::fs::metadata(path).await.map_err(|_| Refusal::Missing)?;
    let modified = httpdate::fmt_http_date(metadata.modified().unwrap_or(SystemTime::UNIX_EPOCH));
    let mut answer = if not_modified(asked, &modified) {
        status(StatusCode::NOT_MODIFIED)
    } else {
        let mut answer = slice(bytes, asked, &modified)?;
        answer.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type));
        answer.headers_mut().insert(header::ACCEPT_RANGES, HeaderValue::from_static("bytes"));
        answer
    };
    insert(answer.headers_mut(), header::LAST_MODIFIED, &modified);
    Ok(answer)
}

fn not_modified(asked: &HeaderMap, modified: &str) -> bool {
    let date = |text: &str| httpdate::parse_http_date(text).ok();
    let since = text(asked, header::IF_MODIFIED_SINCE).and_then(date);
    since.is_some_and(|since| date(modified).is_some_and(|modified| modified <= since))
}

fn slice(bytes: Bytes, asked: &HeaderMap, modified: &str) -> Result<Answer, Refusal> {
    let current = text(asked, header::IF_RANGE).is_none_or(|validator| validator == modified);
    let Some(wanted) = text(asked, header::RANGE).filter(|_| current).and_then(Wanted::parse) else {
        return Ok(Response::new(body::full(bytes)));
    };
    let length = bytes.len() as u64;
    let (start, end) = wanted.within(length).ok_or(Refusal::Range(length))?;
    let part = bytes.slice(start as usize..end as usize);
    let mut answer = Response::new(body::full(part));
    *answer.status_mut() = StatusCode::PARTIAL_CONTENT;
    insert(answer.headers_mut(), header::CONTENT_RANGE, &format!("bytes {start}-{}/{length}", end - 1));
    Ok(answer)
}

fn text(headers: &HeaderMap, name: HeaderName) -> Option<&str> {
    headers.get(name)?.to_str().ok()
}

/// A single byte range; several are answered as if none were asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Wanted {
    From(u64, Option<u64>),
    Last(u64),
}

impl Wanted {
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

    /// Start and end (exclusive) in a file of this length.
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
    use crate::demo::origin::files::Wanted;

    #[test]
    fn ranges_are_those_of_rfc_9110() {
        let range = |text| Wanted::parse(text).map(|wanted| wanted.within(100));
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
