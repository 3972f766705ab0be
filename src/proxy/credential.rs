//! Reads the credential of a request, and keeps it in the form in which it was presented, so that the gateway's own calls can present the
//! same.
//!
//! It reads all forms that Jellyfin 10.8 to 12.0 accepts (`AuthorizationContext.cs`). It does not know which of them this server accepts,
//! nor whether the token is valid.

use std::fmt;
use std::hash::{Hash, Hasher};

use http::header::AUTHORIZATION;
use http::{HeaderMap, HeaderName, HeaderValue};

use crate::proxy::query::{Query, decode};
use crate::upstream::jellyfin::Login;
use domain::key::DeviceId;

const X_EMBY_AUTHORIZATION: HeaderName = HeaderName::from_static("x-emby-authorization");
const X_EMBY_TOKEN: HeaderName = HeaderName::from_static("x-emby-token");
const X_MEDIABROWSER_TOKEN: HeaderName = HeaderName::from_static("x-mediabrowser-token");
const HEADERS: [HeaderName; 4] = [AUTHORIZATION, X_EMBY_AUTHORIZATION, X_EMBY_TOKEN, X_MEDIABROWSER_TOKEN];
const PARAMETERS: [&str; 2] = ["ApiKey", "api_key"];

/// A token and the way in which it was presented.
///
/// Two credentials are equal if they were presented alike, byte for byte: a server may accept one header and not another (12.0 refuses the
/// old ones), so it may answer the same token differently in another place. `Debug` shows nothing of it.
#[derive(Clone)]
pub struct Credential {
    headers: Vec<(HeaderName, HeaderValue)>,
    parameters: Vec<String>,
    token: String,
    device: Option<DeviceId>,
}

impl Credential {
    /// Reads the credential of a request; `None` if it has no token.
    #[must_use]
    pub fn of(headers: &HeaderMap, query: &Query) -> Option<Self> {
        let fields = scheme_fields(headers);
        let field = |name| scheme_field(&fields, name);
        let header = |name: &HeaderName| text(headers, name).map(str::to_owned);
        let parameter = |name| query.get(name).map(str::to_owned);
        let token = [
            field("Token"),
            header(&X_EMBY_TOKEN),
            header(&X_MEDIABROWSER_TOKEN),
            parameter(PARAMETERS[0]),
            parameter(PARAMETERS[1]),
        ];
        let not_empty = |text: &String| !text.is_empty();
        Some(Self {
            token: token.into_iter().flatten().find(not_empty)?,
            device: field("DeviceId").filter(not_empty).or_else(|| parameter("DeviceId")).map(DeviceId::new),
            headers: presented(headers),
            parameters: query.raw_of(&PARAMETERS).map(str::to_owned).collect(),
        })
    }

    /// The token, a secret: the first one in the order of precedence of 10.11 and later.
    #[must_use]
    pub fn token(&self) -> &str {
        &self.token
    }

    /// The device id in the request's header, else in its query.
    #[must_use]
    pub const fn device(&self) -> Option<&DeviceId> {
        self.device.as_ref()
    }

    /// The bytes that it takes to remember the credential.
    #[must_use]
    pub fn size(&self) -> usize {
        let headers = self.headers.iter().map(|(_, value)| value.len());
        headers.chain(self.parameters.iter().map(String::len)).sum()
    }

    /// The credential as the gateway's own calls present it in this client's name.
    #[must_use]
    pub fn login(&self) -> Login {
        Login { headers: self.headers.iter().cloned().collect(), query: self.parameters.join("&") }
    }

    /// Makes a request present this credential, in the same form, and no other.
    pub fn apply(&self, headers: &mut HeaderMap, query: &mut Query) {
        for name in &HEADERS {
            if name != AUTHORIZATION || text(headers, name).is_some_and(|value| parse_scheme(value).is_some())
            {
                headers.remove(name);
            }
        }
        for (name, value) in &self.headers {
            headers.append(name.clone(), value.clone());
        }
        query.set_raw(&PARAMETERS, &self.parameters);
    }
}

impl PartialEq for Credential {
    fn eq(&self, other: &Self) -> bool {
        self.headers == other.headers && self.parameters == other.parameters
    }
}

impl Eq for Credential {}

impl Hash for Credential {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.headers.hash(state);
        self.parameters.hash(state);
    }
}

