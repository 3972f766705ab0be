//! Reads a query as ordered pairs, as ASP.NET does, and writes it byte for byte as it came.
//!
//! It knows the meaning of no parameter, except that a player adds some for the gateway (`CMCD`, `_HLS_*`) that the server must not see.

use std::fmt;

use http::{Request, Uri};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};

/// The pairs of a query in their order, each as it was sent and decoded.
///
/// It may contain a token, so `Debug` shows no pair.
#[derive(Clone, Default, PartialEq, Eq, Hash)]
pub struct Query {
    pairs: Vec<Pair>,
}

#[derive(Clone, PartialEq, Eq, Hash)]
struct Pair {
    raw: String,
    name: String,
    value: String,
}

impl Query {
    /// Reads the text after the `?`. Empty pairs are kept for writing, but never returned.
    ///
    /// A query that is one percent-encoded text (`A%3Db%26c%3Dd`) is decoded and split as Jellyfin does (`UrlDecodeQueryFeature.cs`), and
    /// written in the ordinary spelling from then on.
    #[must_use]
    pub fn parse(raw: &str) -> Self {
        if raw.is_empty() {
            return Self::default();
        }
        let pairs: Vec<Pair> = raw.split('&').map(Pair::parse).collect();
        match pairs.iter().filter(|pair| !pair.raw.is_empty()).collect::<Vec<_>>()[..] {
            [blob] if blob.value.is_empty() && blob.name.contains('=') => Self { pairs: unfold(&blob.name) },
            _ => Self { pairs },
        }
    }

    /// The query of `uri`.
    #[must_use]
    pub fn of(uri: &Uri) -> Self {
        Self::parse(uri.query().unwrap_or_default())
    }

    /// The decoded pairs that have a name, in their order.
    pub fn pairs(&self) -> impl Iterator<Item = (&str, &str)> {
        let named = self.pairs.iter().filter(|pair| !pair.name.is_empty());
        named.map(|pair| (pair.name.as_str(), pair.value.as_str()))
    }

    /// The decoded value of the first pair of this name, in any letter case; `None` if it is empty, as for Jellyfin.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&str> {
        let first = self.pairs.iter().find(|pair| pair.is(name))?;
        (!first.value.is_empty()).then_some(first.value.as_str())
    }

    /// The query for the server with the given `values`, as by [`Query::with`]. The parameters that a player adds for the gateway are removed.
    #[must_use]
    pub fn substitute(&self, values: &[(&str, &str)]) -> Self {
        let pairs = self.pairs.iter().filter(|pair| !pair.is_for_the_gateway()).cloned();
        Self { pairs: pairs.collect() }.with(values)
    }

    /// The query with the given `values`: the first pair of each name gets the value, further ones are removed, missing ones are appended.
    /// Everything else stays byte for byte in its place.
    #[must_use]
    pub fn with(self, values: &[(&str, &str)]) -> Self {
        let mut left: Vec<(&str, &str)> = values.to_vec();
        let mut pairs = Vec::with_capacity(self.pairs.len() + values.len());
        for pair in self.pairs {
            if !values.iter().any(|(name, _)| pair.is(name)) {
                pairs.push(pair);
            } else if let Some(at) = left.iter().position(|(name, _)| pair.is(name)) {
                pairs.push(pair.with_value(left.remove(at).1));
            }
        }
        pairs.extend(left.into_iter().map(|(name, value)| Pair::new(name, value)));
        Self { pairs }
    }

    /// The same without `_HLS_*` directives (RFC 8216bis 6.2.5); `None` if it has none.
    #[must_use]
    pub fn without_directives(&self) -> Option<Self> {
        let kept: Vec<Pair> = self.pairs.iter().filter(|pair| !pair.is_directive()).cloned().collect();
        (kept.len() < self.pairs.len()).then_some(Self { pairs: kept })
    }

    /// The same without the pairs whose name is one of `names`.
    #[must_use]
    pub fn without(self, names: &[&str]) -> Self {
        self.without_those(|name| names.iter().any(|without| name.eq_ignore_ascii_case(without)))
    }

    /// The same without the pairs whose decoded name is one of those.
    #[must_use]
    pub fn without_those(mut self, are: impl Fn(&str) -> bool) -> Self {
        self.pairs.retain(|pair| !are(&pair.name));
        self
    }

    /// The pairs whose name is one of `names`, as they were sent.
    pub(super) fn raw_of<'a>(&'a self, names: &'a [&'a str]) -> impl Iterator<Item = &'a str> {
        let chosen = self.pairs.iter().filter(|pair| names.iter().any(|name| pair.is(name)));
        chosen.map(|pair| pair.raw.as_str())
    }

    /// Replaces the pairs whose name is one of `names` by those of `raw`; if they are the same already, nothing moves.
    pub(super) fn set_raw(&mut self, names: &[&str], raw: &[String]) {
        if self.raw_of(names).eq(raw.iter().map(String::as_str)) {
            return;
        }
        self.pairs.retain(|pair| !names.iter().any(|name| pair.is(name)));
        self.pairs.extend(raw.iter().map(|raw| Pair::parse(raw)));
    }
}

