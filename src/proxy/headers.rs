//! Changes the header fields that a proxy must change, and no others: RFC 9110 7.6, RFC 9113 8.2.3.
//!
//! It knows nothing of bodies and sockets; those that tell where a request comes from are in `forwarded`.

use http::header::{self, HeaderMap, HeaderName, HeaderValue};
use http::uri::{Authority, PathAndQuery};
use http::{Uri, Version};

use crate::proxy::error::Fault;
use domain::clients::wishes;

/// Fields that are meant for the next hop even if `Connection` does not name them.
const HOP_BY_HOP: [HeaderName; 8] = [
    header::CONNECTION,
    HeaderName::from_static("keep-alive"),
    HeaderName::from_static("proxy-connection"),
    header::PROXY_AUTHENTICATE,
    header::PROXY_AUTHORIZATION,
    header::TE,
    header::TRANSFER_ENCODING,
    header::UPGRADE,
];

/// The addresses that a request came through (a de facto standard, as are the next two).
pub(super) const FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
/// The scheme of the request as its client sent it.
pub(super) const FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");
/// The host of the request as its client sent it.
pub(super) const FORWARDED_HOST: HeaderName = HeaderName::from_static("x-forwarded-host");
/// The most fields of a request that Jellyfin's server takes (`KestrelServerLimits.MaxRequestHeaderCount`).
const MOST_FIELDS: usize = 100;
/// The most bytes that they may have (`MaxRequestHeadersTotalSize`).
const MOST_BYTES: usize = 32 << 10;

/// Removes the fields that are meant for this hop only (RFC 9110 7.6.1). `Trailer` stays, because the trailers do, and `Host` stays even if
/// `Connection` names it.
pub(super) fn strip_hop_by_hop(headers: &mut HeaderMap) {
    let named: Vec<HeaderName> = tokens(headers, &header::CONNECTION)
        .filter_map(|token| HeaderName::from_bytes(token.as_bytes()).ok())
        .filter(|name| *name != header::HOST)
        .collect();
    for name in named.iter().chain(&HOP_BY_HOP) {
        headers.remove(name);
    }
}

/// Whether a list field contains `token`, in any letter case.
#[must_use]
pub(super) fn has_token(headers: &HeaderMap, name: &HeaderName, token: &str) -> bool {
    tokens(headers, name).any(|found| found.eq_ignore_ascii_case(token))
}

/// Whether a message has a transfer coding other than `chunked`, which the gateway cannot decode.
#[must_use]
pub(super) fn has_foreign_coding(headers: &HeaderMap) -> bool {
    tokens(headers, &header::TRANSFER_ENCODING).any(|coding| !coding.eq_ignore_ascii_case("chunked"))
}

/// Checks what of a request's head decides where the request ends and where it goes, and leaves one spelling of it.
///
/// # Errors
/// [`Fault::RequestCoding`] for a transfer coding other than `chunked`, and what [`settle_framing`], [`check_target`] and [`set_host`] say.
pub(super) fn settle_head(headers: &mut HeaderMap, uri: &Uri, version: Version) -> Result<(), Fault> {
    if has_foreign_coding(headers) {
        return Err(Fault::RequestCoding);
    }
    settle_framing(headers)?;
    check_target(uri)?;
    set_host(headers, uri, version)
}

/// Leaves one `Content-Length` of several equal ones, which HTTP/2 lets through (RFC 9110 8.6).
///
/// # Errors
/// [`Fault::Framing`] if they differ, or if the message is chunked twice.
fn settle_framing(headers: &mut HeaderMap) -> Result<(), Fault> {
    if tokens(headers, &header::TRANSFER_ENCODING).count() > 1 {
        return Err(Fault::Framing);
    }
    let mut lengths = tokens(headers, &header::CONTENT_LENGTH);
    let Some(first) = lengths.next().map(str::to_owned) else { return Ok(()) };
    let differ = lengths.any(|length| length != first);
    drop(lengths);
    if differ {
        return Err(Fault::Framing);
    }
    headers.insert(header::CONTENT_LENGTH, HeaderValue::try_from(first).map_err(|_| Fault::Framing)?);
    Ok(())
}