impl fmt::Debug for Credential {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Credential(…)")
    }
}

/// The app that a request says it comes from, such as `Jellyfin Web`.
#[must_use]
pub(super) fn client(headers: &HeaderMap) -> Option<String> {
    scheme_field(&scheme_fields(headers), "Client")
}

/// The fields of Jellyfin's own scheme, as the server reads them: from the first header that has it.
fn scheme_fields(headers: &HeaderMap) -> Vec<(String, String)> {
    let scheme = |name: &HeaderName| text(headers, name).and_then(parse_scheme);
    scheme(&AUTHORIZATION).or_else(|| scheme(&X_EMBY_AUTHORIZATION)).unwrap_or_default()
}

/// Of several fields with a name the last counts.
fn scheme_field(fields: &[(String, String)], name: &str) -> Option<String> {
    fields.iter().rev().find(|(key, _)| key == name).map(|(_, value)| value.clone())
}

/// The headers that carry a credential for Jellyfin, marked as sensitive. An `Authorization` with another scheme (`Basic`) is for a proxy.
fn presented(headers: &HeaderMap) -> Vec<(HeaderName, HeaderValue)> {
    let mut presented = Vec::new();
    for name in HEADERS {
        for value in headers.get_all(&name) {
            let is_jellyfins =
                name != AUTHORIZATION || value.to_str().is_ok_and(|value| parse_scheme(value).is_some());
            if is_jellyfins {
                presented.push((name.clone(), owned(value)));
            }
        }
    }
    presented
}

/// A sensitive copy of a value. A clone would keep the whole head of the request in memory.
fn owned(value: &HeaderValue) -> HeaderValue {
    let mut copy = HeaderValue::from_bytes(value.as_bytes()).unwrap_or(HeaderValue::from_static(""));
    copy.set_sensitive(true);
    copy
}

fn text<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<&'a str> {
    std::str::from_utf8(headers.get(name)?.as_bytes()).ok()
}

/// The fields after the scheme `MediaBrowser` (or `Emby`, before 12.0) in any letter case; `None` for another scheme.
fn parse_scheme(header: &str) -> Option<Vec<(String, String)>> {
    let (scheme, fields) = header.split_once(' ')?;
    let known = ["MediaBrowser", "Emby"].iter().any(|name| scheme.eq_ignore_ascii_case(name));
    known.then(|| parse_fields(fields))
}

