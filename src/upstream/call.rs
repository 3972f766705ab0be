//! Makes a call of the gateway's own: sends a request, and reads an answer of bounded size within one deadline.
//!
//! It knows none of the server's paths, and judges an answer by its status alone.

use std::time::Duration;

use bytes::Bytes;
use http::header::{CONTENT_TYPE, HOST, USER_AGENT};
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, Response, StatusCode};
use http_body_util::{BodyExt, Limited};
use hyper::body::Incoming;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, PercentEncode, utf8_percent_encode};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use tokio::time::timeout;

use crate::body;
use crate::upstream::client::Client;
use crate::wire;

/// Bytes of the largest JSON answer or playlist that is read.
const SMALL: usize = 4 << 20;
/// The deadline for head and body of an answer that the server gives from memory.
pub(super) const PROMPT: Duration = Duration::from_secs(15);

/// Why a call failed.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The server gave no answer.
    #[error("the server gave no answer")]
    Unreachable(#[from] wire::Error),
    /// The server answered with a status that is no success.
    #[error("the server answered {0}")]
    Status(StatusCode),
    /// The answer broke off.
    #[error("the answer broke off")]
    Broken(#[source] body::BoxError),
    /// The answer is larger than its limit.
    #[error("the answer is larger than its limit")]
    TooLarge,
    /// The answer, or the path of the request, does not have the expected form.
    #[error("unexpected form: {0}")]
    Unreadable(&'static str),
}

impl Error {
    /// The status, if the server answered with one that is no success.
    #[must_use]
    pub const fn status(&self) -> Option<StatusCode> {
        match self {
            Self::Status(status) => Some(*status),
            Self::Unreachable(_) | Self::Broken(_) | Self::TooLarge | Self::Unreadable(_) => None,
        }
    }

    /// The error of a call whose deadline has passed.
    #[must_use]
    pub const fn late() -> Self {
        Self::Unreachable(wire::Error::ResponseTimeout)
    }

    /// Whether the server is down: it gave no answer, or whatever stands in for it while it starts gave a 502, 503 or 504.
    #[must_use]
    pub const fn is_absence(&self) -> bool {
        match self {
            Self::Unreachable(_) | Self::Broken(_) => true,
            Self::Status(status) => matches!(status.as_u16(), 502..=504),
            Self::TooLarge | Self::Unreadable(_) => false,
        }
    }
}

/// The credential of a call: header fields and query pairs, exactly as the server accepts them. Its `Debug` shows nothing of it.
#[derive(Clone, Default, Serialize, Deserialize)]
#[serde(from = "LoginParts", into = "LoginParts")]
pub struct Login {
    /// The header fields to add.
    pub headers: HeaderMap,
    /// The query pairs to append, percent-encoded, without a leading `&`.
    pub query: String,
}

/// A login as plain data.
#[derive(Serialize, Deserialize)]
struct LoginParts {
    headers: Vec<(String, Vec<u8>)>,
    query: String,
}

impl From<Login> for LoginParts {
    fn from(Login { headers, query }: Login) -> Self {
        let headers =
            headers.iter().map(|(name, value)| (name.as_str().to_owned(), value.as_bytes().to_vec()));
        Self { headers: headers.collect(), query }
    }
}

impl From<LoginParts> for Login {
    fn from(LoginParts { headers, query }: LoginParts) -> Self {
        let field = |(name, value): (String, Vec<u8>)| {
            Some((HeaderName::try_from(name).ok()?, HeaderValue::from_bytes(&value).ok()?))
        };
        Self { headers: headers.into_iter().filter_map(field).collect(), query }
    }
}

impl std::fmt::Debug for Login {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Login")
    }
}

impl Login {
    /// Logs in with an API key, in the form that every version accepts.
    #[must_use]
    pub fn api_key(key: &str) -> Self {
        Self { headers: HeaderMap::new(), query: format!("ApiKey={key}") }
    }
}

/// Sends requests to the server, addressed and authenticated.
#[derive(Clone, Debug)]
pub(super) struct Calls {
    client: Client,
    host: HeaderValue,
}

impl Calls {
    pub(super) const fn new(client: Client, host: HeaderValue) -> Self {
        Self { client, host }
    }

    /// Builds a request, with `json` as its body.
    pub(super) fn request(
        &self,
        method: Method,
        path: &str,
        query: &str,
        login: &Login,
        json: Option<&Value>,
    ) -> Result<Request<body::Body>, Error> {
        let separator = if query.is_empty() || login.query.is_empty() { "" } else { "&" };
        let query = format!("{query}{separator}{}", login.query);
        let target = if query.is_empty() { path.to_owned() } else { format!("{path}?{query}") };
        let mut request = Request::new(json.map_or_else(body::empty, |json| body::full(json.to_string())));
        *request.method_mut() = method;
        *request.uri_mut() = target.parse().map_err(|_| Error::Unreadable("an invalid path"))?;
        let headers = request.headers_mut();
        headers.extend(login.headers.clone());
        headers.insert(HOST, self.host.clone());
        headers.insert(USER_AGENT, HeaderValue::from_static(concat!("warmgate/", env!("CARGO_PKG_VERSION"))));
        if json.is_some() {
            headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        }
        Ok(request)
    }

    /// Returns the head of an answer that is a success. Sets no deadline.
    pub(super) async fn head(&self, request: Request<body::Body>) -> Result<Response<Incoming>, Error> {
        let answer = self.client.send(request).await?;
        if answer.status().is_success() { Ok(answer) } else { Err(Error::Status(answer.status())) }
    }

    /// Returns the status of the answer, whatever it is.
    pub(super) async fn status(&self, request: Request<body::Body>) -> Result<StatusCode, Error> {
        within(PROMPT, async { Ok(self.client.send(request).await?.status()) }).await
    }

    /// Returns a whole answer that is a success.
    pub(super) async fn whole(
        &self,
        request: Request<body::Body>,
        deadline: Duration,
    ) -> Result<Response<Bytes>, Error> {
        within(deadline, async {
            let (head, body) = self.head(request).await?.into_parts();
            Ok(Response::from_parts(head, collect(body, SMALL).await?))
        })
        .await
    }

    /// Returns the JSON of an answer that is a success.
    /// The JSON at a path, which the server gives from memory.
    pub(super) async fn get(&self, path: &str, query: &str, login: &Login) -> Result<Value, Error> {
        self.json(self.request(Method::GET, path, query, login, None)?, PROMPT).await
    }

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

/// Reads a whole body of at most `largest` bytes.
pub(super) async fn collect(body: Incoming, largest: usize) -> Result<Bytes, Error> {
    match Limited::new(body, largest).collect().await {
        Ok(collected) => Ok(collected.to_bytes()),
        Err(error) if error.is::<http_body_util::LengthLimitError>() => Err(Error::TooLarge),
        Err(error) => Err(Error::Broken(error)),
    }
}

/// Percent-encodes a value for a query.
pub(super) fn encoded(value: &str) -> PercentEncode<'_> {
    const KEPT: AsciiSet = NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');
    utf8_percent_encode(value, &KEPT)
}