/// Gives a request another query.
pub(super) fn replace<B>(request: &mut Request<B>, query: &Query) {
    set_target(request, &format!("{}?{query}", request.uri().path()));
}

/// Gives a request another path and query.
pub(super) fn set_target<B>(request: &mut Request<B>, target: &str) {
    let mut parts = request.uri().clone().into_parts();
    parts.path_and_query = target.parse().ok();
    if let Ok(uri) = Uri::from_parts(parts) {
        *request.uri_mut() = uri;
    }
}

impl fmt::Display for Query {
    /// Writes the text after the `?`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, pair) in self.pairs.iter().enumerate() {
            let separator = if at == 0 { "" } else { "&" };
            write!(f, "{separator}{}", pair.raw)?;
        }
        Ok(())
    }
}

impl fmt::Debug for Query {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Query({} pairs)", self.pairs.len())
    }
}

impl Pair {
    fn parse(raw: &str) -> Self {
        let (name, value) = raw.split_once('=').unwrap_or((raw, ""));
        Self { raw: raw.to_owned(), name: decode(name), value: decode(value) }
    }

    fn new(name: &str, value: &str) -> Self {
        let raw = format!("{}={}", encode(name), encode(value));
        Self { raw, name: name.to_owned(), value: value.to_owned() }
    }

    fn with_value(&self, value: &str) -> Self {
        let name = self.raw.split_once('=').map_or(self.raw.as_str(), |(name, _)| name);
        Self { raw: format!("{name}={}", encode(value)), name: self.name.clone(), value: value.to_owned() }
    }

    fn is(&self, name: &str) -> bool {
        self.name.eq_ignore_ascii_case(name)
    }

    fn is_for_the_gateway(&self) -> bool {
        self.is("CMCD") || self.is_directive()
    }

    fn is_directive(&self) -> bool {
        self.name.get(..5).unwrap_or_default().eq_ignore_ascii_case("_HLS_")
    }
}

/// Splits a query that has been decoded as a whole, so that its values are literal.
fn unfold(blob: &str) -> Vec<Pair> {
    let split = |pair: &str| {
        pair.split_once('=').map_or_else(|| Pair::new(pair, ""), |(name, value)| Pair::new(name, value))
    };
    blob.split('&').filter(|pair| !pair.is_empty()).map(split).collect()
}

/// Percent-decodes as in forms, where `+` is a space.
pub(super) fn decode(text: &str) -> String {
    percent_decode_str(&text.replace('+', " ")).decode_utf8_lossy().into_owned()
}