/// Splits `key=value` pairs at commas, as `AuthorizationContext.GetParts` does: keys stay as they are, values lose quotes and are percent-decoded.
fn parse_fields(text: &str) -> Vec<(String, String)> {
    let mut quoted = false;
    let at_comma = |c: char| {
        quoted ^= c == '"';
        c == ',' && !quoted
    };
    let fields = text.split(at_comma).filter_map(|field| field.split_once('='));
    fields.map(|(key, value)| (key.trim().to_owned(), decode(value.trim().trim_matches('"')))).collect()
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    fn headers(fields: &[(&'static str, &str)]) -> HeaderMap {
        let parse =
            |&(name, value): &(&'static str, &str)| (HeaderName::from_static(name), value.parse().unwrap());
        fields.iter().map(parse).collect()
    }

    fn read(fields: &[(&'static str, &str)], query: &str) -> Option<Credential> {
        Credential::of(&headers(fields), &Query::parse(query))
    }

    #[test]
    fn the_token_is_found_in_every_form() {
        // The first is jellyfin-web's, from web-12.0-zap.ndjson (the device id shortened).
        let web = r#"MediaBrowser Client="Jellyfin%20Web", Device="Chrome", DeviceId="TW96aWxsYS81", Version="12.0.0", Token="t""#;
        for (header, query, device) in [
            (&[("authorization", web)][..], "", Some("TW96aWxsYS81")),
            (&[("authorization", "mediabrowser Token=t,DeviceId=d")], "", Some("d")),
            (&[("authorization", "Emby Token=\"%74\"")], "", None),
            (
                &[("authorization", r#"MediaBrowser Device="A, B", Token="t", DeviceId="a%2Cb""#)],
                "",
                Some("a,b"),
            ),
            (&[("authorization", r#"MediaBrowser Token="t", Device="A, Token=wrong""#)], "", None),
            (&[("x-emby-authorization", "MediaBrowser Token=\"t\"")], "deviceid=q", Some("q")),
            (&[("x-emby-token", "t")], "", None),
            (&[("x-mediabrowser-token", "t")], "", None),
            (&[], "DeviceId=q&apikey=t", Some("q")),
            (&[], "API_KEY=t", None),
        ] {
            let credential = read(header, query).unwrap();
            assert_eq!(credential.token(), "t", "{header:?} {query}");
            assert_eq!(credential.device().map(DeviceId::as_str), device, "{header:?} {query}");
        }
    }

    #[test]
    fn the_first_token_that_says_something_counts() {
        let all = [
            ("authorization", "MediaBrowser Token=\"1\""),
            ("x-emby-authorization", "MediaBrowser Token=\"0\""),
            ("x-emby-token", "2"),
            ("x-mediabrowser-token", "3"),
        ];
        let query = "api_key=5&ApiKey=4";
        for (skipped, token) in [(0, "1"), (2, "2"), (3, "3"), (4, "4")] {
            assert_eq!(read(&all[skipped..], query).unwrap().token(), token);
        }
        assert_eq!(read(&[("authorization", "MediaBrowser Token=\"\"")], query).unwrap().token(), "4");
    }

    #[test]
    fn without_a_token_there_is_none() {
        for (header, query) in [
            (&[][..], "DeviceId=d"),
            (&[("authorization", "MediaBrowser Client=\"x\", DeviceId=\"d\"")], ""),
            (&[("authorization", "MediaBrowser token=\"t\"")], "ApiKey="),
            (&[("authorization", "Bearer t")], ""),
            (&[("authorization", "Bearer Token=t")], ""),
            (&[("authorization", "MediaBrowser")], ""),
        ] {
            assert_eq!(read(header, query), None, "{header:?} {query}");
        }
    }

    #[test]
    fn it_is_presented_again_exactly_and_alone() {
        let shown = "emby  Token=\"t\" ,DeviceId=d";
        let credential =
            read(&[("x-emby-authorization", shown), ("x-emby-token", "u")], "a=b&api%5Fkey=k%2b&ApiKey=l")
                .unwrap();
        let mut target = headers(&[("authorization", "MediaBrowser Token=\"other\""), ("accept", "*/*")]);
        let mut query = Query::parse("c=%64&apikey=other");
        credential.apply(&mut target, &mut query);
        assert_eq!(
            target,
            headers(&[("x-emby-authorization", shown), ("x-emby-token", "u"), ("accept", "*/*")])
        );
        assert_eq!(query.to_string(), "c=%64&api%5Fkey=k%2b&ApiKey=l");
        assert_eq!(Credential::of(&target, &query), Some(credential));
    }

    #[test]
    fn where_it_is_presented_already_nothing_moves() {
        let sent = "&ApiKey=k&MinSegments=1";
        let mut query = Query::parse(sent);
        read(&[], sent).unwrap().apply(&mut HeaderMap::new(), &mut query);
        assert_eq!(query.to_string(), sent);
    }

    #[test]
    fn a_proxys_own_authorization_is_left_alone() {
        let basic = [("authorization", "Basic dTpw")];
        let credential = read(&basic, "ApiKey=k").unwrap();
        assert_eq!(credential, read(&[], "ApiKey=k").unwrap());
        let mut target = headers(&basic);
        credential.apply(&mut target, &mut Query::default());
        assert_eq!(target, headers(&basic));
    }

    #[test]
    fn equality_is_by_presentation() {
        let one = read(&[], "ApiKey=t&DeviceId=one");
        let others = [read(&[], "api_key=t"), read(&[("x-emby-token", "t")], ""), read(&[], "ApiKey=%74")];
        assert_eq!(one, read(&[], "DeviceId=two&ApiKey=t"));
        assert!(others.iter().all(|other| *other != one));
        let set: HashSet<_> = others.into_iter().chain([one, read(&[], "DeviceId=two&ApiKey=t")]).collect();
        assert_eq!(set.len(), 4);
    }

    #[test]
    fn it_is_not_shown() {
        let credential = read(&[("x-emby-token", "secret")], "").unwrap();
        assert_eq!(format!("{credential:?}"), "Credential(…)");
        let (mut target, mut query) = (HeaderMap::new(), Query::default());
        credential.apply(&mut target, &mut query);
        assert!(!format!("{target:?}{query:?}").contains("secret"));
    }
}
