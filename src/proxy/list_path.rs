//! The path under which a viewer asks for its playlist: `…/hls/wg{token}/live.m3u8`, so that segments need bare names.
//!
//! The variant line of the multivariant playlist names it, and a redirect where a player asks for `live.m3u8` itself. The server knows
//! no such folder: it is taken out of every path but those of our own segments, so that a playlist of the server's works there too.
//! The module does not know what a playlist holds.

use std::borrow::Cow;

use bytes::Bytes;
use http::header::LOCATION;
use http::{HeaderValue, Request, Response, StatusCode, Uri};

use crate::body::{self, Body};
use crate::proxy::query;
use crate::proxy::route::{self, Route};
use domain::key::ConsumerId;

/// The folder of a viewer's lists and segments, beside `live.m3u8`.
fn folder(token: ConsumerId) -> String {
    format!("hls/wg{token}/")
}

/// The route of a request. Takes the folder of a viewer out of its path, unless that names one of our segments, and returns the viewer's
/// token.
pub(super) fn route<B>(request: &mut Request<B>) -> (Route, Option<ConsumerId>) {
    match route::route(request.method(), request.uri()) {
        segment @ Route::Segment { .. } => (segment, None),
        other => match take_token(request) {
            Some(token) => (route::route(request.method(), request.uri()), Some(token)),
            None => (other, None),
        },
    }
}

fn take_token<B>(request: &mut Request<B>) -> Option<ConsumerId> {
    let uri = request.uri();
    let at = uri.path().rfind("/hls/wg")?;
    let (before, rest) = (&uri.path()[..at], &uri.path()[at + "/hls/wg".len()..]);
    let (token, rest) = rest.split_once('/')?;
    let token = ConsumerId::parse(token)?;
    let target = format!("{before}/{rest}{}", query_of(uri));
    query::set_target(request, &target);
    Some(token)
}

/// The query with its `?`; empty if there is none.
fn query_of(uri: &Uri) -> String {
    uri.query().map_or_else(String::new, |query| format!("?{query}"))
}

/// Where a viewer finds its list that has asked for `uri`, in the folder of `asked` or in none. Relative, so that it holds under any prefix.
pub(super) fn location(uri: &Uri, asked: Option<ConsumerId>, token: ConsumerId) -> Option<HeaderValue> {
    let up = match asked {
        Some(_) => "../../",
        None if uri.path().ends_with('/') => "../",
        None => "",
    };
    HeaderValue::try_from(format!("{up}{}live.m3u8{}", folder(token), query_of(uri))).ok()
}

/// An answer that sends a player to the path of its own list.
pub(super) fn found(location: HeaderValue) -> Response<Body> {
    let mut response = Response::new(body::empty());
    *response.status_mut() = StatusCode::FOUND;
    response.headers_mut().insert(LOCATION, location);
    response
}

/// The multivariant playlist with its variants in the folder of a viewer; `None` if it names none as Jellyfin does.
pub(super) fn in_folder(master: &Bytes, token: ConsumerId) -> Option<Bytes> {
    let text = std::str::from_utf8(master).ok().filter(|text| text.starts_with("#EXTM3U"))?;
    let is_variant = |line: &&str| line.starts_with("live.m3u8");
    text.lines().any(|line| is_variant(&line)).then(|| {
        let lines = text.split_inclusive('\n').map(|line| match is_variant(&line) {
            true => Cow::Owned(format!("{}{line}", folder(token))),
            false => Cow::Borrowed(line),
        });
        Bytes::from(lines.collect::<String>())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const ITEM: &str = "57b5d46725cae4dcca3c98c5b7336cac";

    fn token() -> ConsumerId {
        ConsumerId::from_bits(7)
    }

    fn taken(path: &str) -> (Option<ConsumerId>, String) {
        let mut request = Request::get(path).body(()).unwrap();
        let (_, token) = route(&mut request);
        (token, request.uri().to_string())
    }

    #[test]
    fn the_server_never_sees_the_folder() {
        let token = token();
        for (sent, passed) in [
            (
                format!("/jf/videos/{ITEM}/hls/wg{token}/live.m3u8?a=b"),
                format!("/jf/videos/{ITEM}/live.m3u8?a=b"),
            ),
            (format!("/videos/{ITEM}/hls/wg{token}/hls/0a/0a7.ts"), format!("/videos/{ITEM}/hls/0a/0a7.ts")),
            (
                format!("/videos/{ITEM}/hls/wg{token}/hls1/main/0.mp4?x"),
                format!("/videos/{ITEM}/hls1/main/0.mp4?x"),
            ),
        ] {
            assert_eq!(taken(&sent), (Some(token), passed));
        }
        for path in [
            format!("/videos/{ITEM}/hls/wg{token}/7.ts"),
            format!("/videos/{ITEM}/live.m3u8"),
            format!("/videos/{ITEM}/hls/wg12/live.m3u8"),
            format!("/videos/{ITEM}/hls/wg{token}"),
        ] {
            assert_eq!(taken(&path), (None, path.clone()));
        }
    }

    #[test]
    fn a_viewer_is_told_its_folder() {
        let token = token();
        let told = |path: &str, asked| location(&path.parse().unwrap(), asked, token).unwrap();
        assert_eq!(told("/videos/x/live.m3u8?a=b", None), format!("hls/wg{token}/live.m3u8?a=b"));
        assert_eq!(told("/videos/x/live.m3u8/?a=b", None), format!("../hls/wg{token}/live.m3u8?a=b"));
        let other = Some(ConsumerId::from_bits(8));
        assert_eq!(told("/videos/x/live.m3u8", other), format!("../../hls/wg{token}/live.m3u8"));
        let master = "#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=1\nlive.m3u8?a=b\n";
        let expected = format!("#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=1\nhls/wg{token}/live.m3u8?a=b\n");
        assert_eq!(in_folder(&Bytes::from(master), token).unwrap(), expected);
        for other in ["#EXTM3U\n#EXTINF:1,\n0.ts\n", "<html>live.m3u8", ""] {
            assert_eq!(in_folder(&Bytes::from(other), token), None);
        }
    }
}
