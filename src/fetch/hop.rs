//! One request of a chain of redirects: its URL, and the header fields that may be sent there.

use data_encoding::BASE64;
use http::header::{AUTHORIZATION, LOCATION, REFERER, USER_AGENT};
use http::{HeaderMap, HeaderValue, Request, Response, StatusCode, Uri};
use percent_encoding::percent_decode_str;
use url::Url;

use crate::body::{self, Body};
use crate::wire;

/// The header fields that may be sent to another server after a redirect; any other may be a credential.
const HARMLESS: [http::HeaderName; 2] = [USER_AGENT, REFERER];

/// A request to make. Its URL contains neither user nor password: they are among the headers.
pub(super) struct Hop {
    pub(super) url: Url,
    headers: HeaderMap,
}

impl Hop {
    /// The request for `url`, if it is an HTTP URL.
    pub(super) fn new(mut url: Url, mut headers: HeaderMap) -> Option<Self> {
        if !matches!(url.scheme(), "http" | "https") {
            return None;
        }
        if let Some(basic) = basic(&url)? {
            headers.insert(AUTHORIZATION, basic);
        }
        url.set_username("").and_then(|()| url.set_password(None)).ok()?;
        url.set_fragment(None);
        Some(Self { url, headers })
    }

    /// The request that follows a redirect to `location`.
    pub(super) fn to(mut self, location: &str) -> Option<Self> {
        let next = self.url.join(location).ok()?;
        if !trusted(&self.url, &next) {
            let harmless = HARMLESS.map(|name| self.headers.remove(&name).map(|value| (name, value)));
            self.headers = harmless.into_iter().flatten().collect();
        }
        Self::new(next, self.headers)
    }

    /// The request as hyper sends it.
    pub(super) fn request(&self) -> Result<Request<Body>, wire::Error> {
        let uri = Uri::try_from(self.url.as_str()).map_err(|error| wire::Error::Target(error.into()))?;
        let mut request = Request::new(body::empty());
        *request.uri_mut() = uri;
        *request.headers_mut() = self.headers.clone();
        Ok(request)
    }
}

/// The target of the redirect that `response` is, if it is one.
pub(super) fn redirect(response: &Response<Body>) -> Option<&str> {
    match response.status() {
        StatusCode::MOVED_PERMANENTLY
        | StatusCode::FOUND
        | StatusCode::SEE_OTHER
        | StatusCode::TEMPORARY_REDIRECT
        | StatusCode::PERMANENT_REDIRECT => {
            std::str::from_utf8(response.headers().get(LOCATION)?.as_bytes()).ok()
        }
        _ => None,
    }
}

/// Whether credentials for `from` may be sent to `to`: the same origin, or the same host by HTTPS instead of HTTP.
fn trusted(from: &Url, to: &Url) -> bool {
    let secured = from.host() == to.host()
        && (from.scheme(), from.port(), to.scheme(), to.port()) == ("http", None, "https", None);
    from.origin() == to.origin() || secured
}

/// User and password of `url` as Basic authentication (RFC 7617); `Some(None)` if it has neither.
fn basic(url: &Url) -> Option<Option<HeaderValue>> {
    if url.username().is_empty() && url.password().is_none() {
        return Some(None);
    }
    let mut pair: Vec<u8> = percent_decode_str(url.username()).collect();
    pair.push(b':');
    pair.extend(percent_decode_str(url.password().unwrap_or_default()));
    let mut value = HeaderValue::try_from(format!("Basic {}", BASE64.encode(&pair))).ok()?;
    value.set_sensitive(true);
    Some(Some(value))
}