/// Checks that a target has a path (RFC 9112 3.2, RFC 9113 8.3.1).
///
/// # Errors
/// [`Fault::Target`] if it has none, as in `GET tv` or with a `:path` of `?x`.
fn check_target(uri: &Uri) -> Result<(), Fault> {
    let path = uri.path_and_query().map(PathAndQuery::as_str);
    if path.is_some_and(|path| path.starts_with('/') || path == "*") { Ok(()) } else { Err(Fault::Target) }
}

/// Sets the fields for the next hop, after [`strip_hop_by_hop`]: those for trailers and for an upgrade, if they are passed on.
pub(super) fn set_connection(headers: &mut HeaderMap, trailers: bool, upgrade: Option<HeaderValue>) {
    let options = match (trailers, upgrade.is_some()) {
        (false, false) => return,
        (true, false) => "te",
        (false, true) => "upgrade",
        (true, true) => "te, upgrade",
    };
    headers.insert(header::CONNECTION, HeaderValue::from_static(options));
    if trailers {
        headers.insert(header::TE, HeaderValue::from_static("trailers"));
    }
    if let Some(protocol) = upgrade {
        headers.insert(header::UPGRADE, protocol);
    }
}

/// Sets `Host` to the target's authority, which HTTP/2 and absolute URIs have (RFC 9112 3.2.2).
///
/// # Errors
/// [`Fault::Host`] unless there is exactly one `Host`, of a host and perhaps a port, or empty; HTTP/1.0 needs none.
fn set_host(headers: &mut HeaderMap, uri: &Uri, version: Version) -> Result<(), Fault> {
    if let Some(authority) = uri.authority() {
        let host = authority.as_str().rsplit('@').next().unwrap_or_default();
        headers.insert(header::HOST, HeaderValue::try_from(host).map_err(|_| Fault::Host)?);
    }
    match headers.get_all(header::HOST).iter().count() {
        1 if headers.get(header::HOST).is_some_and(is_host) => Ok(()),
        0 if version == Version::HTTP_10 => Ok(()),
        _ => Err(Fault::Host),
    }
}

/// Whether a value is `uri-host [ ":" port ]`, or empty (RFC 9110 7.2).
fn is_host(value: &HeaderValue) -> bool {
    if value.is_empty() {
        return true;
    }
    let authority = value.to_str().ok().and_then(|text| text.parse::<Authority>().ok());
    authority.is_some_and(|authority| {
        let text = authority.as_str();
        let port = text.strip_prefix(authority.host()).and_then(|rest| rest.strip_prefix(':'));
        let port_is_one = port.is_none_or(|port| port.is_empty() || port.parse::<u16>().is_ok());
        port_is_one && !text.contains('@') && !authority.host().is_empty()
    })
}

/// Joins the `Cookie` fields that HTTP/2 may split, because HTTP/1.1 allows only one (RFC 9113 8.2.3).
pub(super) fn join_cookies(headers: &mut HeaderMap) {
    let crumbs: Vec<&[u8]> = headers.get_all(header::COOKIE).iter().map(HeaderValue::as_bytes).collect();
    if crumbs.len() < 2 {
        return;
    }
    if let Ok(cookie) = HeaderValue::from_bytes(&crumbs.join(&b"; "[..])) {
        headers.insert(header::COOKIE, cookie);
    }
}

/// Appends this hop to `Via` (RFC 9110 7.6.3).
///
/// # Errors
/// [`Fault::Loop`] if `name` is in `Via` already.
pub(super) fn add_via(headers: &mut HeaderMap, version: Version, name: &str) -> Result<(), Fault> {
    let received_by = |hop: &str| hop.split_ascii_whitespace().nth(1).is_some_and(|by| by == name);
    if tokens(headers, &header::VIA).any(received_by) {
        return Err(Fault::Loop);
    }
    let version = match version {
        Version::HTTP_10 => "1.0",
        Version::HTTP_2 => "2",
        _ => "1.1",
    };
    if let Ok(hop) = HeaderValue::try_from(format!("{version} {name}")) {
        headers.append(header::VIA, hop);
    }
    Ok(())
}

