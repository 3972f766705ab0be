//! Tells the server where a request comes from, in `X-Forwarded-*`, and whom the gateway takes for its client.
//!
//! Only trusted proxies are believed: each tells from whom it received the request, and the first of them that is no trusted proxy is the
//! client.

use std::net::IpAddr;

use http::header::{self, HeaderMap, HeaderName, HeaderValue};
use ipnet::IpNet;

use crate::proxy::headers::{self, FORWARDED_FOR, FORWARDED_HOST, FORWARDED_PROTO};
use crate::server::{Peer, is_trusted};
use domain::forwarded::{Hop, hop_address, hops};

/// How both fields name a hop without an address.
const UNKNOWN: &str = "unknown";
const REAL_IP: HeaderName = HeaderName::from_static("x-real-ip");

/// Sets `X-Forwarded-For`, `-Proto` and `-Host`. If `peer` is trusted, its address is appended to the list and the other fields are kept;
/// otherwise all of them are dropped first. Where a trusted peer says it in `Forwarded` alone, it is said in these fields too.
pub(super) fn set(fields: &mut HeaderMap, peer: Option<Peer>, trusted: &[IpNet]) {
    let address = peer.map(|peer| peer.address.ip().to_canonical());
    if is_trusted(peer.and_then(|peer| peer.speaks_as()), trusted) {
        translate(fields, trusted);
    } else {
        remove_claims(fields);
    }
    if let Some(ip) = address {
        let mut hops: Vec<String> = headers::tokens(fields, &FORWARDED_FOR).map(str::to_owned).collect();
        hops.push(ip.to_string());
        if let Ok(list) = HeaderValue::try_from(hops.join(", ")) {
            fields.insert(FORWARDED_FOR, list);
        }
        if fields.contains_key(header::FORWARDED)
            && let Ok(hop) = HeaderValue::try_from(format!("for=\"{}\"", node(ip)))
        {
            fields.append(header::FORWARDED, hop);
        }
    }
    let scheme = if peer.is_some_and(|peer| peer.is_secure) { "https" } else { "http" };
    fields.entry(FORWARDED_PROTO).or_insert(HeaderValue::from_static(scheme));
    if let Some(host) = fields.get(header::HOST).cloned() {
        fields.entry(FORWARDED_HOST).or_insert(host);
    }
}

/// Says in `X-Forwarded-*` what `Forwarded` says, which Jellyfin does not read. Where there is an `X-Forwarded-For`, that is what the
/// proxy speaks, and it may have passed on a `Forwarded` of its client's.
fn translate(fields: &mut HeaderMap, trusted: &[IpNet]) {
    if fields.contains_key(FORWARDED_FOR) || !fields.contains_key(header::FORWARDED) {
        return;
    }
    let lines = fields.get_all(header::FORWARDED).iter();
    let mut lines: Vec<_> = lines.map(|line| line.to_str().ok().and_then(hops)).collect();
    let mut told = Vec::new();
    // Proxies add to the end: what stands before a line that cannot be read may be made up.
    if let Some(unread) = lines.iter().rposition(Option::is_none) {
        lines.drain(..=unread);
        told.push(Hop::default());
        fields.remove(header::FORWARDED);
    }
    told.extend(lines.into_iter().flatten().flatten());
    let address = |hop: &Hop| hop.node.as_deref().and_then(hop_address);
    let nodes = told.iter().map(|hop| address(hop).map_or(UNKNOWN.to_owned(), |ip| ip.to_string()));
    let nodes: Vec<_> = nodes.collect();
    let client = told.get(client_place(&nodes, trusted)).cloned().unwrap_or_default();
    let list = (!nodes.is_empty()).then(|| nodes.join(", "));
    for (name, value) in
        [(FORWARDED_FOR, list), (FORWARDED_PROTO, client.proto), (FORWARDED_HOST, client.host)]
    {
        match value.and_then(|value| HeaderValue::try_from(value).ok()) {
            Some(value) => drop(fields.insert(name, value)),
            None => drop(fields.remove(name)),
        }
    }
}