fn encode(text: &str) -> String {
    const KEPT: AsciiSet = NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~').remove(b',');
    utf8_percent_encode(text, &KEPT).to_string()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn pairs(raw: &str) -> Vec<(String, String)> {
        Query::parse(raw).pairs().map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
    }

    fn owned(expected: &[(&str, &str)]) -> Vec<(String, String)> {
        expected.iter().map(|&(name, value)| (name.to_owned(), value.to_owned())).collect()
    }

    #[test]
    fn reads_what_servers_and_clients_write() {
        for (raw, expected) in [
            ("", &[][..]),
            // Jellyfin 10.11 begins its queries with an empty pair.
            ("&DeviceId=dev-a&MinSegments=1", &[("DeviceId", "dev-a"), ("MinSegments", "1")]),
            ("&=x&A=b&&", &[("A", "b")]),
            ("A=b%2Cc&D=e%20f+g", &[("A", "b,c"), ("D", "e f g")]),
            ("A=b=c&Flag", &[("A", "b=c"), ("Flag", "")]),
            ("A%3Db%26c%3Dd", &[("A", "b"), ("c", "d")]),
            ("&A%3Db%2526c%26Flag", &[("A", "b%26c"), ("Flag", "")]),
            ("A%3Db=c", &[("A=b", "c")]),
        ] {
            assert_eq!(pairs(raw), owned(expected), "{raw}");
        }
    }

    #[test]
    fn finds_the_first_in_any_letter_case() {
        let query = Query::parse("apikey=one&ApiKey=two&DeviceId=&deviceid=late&Play%53essionId=p");
        assert_eq!(query.get("ApiKey"), Some("one"));
        assert_eq!(query.get("DeviceId"), None);
        assert_eq!(query.get("PlaySessionId"), Some("p"));
        assert_eq!(query.get("Tag"), None);
    }

    #[test]
    fn substitutes_and_keeps_every_other_byte() {
        let sent = "&devicE%49d=tv&A=%2c,+&PlaySessionId=theirs&=x&PlaySessionId=again&CMCD=bl%3D1&_HLS_msn=7&ApiKey=k";
        let values = [("PlaySessionId", "ours"), ("DeviceId", "w&g"), ("MinSegments", "1")];
        let expected = "&devicE%49d=w%26g&A=%2c,+&PlaySessionId=ours&=x&ApiKey=k&MinSegments=1";
        let query = Query::parse(sent).substitute(&values);
        assert_eq!(query.to_string(), expected);
        assert_eq!(query, Query::parse(expected));
        assert_eq!(Query::default().substitute(&values[..1]).to_string(), "PlaySessionId=ours");
    }

    #[test]
    fn a_blob_is_written_out() {
        let query = Query::parse("A%3Db c%26PlaySessionId%3Dtheirs").substitute(&[("PlaySessionId", "ours")]);
        assert_eq!(query.to_string(), "A=b%20c&PlaySessionId=ours");
    }

    #[test]
    fn shows_no_secret() {
        assert_eq!(format!("{:?}", Query::parse("ApiKey=secret")), "Query(1 pairs)");
    }

    proptest! {
        #[test]
        fn what_is_not_a_blob_is_written_as_it_came(names in prop::collection::vec("[a-zA-Z%0-9+-]{0,8}=[ -%'-~]{1,8}", 0..6)) {
            let raw = names.join("&");
            prop_assert_eq!(Query::parse(&raw).to_string(), raw.clone());
            prop_assert_eq!(Query::parse(&raw).substitute(&[]).to_string(), raw);
        }

        #[test]
        fn what_is_substituted_is_read_back(raw in "[a-cA-C=&%+]{0,20}", value in "\\PC{1,8}") {
            let query = Query::parse(&raw).substitute(&[("a", &value)]);
            prop_assert_eq!(query.get("A"), Some(value.as_str()));
            prop_assert_eq!(query.pairs().filter(|(name, _)| name.eq_ignore_ascii_case("a")).count(), 1);
        }
    }
}