/// Leaves out fields that come on top of a client's where the server would not take so many: this hop's `Via`, and what the server
/// assumes anyway. `X-Forwarded-For` stays: what a client may do depends on where it is.
pub(super) fn fit(headers: &mut HeaderMap) {
    let is_own_via = headers.get_all(header::VIA).iter().count() == 1;
    let is_host = headers.get(FORWARDED_HOST) == headers.get(header::HOST);
    let is_http = headers.get(FORWARDED_PROTO).is_some_and(|scheme| scheme == "http");
    for (name, is_spare) in [(header::VIA, is_own_via), (FORWARDED_HOST, is_host), (FORWARDED_PROTO, is_http)]
    {
        if is_spare && is_too_large(headers) {
            headers.remove(name);
        }
    }
}

fn is_too_large(headers: &HeaderMap) -> bool {
    let bytes = || headers.iter().map(|(name, value)| name.as_str().len() + value.len() + 4).sum::<usize>();
    headers.len() > MOST_FIELDS || bytes() > MOST_BYTES
}

/// Removes the fields that only the gateway understands, whoever sent them.
pub(super) fn remove_wishes(headers: &mut HeaderMap) {
    remove_all(headers, wishes::is_own);
}

/// Removes the fields whose name `is_one`.
pub(super) fn remove_all(headers: &mut HeaderMap, is_one: impl Fn(&HeaderName) -> bool) {
    let named: Vec<HeaderName> = headers.keys().filter(|name| is_one(name)).cloned().collect();
    for name in named {
        headers.remove(name);
    }
}

/// The members of a list field.
pub(super) fn tokens<'a>(headers: &'a HeaderMap, name: &HeaderName) -> impl Iterator<Item = &'a str> {
    headers
        .get_all(name)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .map(str::trim)
        .filter(|token| !token.is_empty())
}

/// Whether a player takes gzip (RFC 9110, 12.5.3).
pub(super) fn takes_gzip(request: &HeaderMap) -> bool {
    let named = request.get_all(header::ACCEPT_ENCODING).iter().filter_map(|value| value.to_str().ok());
    named.flat_map(|value| value.split(',')).any(|coding| {
        let (name, weight) = coding.split_once(';').unwrap_or((coding, "q=1"));
        let weight = weight.trim().strip_prefix("q=").and_then(|weight| weight.parse::<f32>().ok());
        name.trim().eq_ignore_ascii_case("gzip") && weight.is_some_and(|weight| weight > 0.0)
    })
}

#[cfg(test)]
pub(in crate::proxy) mod tests {
    use super::*;

