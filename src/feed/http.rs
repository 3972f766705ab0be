//! The input for a provider's transport stream over HTTP.
//!
//! It does not read the stream.

use http::{HeaderMap, StatusCode};
use url::Url;

use crate::body::Body;
use crate::feed::input::{Input, InputError, OpenFuture};
use crate::fetch::Fetcher;
use domain::reason::Failure;

/// A stream at a URL.
#[derive(Debug)]
pub struct Http {
    name: String,
    url: Url,
    headers: HeaderMap,
    fetcher: Fetcher,
}

impl Http {
    /// The stream at `url`, requested with `headers` and called `name` in the log.
    #[must_use]
    pub const fn provider(name: String, url: Url, headers: HeaderMap, fetcher: Fetcher) -> Self {
        Self { name, url, headers, fetcher }
    }

    async fn get(&self) -> Result<Body, InputError> {
        let answer = self.fetcher.get(&self.url, &self.headers).await;
        let response = answer.map_err(|error| InputError::new(Failure::Unreachable, error))?.response;
        let failure = match response.status() {
            StatusCode::OK => return Ok(response.into_body()),
            StatusCode::BAD_GATEWAY | StatusCode::SERVICE_UNAVAILABLE | StatusCode::GATEWAY_TIMEOUT => {
                Failure::Unreachable
            }
            _ => Failure::Refused,
        };
        Err(InputError::new(failure, format!("status {}", response.status().as_u16())))
    }
}

impl Input for Http {
    fn open(&self) -> OpenFuture<'_> {
        Box::pin(self.get())
    }

    fn name(&self) -> &str {
        &self.name
    }
}
