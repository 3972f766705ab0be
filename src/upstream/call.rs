//! One call of the gateway's own: a request, one deadline, an answer of bounded size.
//!
//! It knows none of the server's paths, and judges an answer by its status alone.

use std::time::Duration;

use bytes::Bytes;
use http::header::{CONTENT_TYPE, HOST, USER_AGENT};
use http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode};
use http_body_util::{BodyExt, Limited};
use hyper::body::Incoming;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, PercentEncode, utf8_percent_encode};
use serde_json::Value;
use tokio::time::timeout;

use crate::body;
use crate::upstream;
use crate::upstream::client::Client;

/// JSON answers and playlists are small; anything larger is not one.
const SMALL: usize = 4 << 20;
/// What the server answers from its memory: head and body together take no longer.
pub(super) const PROMPT: Duration = Duration::from_secs(15);

/// Why a call failed.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// No answer.
    #[error("the server gave no answer")]
    Unreachable(#[from] upstream::Error),
    /// Not the answer that was hoped for.
    #[error("the server answered {0}")]
    Status(StatusCode),
    /// An answer that broke off.
    #[error("the answer broke off")]
    Broken(#[source] body::BoxError),
    /// An answer larger than it may be.
    #[error("the answer is larger than it may be")]
    TooLarge,
    /// Not what was asked for.
    #[error("the answer is not what was asked for: {0}")]
    Unreadable(&'static str),
}

impl Error {
    /// The status, if the server did answer.
    #[must_use]
    pub const fn status(&self) -> Option<StatusCode> {
        match self {
            Self::Status(status) => Some(*status),
            Self::Unreachable(_) | Self::Broken(_) | Self::TooLarge | Self::Unreadable(_) => None,
        }
    }

    /// No answer in time.
    #[must_use]
    pub const fn late() -> Self {
        Self::Unreachable(upstream::Error::ResponseTimeout)
    }

    /// Whether the server is not there: no answer, or that of what stands in for it while it starts.
    #[must_use]
    pub const fn is_absence(&self) -> bool {
        match self {
            Self::Unreachable(_) | Self::Broken(_) => true,
            Self::Status(status) => matches!(status.as_u16(), 502..=504),
            Self::TooLarge | Self::Unreadable(_) => false,
        }
    }
}

/// As whom a call is made: header fields and query pairs, exactly as the server accepts them.
#[derive(Clone, Default)]
pub struct Login {
    /// Fields to add.
    pub headers: HeaderMap,
    /// Pairs to append, encoded, without a leading `&`.
    pub query: String,
}

impl std::fmt::Debug for Login {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Login")
    }
}

impl Login {
    /// With an API key; this form is accepted by every version.
    #[must_use]
    pub fn api_key(key: &str) -> Self {
        Self { headers: HeaderMap::new(), query: format!("ApiKey={key}") }
    }
}

/// The way to the server.
#[derive(Clone, Debug)]
pub(super) struct Line {
    client: Client,
    host: HeaderValue,
}

impl Line {
    pub(super) const fn new(client: Client, host: HeaderValue) -> Self {
        Self { client, host }
    }

    pub(super) fn request(
        &self,
        method: Method,
        path: &str,
        query: &str,
        login: &Login,
        wish: Option<&Value>,
    ) -> Result<Request<body::Body>, Error> {
        let separator = if query.is_empty() || login.query.is_empty() { "" } else { "&" };
        let query = format!("{query}{separator}{}", login.query);
        let target = if query.is_empty() { path.to_owned() } else { format!("{path}?{query}") };
        let mut request = Request::new(wish.map_or_else(body::empty, |wish| body::full(wish.to_string())));
        *request.method_mut() = method;
        *request.uri_mut() = target.parse().map_err(|_| Error::Unreadable("a path that is none"))?;
        let headers = request.headers_mut();
        headers.extend(login.headers.clone());
        headers.insert(HOST, self.host.clone());
        headers.insert(USER_AGENT, HeaderValue::from_static(concat!("warmgate/", env!("CARGO_PKG_VERSION"))));
        if wish.is_some() {
            headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        }
        Ok(request)
    }

    /// The head of an answer that is a success; how long that takes is the caller's business.
    pub(super) async fn answer(&self, request: Request<body::Body>) -> Result<Response<Incoming>, Error> {
        let answer = self.client.send(request).await?;
        if answer.status().is_success() { Ok(answer) } else { Err(Error::Status(answer.status())) }
    }

    /// How a request is answered.
    pub(super) async fn status(&self, request: Request<body::Body>) -> Result<StatusCode, Error> {
        within(PROMPT, async { Ok(self.client.send(request).await?.status()) }).await
    }

    /// A small answer, as a whole.
    pub(super) async fn whole(
        &self,
        request: Request<body::Body>,
        deadline: Duration,
    ) -> Result<Response<Bytes>, Error> {
        within(deadline, async {
            let (head, body) = self.answer(request).await?.into_parts();
            Ok(Response::from_parts(head, collect(body, SMALL).await?))
        })
        .await
    }

    /// A small answer in JSON.
    pub(super) async fn json(
        &self,
        request: Request<body::Body>,
        deadline: Duration,
    ) -> Result<Value, Error> {
        let answer = self.whole(request, deadline).await?;
        serde_json::from_slice(answer.body()).map_err(|_| Error::Unreadable("not JSON"))
    }
}

async fn within<T>(deadline: Duration, call: impl Future<Output = Result<T, Error>>) -> Result<T, Error> {
    timeout(deadline, call).await.unwrap_or_else(|_| Err(Error::late()))
}

/// A body of at most `largest` bytes.
pub(super) async fn collect(body: Incoming, largest: usize) -> Result<Bytes, Error> {
    match Limited::new(body, largest).collect().await {
        Ok(collected) => Ok(collected.to_bytes()),
        Err(error) if error.is::<http_body_util::LengthLimitError>() => Err(Error::TooLarge),
        Err(error) => Err(Error::Broken(error)),
    }
}

/// A value, to stand in a query.
pub(super) fn encoded(value: &str) -> PercentEncode<'_> {
    const KEPT: AsciiSet = NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');
    utf8_percent_encode(value, &KEPT)
}
