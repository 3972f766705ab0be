//! The upstream's address: scheme, host and port.
//!
//! It contains no base path (`/jellyfin`): each request brings its own, which is forwarded unchanged.

use std::fmt;

use http::Uri;
use http::uri::{Authority, Scheme};

/// `http://host:port` or `https://host:port`; the port is optional.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UpstreamUrl {
    scheme: Scheme,
    authority: Authority,
}

impl UpstreamUrl {
    /// Reads `text`; the error says what to write instead and never repeats the text, which may hold a password.
    pub(super) fn read(text: &str) -> Result<Self, &'static str> {
        const SHAPE: &str = "write scheme://host:port, as in http://127.0.0.1:8096";
        let parts = text.parse::<Uri>().map_err(|_| SHAPE)?.into_parts();
        let (Some(scheme), Some(authority)) = (parts.scheme, parts.authority) else { return Err(SHAPE) };
        if scheme != Scheme::HTTP && scheme != Scheme::HTTPS {
            return Err("the scheme must be http or https");
        }
        if authority.as_str().contains('@') {
            return Err("write no user name or password into the address");
        }
        let has_more_than_host = authority.as_str() != authority.host();
        if authority.host().is_empty() || (has_more_than_host && authority.port_u16().is_none()) {
            return Err(SHAPE);
        }
        match parts.path_and_query {
            Some(rest) if rest.as_str() != "/" => {
                Err("write only scheme://host:port; the base path is kept as the client sends it")
            }
            _ => Ok(Self { scheme, authority }),
        }
    }

    /// `http` or `https`.
    #[must_use]
    pub fn scheme(&self) -> &Scheme {
        &self.scheme
    }

    /// Host and port.
    #[must_use]
    pub fn authority(&self) -> &Authority {
        &self.authority
    }
}

impl fmt::Display for UpstreamUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}://{}", self.scheme, self.authority)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_scheme_and_authority() {
        for (text, shown) in [
            ("http://127.0.0.1:8096", "http://127.0.0.1:8096"),
            ("https://tv.example", "https://tv.example"),
            ("http://[::1]:8096/", "http://[::1]:8096"),
        ] {
            assert_eq!(UpstreamUrl::read(text).map(|url| url.to_string()), Ok(shown.to_owned()));
        }
    }

    #[test]
    fn anything_else_is_told_what_is_wrong() {
        for (text, word) in [
            ("", "scheme://host:port"),
            ("jellyfin", "scheme://host:port"),
            ("127.0.0.1:8096", "scheme://host:port"),
            ("http://host:", "scheme://host:port"),
            ("http://host:99999", "scheme://host:port"),
            ("ftp://host", "http or https"),
            ("http://host/jellyfin", "base path"),
            ("http://host?x=1", "base path"),
            ("http://me:secret@host", "password"),
        ] {
            let error = UpstreamUrl::read(text).expect_err(text);
            assert!(error.contains(word), "{text}: {error}");
        }
    }
}
