//! Who may see and do what: the token, and that no page from elsewhere makes a browser ask.
//!
//! A listener on loopback is reached by every page that a browser on this machine shows, under any name that an attacker's DNS gives
//! it (DNS rebinding). So `Host` and `Origin` are checked there too. It does not know the paths.

use std::net::IpAddr;

use http::header::{AUTHORIZATION, HOST, ORIGIN};
use http::uri::Authority;
use http::{HeaderMap, Method};
use subtle::ConstantTimeEq as _;

use crate::admin::problem::Problem;
use crate::config::Secret;

/// The rules.
#[derive(Clone, Debug)]
pub(super) struct Access {
    /// What whoever asks has to show; `None` if nothing.
    pub(super) token: Option<Secret>,
    /// The names, beside `localhost` and addresses, under which browsers may reach the listener.
    pub(super) hosts: Vec<String>,
}

impl Access {
    /// Whether a request with this method and these fields may be answered; over HTTP/2 its `target` names the host. A request without
    /// the token may still see that the gateway lives, and the page that asks for the token, which are `public`.
    ///
    /// # Errors
    /// What is wrong with it.
    pub(super) fn check(
        &self,
        (method, target): (&Method, Option<&Authority>),
        headers: &HeaderMap,
        is_public: bool,
    ) -> Result<(), Problem> {
        let host = headers.get(HOST).map(|host| host.to_str().ok().and_then(|host| host.parse().ok()));
        let host: Authority = host.unwrap_or_else(|| target.cloned()).ok_or(Problem::ForeignHost)?;
        if !self.is_ours(host.host()) {
            return Err(Problem::ForeignHost);
        }
        let is_read = matches!(*method, Method::GET | Method::HEAD);
        if let Some(origin) = headers.get(ORIGIN).filter(|_| !is_read) {
            let origin = origin.to_str().ok().and_then(|origin| origin.split_once("://"));
            if origin.is_none_or(|(_, origin)| !origin.eq_ignore_ascii_case(host.as_str())) {
                return Err(Problem::ForeignOrigin);
            }
        }
        match &self.token {
            Some(token) if !is_public && !is_shown(token, headers) => Err(Problem::Unauthorized),
            Some(_) | None => Ok(()),
        }
    }

    fn is_ours(&self, host: &str) -> bool {
        let address = host.trim_start_matches('[').trim_end_matches(']');
        host.eq_ignore_ascii_case("localhost")
            || address.parse::<IpAddr>().is_ok()
            || self.hosts.iter().any(|known| known.eq_ignore_ascii_case(host))
    }
}

fn is_shown(token: &Secret, headers: &HeaderMap) -> bool {
    let shown = headers.get(AUTHORIZATION).map(|value| value.as_bytes()).unwrap_or_default();
    let Some((scheme, shown)) = shown.split_at_checked(b"Bearer ".len()) else { return false };
    scheme.eq_ignore_ascii_case(b"Bearer ") && bool::from(shown.ct_eq(token.expose().as_bytes()))
}

#[cfg(test)]
mod tests {
    use http::{HeaderName, HeaderValue};

    use super::*;

    fn asked(access: &Access, method: &Method, fields: &[(HeaderName, &str)]) -> Result<(), Problem> {
        let fields = fields.iter().map(|(name, value)| (name.clone(), HeaderValue::from_str(value).unwrap()));
        access.check((method, None), &fields.collect(), false)
    }

    #[test]
    fn a_name_from_elsewhere_is_refused() {
        let access = Access { token: None, hosts: vec!["tv.home".to_owned()] };
        for host in ["localhost:8099", "127.0.0.1", "[::1]:8099", "192.168.1.2:8099", "TV.home"] {
            assert_eq!(asked(&access, &Method::GET, &[(HOST, host)]), Ok(()), "{host}");
        }
        for host in ["evil.example", "localhost.evil.example:8099", "", "tv.home.evil.example"] {
            assert_eq!(asked(&access, &Method::GET, &[(HOST, host)]), Err(Problem::ForeignHost), "{host}");
        }
        assert_eq!(asked(&access, &Method::GET, &[]), Err(Problem::ForeignHost));
        for (target, expected) in [("tv.home", Ok(())), ("evil.example", Err(Problem::ForeignHost))] {
            let target = Authority::from_static(target);
            let asked = access.check((&Method::GET, Some(&target)), &HeaderMap::new(), false);
            assert_eq!(asked, expected, "{target}");
        }
    }

    #[test]
    fn a_page_from_elsewhere_changes_nothing() {
        let access = Access { token: None, hosts: Vec::new() };
        let host = (HOST, "localhost:8099");
        let post = |origin: &'static str| asked(&access, &Method::POST, &[host.clone(), (ORIGIN, origin)]);
        assert_eq!(post("http://localhost:8099"), Ok(()));
        for origin in
            ["http://localhost:1", "http://evil.example", "null", "http://localhost:8099.evil.example"]
        {
            assert_eq!(post(origin), Err(Problem::ForeignOrigin), "{origin}");
        }
        assert_eq!(asked(&access, &Method::POST, std::slice::from_ref(&host)), Ok(()), "no browser");
        assert_eq!(
            asked(&access, &Method::GET, &[host, (ORIGIN, "http://evil.example")]),
            Ok(()),
            "it cannot read it"
        );
    }

    #[test]
    fn the_token_is_compared_whole() {
        let access = Access { token: Some(Secret::new("secret")), hosts: Vec::new() };
        let host = (HOST, "localhost");
        let shows = |value| asked(&access, &Method::GET, &[host.clone(), (AUTHORIZATION, value)]);
        assert_eq!(shows("Bearer secret"), Ok(()));
        assert_eq!(shows("bearer secret"), Ok(()));
        for value in ["Bearer secre", "Bearer secrets", "Basic secret", "secret", "Bearer", "Bearer "] {
            assert_eq!(shows(value), Err(Problem::Unauthorized), "{value}");
        }
        assert_eq!(asked(&access, &Method::GET, std::slice::from_ref(&host)), Err(Problem::Unauthorized));
        let fields = HeaderMap::from_iter([(HOST, HeaderValue::from_static("localhost"))]);
        assert_eq!(access.check((&Method::GET, None), &fields, true), Ok(()), "what is public");
    }
}
