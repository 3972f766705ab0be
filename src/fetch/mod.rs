//! Plain GETs to anywhere: a playlist, a guide, a stream that never ends. Redirects are followed, credentials stay with the
//! server they are meant for.
//!
//! It does not look at what comes: statuses, validators and the length of a body are the caller's business.

mod hop;
#[cfg(test)]
mod tests;

use std::fmt;
use std::time::Duration;

use http::header::USER_AGENT;
use http::{HeaderMap, HeaderName, HeaderValue, Response};
use hyper_util::client::legacy;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use url::Url;

use crate::body::{self, Body};
use crate::fetch::hop::Hop;
use crate::wire;
use crate::wire::connector::{Connector, connector};

/// What the gateway calls itself where it was not told another name.
pub const OWN_NAME: &str = concat!("warmgate/", env!("CARGO_PKG_VERSION"));

/// As many redirects as `libcurl` and players bear before they suspect a circle.
const REDIRECTS: usize = 10;

/// A connection waits this long for the next segment of a playlist, and no longer: providers count connections.
const IDLE: Duration = Duration::from_secs(15);

/// How long a fetch waits at each server it is sent to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timeouts {
    /// Until a connection stands: name lookup, TCP and TLS together.
    pub connect: Duration,
    /// Until the response head, from the connection's beginning on.
    pub response: Duration,
}

impl Default for Timeouts {
    /// 10 s, and 30 s: panels that are busy make up their mind within half a minute.
    fn default() -> Self {
        Self { connect: Duration::from_secs(10), response: Duration::from_secs(30) }
    }
}

/// Why there is no answer. Neither it nor its sources contain the URL.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The server gave none.
    #[error(transparent)]
    Wire(#[from] wire::Error),
    /// One redirect led to the next, and no end was in sight.
    #[error("redirected too often")]
    Circle,
    /// A redirect leads to no URL, or to one that is not of HTTP.
    #[error("redirected to what is no HTTP address")]
    Astray,
    /// The URL is not of HTTP, or user and password in it cannot be sent.
    #[error("this is no HTTP address")]
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

/// `fields` as headers; what HTTP does not allow is left out.
pub fn headers<'a>(fields: impl IntoIterator<Item = (&'a str, &'a str)>) -> HeaderMap {
    let allowed = |(name, value)| {
        let (name, value): (&str, &str) = (name, value);
        Some((HeaderName::try_from(name).ok()?, HeaderValue::try_from(value).ok()?))
    };
    fields.into_iter().filter_map(allowed).collect()
}

/// An answer that is no redirect, of whatever status.
pub struct Answer {
    /// Where it came from at last: what is relative in it is relative to this.
    pub url: Url,
    /// The answer; dropping its body ends the transfer.
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
    /// A client without connections. It reads the system's trusted certificates, so that one is enough for everything.
    #[must_use]
    pub fn new(timeouts: Timeouts) -> Self {
        let pool = legacy::Client::builder(TokioExecutor::new())
            .pool_timer(TokioTimer::new())
            .pool_idle_timeout(IDLE)
            .pool_max_idle_per_host(1)
            .http1_ignore_invalid_headers_in_responses(true)
            .build(connector(true, timeouts.connect));
        Self { pool, timeouts }
    }

    /// Gets `url` with `headers`, wherever it leads. User and password in it are sent as Basic authentication, to its
    /// own server only; so are `Authorization` and `Cookie`.
    ///
    /// # Errors
    /// There is no response head that is no redirect. Dropping the future ends the request.
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

    async fn exchange(&self, hop: &Hop) -> Result<Response<Body>, wire::Error> {
        let request = hop.request()?;
        match tokio::time::timeout(self.timeouts.response, self.pool.request(request)).await {
            Ok(answer) => Ok(answer?.map(body::boxed)),
            Err(_) => Err(wire::Error::ResponseTimeout),
        }
    }
}