/// An address as `Forwarded` writes it.
fn node(ip: IpAddr) -> String {
    match ip {
        IpAddr::V4(ip) => ip.to_string(),
        IpAddr::V6(ip) => format!("[{ip}]"),
    }
}

/// The address of the client, as far as trusted proxies tell.
#[must_use]
pub(super) fn client_address(fields: &HeaderMap, trusted: &[IpNet]) -> Option<IpAddr> {
    hop_address(hops_from_client(fields, trusted).first()?)
}

/// The hops of `X-Forwarded-For` from the client on, as trusted proxies tell.
#[must_use]
pub(super) fn told_hops(fields: &HeaderMap, trusted: &[IpNet]) -> Option<HeaderValue> {
    let told = hops_from_client(fields, trusted).join(", ");
    HeaderValue::try_from(told).ok().filter(|told| !told.is_empty())
}

fn hops_from_client<'a>(fields: &'a HeaderMap, trusted: &[IpNet]) -> Vec<&'a str> {
    let mut hops: Vec<&str> = headers::tokens(fields, &FORWARDED_FOR).collect();
    hops.split_off(client_place(&hops, trusted))
}

/// The client is the last hop that is no trusted proxy: what stands before it may be made up.
fn client_place(hops: &[impl AsRef<str>], trusted: &[IpNet]) -> usize {
    let is_proxy = |hop: &str| hop_address(hop).is_some_and(|ip| is_trusted(Some(ip), trusted));
    hops.iter().rposition(|hop| !is_proxy(hop.as_ref())).unwrap_or_default()
}