    pub(in crate::proxy) fn map(fields: &[(&'static str, &'static str)]) -> HeaderMap {
        fields
            .iter()
            .map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value)))
            .collect()
    }

    pub(in crate::proxy) fn values(headers: &HeaderMap, name: &str) -> Vec<String> {
        headers.get_all(name).iter().map(|value| value.to_str().unwrap().to_owned()).collect()
    }

    #[test]
    fn the_named_and_the_known_go_the_rest_stays() {
        let mut headers = map(&[
            ("connection", "close, X-Secret-Hop"),
            ("connection", "host, keep-alive"),
            ("x-secret-hop", "1"),
            ("keep-alive", "timeout=5"),
            ("proxy-connection", "keep-alive"),
            ("proxy-authorization", "Basic eA=="),
            ("proxy-authenticate", "Basic"),
            ("te", "trailers"),
            ("transfer-encoding", "chunked"),
            ("upgrade", "websocket"),
            ("trailer", "x-sum"),
            ("host", "tv.example"),
            ("x-emby-token", "t"),
        ]);
        strip_hop_by_hop(&mut headers);
        let mut left: Vec<&str> = headers.keys().map(HeaderName::as_str).collect();
        left.sort_unstable();
        assert_eq!(left, ["host", "trailer", "x-emby-token"]);
    }

    #[test]
    fn connection_is_said_anew() {
        for (trailers, upgrade, connection) in [
            (false, None, None),
            (true, None, Some("te")),
            (false, Some("websocket"), Some("upgrade")),
            (true, Some("websocket"), Some("te, upgrade")),
        ] {
            let mut headers = HeaderMap::new();
            set_connection(&mut headers, trailers, upgrade.map(HeaderValue::from_static));
            assert_eq!(headers.get("connection").map(|value| value.to_str().unwrap()), connection);
            assert_eq!(headers.contains_key("te"), trailers);
            assert_eq!(headers.contains_key("upgrade"), upgrade.is_some());
        }
    }

    #[test]
    fn there_is_one_host() {
        let origin = Uri::from_static("/x");
        let absolute = Uri::from_static("http://user@tv.example:80/x");
        let case = |fields: &[_], uri: &Uri, version| {
            let mut headers = map(fields);
            set_host(&mut headers, uri, version).ok().map(|()| values(&headers, "host").concat())
        };
        let kept = Some("a".to_owned());
        assert_eq!(case(&[("host", "a")], &origin, Version::HTTP_11), kept);
        assert_eq!(case(&[("host", "a")], &absolute, Version::HTTP_11), Some("tv.example:80".into()));
        assert_eq!(case(&[], &absolute, Version::HTTP_2), Some("tv.example:80".into()));
        assert_eq!(case(&[], &origin, Version::HTTP_10), Some(String::new()));
        assert_eq!(case(&[], &origin, Version::HTTP_11), None);
        assert_eq!(case(&[("host", "a"), ("host", "b")], &origin, Version::HTTP_11), None);
    }

    #[test]
    fn a_host_is_a_host_and_a_port() {
        for host in ["", "tv", "tv:80", "tv:", "[::1]:8096", "10.0.0.1", "tv_box.example"] {
            assert!(is_host(&HeaderValue::from_static(host)), "{host:?}");
        }
        for host in ["a b", "tv/x", "me@tv", "tv:x", "tv:99999", ":80", "tv?x", "[::1"] {
            assert!(!is_host(&HeaderValue::from_static(host)), "{host:?}");
        }
    }

    #[test]
    fn a_body_has_one_length() {
        let settled = |fields: &[_]| {
            let mut headers = map(fields);
            settle_framing(&mut headers).ok().map(|()| values(&headers, "content-length").concat())
        };
        assert_eq!(settled(&[("content-length", "5"), ("content-length", "5")]), Some("5".into()));
        assert_eq!(settled(&[("content-length", "5, 5")]), Some("5".into()));
        assert_eq!(settled(&[]), Some(String::new()));
        assert_eq!(settled(&[("content-length", "5"), ("content-length", "6")]), None);
        assert_eq!(settled(&[("transfer-encoding", "chunked, chunked")]), None);
    }

    #[test]
    fn cookies_are_joined() {
        let mut headers = map(&[("cookie", "a=1"), ("cookie", "b=2")]);
        join_cookies(&mut headers);
        assert_eq!(values(&headers, "cookie"), ["a=1; b=2"]);
    }

    #[test]
    fn via_grows_and_finds_loops() {
        let mut headers = map(&[("via", "1.0 fred, 1.1 gate.example (gate)")]);
        add_via(&mut headers, Version::HTTP_2, "gate").unwrap();
        assert_eq!(values(&headers, "via"), ["1.0 fred, 1.1 gate.example (gate)", "2 gate"]);
        assert!(matches!(add_via(&mut headers, Version::HTTP_11, "gate"), Err(Fault::Loop)));
    }

    #[test]
    fn only_chunked_can_be_undone() {
        assert!(!has_foreign_coding(&map(&[("transfer-encoding", "Chunked")])));
        assert!(has_foreign_coding(&map(&[("transfer-encoding", "gzip, chunked")])));
    }
}
