//! Reads `Forwarded` (RFC 7239), in which each proxy says from whom it received the request, and the addresses of hops.
//!
//! Commas and semicolons inside quotes do not separate: otherwise a client could add a hop of its own to what a proxy says about
//! it. The module does not know which proxies are believed.

use std::net::{IpAddr, SocketAddr};

/// What one proxy says of the request as it received it; parameters that it leaves out are `None`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Hop {
    /// From whom: an address, `unknown`, or a name that begins with `_` (RFC 7239, 6).
    pub node: Option<String>,
    /// Over which scheme.
    pub proto: Option<String>,
    /// The `Host` of it.
    pub host: Option<String>,
}

/// The hops that the value of one field names, the client's first. `None` if it does not follow the grammar, which leaves open who said
/// what.
#[must_use]
pub fn hops(value: &str) -> Option<Vec<Hop>> {
    let mut rest = value;
    let mut hops = Vec::new();
    loop {
        let (mut hop, mut is_empty) = (Hop::default(), true);
        loop {
            rest = rest.trim_start_matches(BLANK);
            if !rest.is_empty() && !rest.starts_with(SEPARATORS) {
                let (name, after) = rest.split_once('=').filter(|(name, _)| is_token(name))?;
                let (value, after) = parameter_value(after)?;
                rest = after.trim_start_matches(BLANK);
                is_empty = false;
                let before = match name.to_ascii_lowercase().as_str() {
                    "for" => hop.node.replace(value),
                    "proto" => hop.proto.replace(value),
                    "host" => hop.host.replace(value),
                    _ => None,
                };
                if before.is_some() {
                    return None;
                }
            }
            let Some(next) = rest.strip_prefix(';') else { break };
            rest = next;
        }
        // A list may have empty elements (RFC 9110, 5.6.1.2).
        if !is_empty {
            hops.push(hop);
        }
        if rest.is_empty() {
            return Some(hops);
        }
        rest = rest.strip_prefix(',')?;
    }
}

/// The address of a hop, as `Forwarded` and `X-Forwarded-For` write it, with or without a port; `None` if the hop has no address.
#[must_use]
pub fn hop_address(node: &str) -> Option<IpAddr> {
    let bare = node.strip_prefix('[').and_then(|node| node.strip_suffix(']')).unwrap_or(node);
    bare.parse().ok().or_else(|| node.parse().ok().map(|address: SocketAddr| address.ip()))
}

const BLANK: [char; 2] = [' ', '\t'];
const SEPARATORS: [char; 2] = [',', ';'];

fn is_token(name: &str) -> bool {
    !name.is_empty()
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte))
}

/// The value at the beginning of `text`, and what follows it.
fn parameter_value(text: &str) -> Option<(String, &str)> {
    let Some(quoted) = text.strip_prefix('"') else {
        // Proxies write addresses with ports without the quotes that they need.
        let end = text.find([',', ';', ' ', '\t']).unwrap_or(text.len());
        let (value, after) = text.split_at(end);
        return (!value.is_empty() && !value.contains(['"', '\\'])).then(|| (value.to_owned(), after));
    };
    let mut value = String::new();
    let mut characters = quoted.char_indices();
    loop {
        match characters.next()? {
            (at, '"') => return Some((value, &quoted[at + 1..])),
            (_, '\\') => value.push(characters.next()?.1),
            (_, character) => value.push(character),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn nodes(value: &str) -> Option<Vec<String>> {
        hops(value).map(|hops| hops.into_iter().map(|hop| hop.node.unwrap_or_default()).collect())
    }

    #[test]
    fn the_examples_of_the_rfc_are_read() {
        for (value, expected) in [
            ("for=\"_gazonk\"", vec!["_gazonk"]),
            ("For=\"[2001:db8:cafe::17]:4711\"", vec!["[2001:db8:cafe::17]:4711"]),
            ("for=192.0.2.60;proto=http;by=203.0.113.43", vec!["192.0.2.60"]),
            ("for=192.0.2.43, for=198.51.100.17", vec!["192.0.2.43", "198.51.100.17"]),
            (
                "for=192.0.2.43,for=\"[2001:db8:cafe::17]\",for=unknown",
                vec!["192.0.2.43", "[2001:db8:cafe::17]", "unknown"],
            ),
        ] {
            assert_eq!(nodes(value).unwrap(), expected, "{value}");
        }
        let hop = hops("for=192.0.2.1; proto=https ;host=\"tv.example:8920\"").unwrap().remove(0);
        assert_eq!((hop.proto.as_deref(), hop.host.as_deref()), (Some("https"), Some("tv.example:8920")));
    }

    #[test]
    fn a_quoted_separator_adds_no_hop() {
        assert_eq!(
            nodes("for=\"1.2.3.4, for=5.6.7.8\", for=9.9.9.9").unwrap(),
            ["1.2.3.4, for=5.6.7.8", "9.9.9.9"]
        );
        assert_eq!(nodes("by=\"a\\\",for=1.1.1.1\";for=2.2.2.2").unwrap(), ["2.2.2.2"]);
    }

    #[test]
    fn what_follows_no_grammar_says_nothing() {
        for value in [
            "for",
            "for=",
            "=x",
            "for=\"1.2.3.4",
            "for=1.2.3.4;for=5.6.7.8",
            "for=\"a\"b",
            "for=a b",
            "f or=a",
            "for=a\"b\"",
        ] {
            assert_eq!(hops(value), None, "{value}");
        }
        for value in ["", ",", " , ;, "] {
            assert_eq!(hops(value), Some(Vec::new()), "{value}");
        }
    }

    #[test]
    fn an_address_may_have_a_port() {
        for node in ["192.0.2.1", "192.0.2.1:80", "[192.0.2.1]"] {
            assert_eq!(hop_address(node), Some([192, 0, 2, 1].into()), "{node}");
        }
        for node in ["::1", "[::1]", "[::1]:80"] {
            assert_eq!(hop_address(node), Some(std::net::Ipv6Addr::LOCALHOST.into()), "{node}");
        }
        for node in ["unknown", "_hidden", "192.0.2.1:x", "[::1", "", "192.0.2"] {
            assert_eq!(hop_address(node), None, "{node}");
        }
    }

    proptest! {
        /// Whatever a client makes a proxy quote, what the proxy says about itself remains the last hop.
        #[test]
        fn no_quoted_text_hides_or_adds_a_hop(text in ".{0,60}") {
            let quoted = text.replace('\\', "\\\\").replace('"', "\\\"");
            let read = hops(&format!("for=\"{quoted}\", for=192.0.2.9")).unwrap();
            prop_assert_eq!(read.len(), 2);
            prop_assert_eq!(read[0].node.as_deref(), Some(text.as_str()));
            prop_assert_eq!(read[1].node.as_deref(), Some("192.0.2.9"));
        }

        #[test]
        fn nothing_panics(text in "[ -~]{0,40}") {
            let _ = hops(&text);
        }
    }
}
