//! Sends GET requests to any server, for a playlist, a guide or an endless stream; it follows redirects and sends
//! credentials only to the server that they are meant for. And POST requests, to tell a server something.
//!
//! Statuses, validators and the length of a body are left to the caller.

mod hop;
#[cfg(test)]
mod tests;

use std::fmt;
use std::time::Duration;

use bytes::Bytes;
use http::header::USER_AGENT;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Response, StatusCode};
use hyper_util::client::legacy;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use url::Url;

use crate::body::{self, Body};
use crate::fetch::hop::Hop;
use crate::wire;
use crate::wire::connector::{Connector, connector};
use crate::wire::trust::ClientTls;

/// The default `User-Agent`.
pub const OWN_NAME: &str = concat!("warmgate/", env!("CARGO_PKG_VERSION"));

/// The maximum number of redirects, as in `libcurl` and players.
const REDIRECTS: usize = 10;

/// How long an idle connection is kept: until the next segment of a playlist, no longer, since providers count connections.
const IDLE: Duration = Duration::from_secs(15);

/// The time limits at each server of a chain of redirects.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timeouts {
    /// For opening a connection: name lookup, TCP and TLS together.
    pub connect: Duration,
    /// For the response head, opening the connection included.
    pub response: Duration,
}

impl Default for Timeouts {
    /// 10 s and 30 s: a busy panel answers within half a minute.
    fn default() -> Self {
        Self { connect: Duration::from_secs(10), response: Duration::from_secs(30) }
    }
}

/// Why there is no response. Neither the error nor its sources contain the URL.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The connection failed.
    #[error(transparent)]
    Wire(#[from] wire::Error),
    /// There were too many redirects.
    #[error("redirected too often")]
    Circle,
    /// A redirect leads to something that is not an HTTP URL.
    #[error("redirected to something that is not an HTTP address")]
    Astray,
    /// The URL is not an HTTP URL, or its user and password cannot be sent.
    #[error("this is not an HTTP address")]
    Address,
}

impl Error {
    /// The variant's name, for logs and counters.
    #[must_use]
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::Wire(error) => error.as_str(),
            Self::Circle => "redirect-circle",
            Self::Astray => "redirect-astray",
            Self::Address => "address",
        }
    }
}

/// `fields` as headers, without those that HTTP does not allow.
pub fn headers<'a>(fields: impl IntoIterator<Item = (&'a str, &'a str)>) -> HeaderMap {
    let allowed = |(name, value)| {
        let (name, value): (&str, &str) = (name, value);
        Some((HeaderName::try_from(name).ok()?, HeaderValue::try_from(value).ok()?))
    };
    fields.into_iter().filter_map(allowed).collect()
}

/// A response that is not a redirect, of any status.
pub struct Answer {
    /// The URL it came from after all redirects: the base of relative URLs in it.
    pub url: Url,
    /// The response. Dropping its body ends the transfer.
    pub response: Response<Body>,
}

impl fmt::Debug for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Answer").field("status", &self.response.status()).finish_non_exhaustive()
    }
}

/// The client; clones share its connections.
#[derive(Clone, Debug)]
pub struct Fetcher {
    pool: legacy::Client<Connector, Body>,
    timeouts: Timeouts,
}

impl Fetcher {
    /// A client without connections. It reads the system's trusted certificates, so make one and clone it.
    #[must_use]
    pub fn new(timeouts: Timeouts) -> Self {
        let pool = legacy::Client::builder(TokioExecutor::new())
            .pool_timer(TokioTimer::new())
            .pool_idle_timeout(IDLE)
            .pool_max_idle_per_host(1)
            .http1_ignore_invalid_headers_in_responses(true)
            .build(connector(ClientTls::of_system(), timeouts.connect));
        Self { pool, timeouts }
    }

    /// Gets `url` with `headers`, following redirects. User and password in it are sent as Basic authentication to its own
    /// server only; so are `Authorization` and `Cookie`.
    ///
    /// # Errors
    /// If no response other than redirects came. Dropping the future ends the request.
    pub async fn get(&self, url: &Url, headers: &HeaderMap) -> Result<Answer, Error> {
        let mut headers = headers.clone();
        headers.entry(USER_AGENT).or_insert(HeaderValue::from_static(OWN_NAME));
        let mut hop = Hop::new(url.clone(), headers).ok_or(Error::Address)?;
        for _ in 0..=REDIRECTS {
            let response = self.exchange(&hop).await?;
            match hop::redirect(&response) {
                Some(location) => hop = hop.to(location).ok_or(Error::Astray)?,
                None => return Ok(Answer { url: hop.url, response }),
            }
        }
        Err(Error::Circle)
    }

    /// Posts `body` to `url`, without following redirects. User and password in the URL are sent as Basic authentication.
    ///
    /// # Errors
    /// If no response came. Dropping the future ends the request.
    pub async fn post(&self, url: &Url, headers: HeaderMap, body: Bytes) -> Result<StatusCode, Error> {
        let mut request = Hop::new(url.clone(), headers).ok_or(Error::Address)?.request()?;
        request.headers_mut().entry(USER_AGENT).or_insert(HeaderValue::from_static(OWN_NAME));
        *request.method_mut() = Method::POST;
        *request.body_mut() = body::full(body);
        match tokio::time::timeout(self.timeouts.response, self.pool.request(request)).await {
            Ok(answer) => Ok(answer.map_err(wire::Error::from)?.status()),
            Err(_) => Err(wire::Error::ResponseTimeout.into()),
        }
    }

    async fn exchange(&self, hop: &Hop) -> Result<Response<Body>, wire::Error> {
        let request = hop.request()?;
        match tokio::time::timeout(self.timeouts.response, self.pool.request(request)).await {
            Ok(answer) => Ok(answer?.map(body::boxed)),
            Err(_) => Err(wire::Error::ResponseTimeout),
        }
    }
}