fn remove_claims(fields: &mut HeaderMap) {
    headers::remove_all(fields, |name| {
        name.as_str().starts_with("x-forwarded-") || *name == header::FORWARDED || *name == REAL_IP
    });
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::proxy::headers::tests::{map, values};

    #[test]
    fn claims_of_strangers_are_dropped() {
        let claims = [
            ("host", "tv.example"),
            ("x-forwarded-for", "9.9.9.9"),
            ("x-forwarded-proto", "https"),
            ("x-forwarded-host", "evil.example"),
            ("x-forwarded-port", "1"),
            ("x-real-ip", "9.9.9.9"),
            ("forwarded", "for=9.9.9.9"),
        ];
        let trusted = ["10.0.0.0/8".parse().unwrap()];
        let peer = |ip: &str, is_secure| {
            let address = (ip.parse::<IpAddr>().unwrap(), 1).into();
            Some(Peer { address, is_secure, is_anonymous: false })
        };
        let mut headers = map(&claims);
        set(&mut headers, peer("203.0.113.7", false), &trusted);
        assert_eq!(values(&headers, "x-forwarded-for"), ["203.0.113.7"]);
        assert_eq!(values(&headers, "x-forwarded-proto"), ["http"]);
        assert_eq!(values(&headers, "x-forwarded-host"), ["tv.example"]);
        for gone in ["x-forwarded-port", "x-real-ip", "forwarded"] {
            assert!(!headers.contains_key(gone), "{gone}");
        }

        let mut headers = map(&claims);
        set(&mut headers, peer("::ffff:10.1.2.3", false), &trusted);
        assert_eq!(values(&headers, "x-forwarded-for"), ["9.9.9.9, 10.1.2.3"]);
        assert_eq!(values(&headers, "x-forwarded-proto"), ["https"]);
        assert_eq!(values(&headers, "x-forwarded-host"), ["evil.example"]);
        assert_eq!(values(&headers, "x-real-ip"), ["9.9.9.9"]);

        let mut headers = map(&claims[..1]);
        set(&mut headers, peer("203.0.113.7", true), &trusted);
        assert_eq!(values(&headers, "x-forwarded-proto"), ["https"]);
    }

    #[test]
    fn what_a_trusted_proxy_says_in_forwarded_counts() {
        let trusted = ["10.0.0.0/8".parse().unwrap()];
        let proxy = Some(Peer { address: ([10, 1, 2, 3], 1).into(), is_secure: false, is_anonymous: false });
        let said = |fields: &[_]| {
            let mut headers = map(fields);
            set(&mut headers, proxy, &trusted);
            let value = |name| values(&headers, name).join(" | ");
            ["x-forwarded-for", "x-forwarded-proto", "x-forwarded-host", "forwarded"].map(value)
        };
        let own = "for=\"10.1.2.3\"";
        let forwarded = "for=6.6.6.6;proto=ftp, for=\"[2001:db8::7]:4711\";proto=https;host=tv.example, for=10.0.0.9;proto=http";
        assert_eq!(
            said(&[("host", "inner"), ("forwarded", forwarded)]),
            [
                "6.6.6.6, 2001:db8::7, 10.0.0.9, 10.1.2.3",
                "https",
                "tv.example",
                &format!("{forwarded} | {own}")
            ]
        );
        let both = said(&[("forwarded", "for=6.6.6.6;proto=https"), ("x-forwarded-for", "1.2.3.4")]);
        assert_eq!(both, ["1.2.3.4, 10.1.2.3", "http", "", &format!("for=6.6.6.6;proto=https | {own}")]);
        let broken = said(&[("x-forwarded-proto", "ftp"), ("forwarded", "for=\"6.6.6.6")]);
        assert_eq!(broken, ["unknown, 10.1.2.3", "http", "", ""]);
        let partly = said(&[("forwarded", "for=\""), ("forwarded", "for=1.2.3.4;proto=https")]);
        assert_eq!(partly, ["unknown, 1.2.3.4, 10.1.2.3", "https", "", ""]);
        let hidden = said(&[("forwarded", "for=_secret"), ("forwarded", "for=10.0.0.9")]);
        assert_eq!(hidden[0], "unknown, 10.0.0.9, 10.1.2.3");
    }

    #[test]
    fn the_client_is_the_last_hop_that_is_no_trusted_proxy() {
        let trusted = ["10.0.0.0/8".parse().unwrap()];
        for (hops, client) in [
            ("1.2.3.4", Some("1.2.3.4")),
            ("6.6.6.6, 1.2.3.4, 10.0.0.1", Some("1.2.3.4")),
            ("10.0.0.2, 10.0.0.1", Some("10.0.0.2")),
            ("1.2.3.4:5678, 10.0.0.1", Some("1.2.3.4")),
            ("unknown, 10.0.0.1", None),
            ("", None),
        ] {
            let mut fields = HeaderMap::new();
            fields.insert(FORWARDED_FOR, HeaderValue::from_static(hops));
            assert_eq!(client_address(&fields, &trusted), client.map(|ip| ip.parse().unwrap()), "{hops}");
        }
    }

    #[test]
    fn what_stands_before_the_client_is_not_told() {
        let trusted = ["127.0.0.0/8".parse().unwrap(), "10.0.0.0/8".parse().unwrap()];
        for (hops, told) in [
            ("9.9.9.9, 192.0.2.1, 127.0.0.1", Some("192.0.2.1, 127.0.0.1")),
            ("9.9.9.9, 192.0.2.1, 10.0.0.2, 127.0.0.1", Some("192.0.2.1, 10.0.0.2, 127.0.0.1")),
            ("9.9.9.9, unknown, 127.0.0.1", Some("unknown, 127.0.0.1")),
            ("10.0.0.3, 127.0.0.1", Some("10.0.0.3, 127.0.0.1")),
            ("", None),
        ] {
            let told_hops = told_hops(&map(&[("x-forwarded-for", hops)]), &trusted);
            assert_eq!(told_hops, told.map(HeaderValue::from_static), "{hops}");
        }
    }
}
