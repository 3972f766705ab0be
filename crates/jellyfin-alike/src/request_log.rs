//! The last requests in order of arrival, for tests that count them. They contain tokens and are never printed.

use std::collections::VecDeque;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use http::{HeaderMap, Method, header};

use crate::lock::lock;

/// How many requests are kept.
const LIMIT: usize = 10_000;

/// A request, and the status of its response.
#[derive(Clone, Debug)]
pub struct LoggedRequest {
    /// The method.
    pub method: Method,
    /// The path, as it was sent.
    pub path: String,
    /// The query, as it was sent, with its tokens.
    pub query: String,
    /// `User-Agent`.
    pub user_agent: Option<String>,
    /// `Range`.
    pub range: Option<String>,
    /// Whether it had an `Authorization` header.
    pub authorized: bool,
    /// The response's status; `None` until there is one.
    pub status: Option<u16>,
    /// When it arrived, counted from the server's start.
    pub at: Duration,
}

/// The log.
#[derive(Debug)]
pub(crate) struct RequestLog {
    started: Instant,
    kept: Mutex<Kept>,
}

#[derive(Debug, Default)]
struct Kept {
    dropped: u64,
    entries: VecDeque<LoggedRequest>,
}

impl Default for RequestLog {
    fn default() -> Self {
        Self { started: Instant::now(), kept: Mutex::default() }
    }
}

impl RequestLog {
    /// Adds a request and returns its sequence number.
    pub(crate) fn arrived(&self, method: &Method, path: &str, query: &str, headers: &HeaderMap) -> u64 {
        let text = |name| headers.get(name).and_then(|value| value.to_str().ok()).map(str::to_owned);
        let request = LoggedRequest {
            method: method.clone(),
            path: path.to_owned(),
            query: query.to_owned(),
            user_agent: text(header::USER_AGENT),
            range: text(header::RANGE),
            authorized: headers.contains_key(header::AUTHORIZATION),
            status: None,
            at: self.started.elapsed(),
        };
        let mut kept = lock(&self.kept);
        if kept.entries.len() == LIMIT {
            kept.entries.pop_front();
            kept.dropped += 1;
        }
        kept.entries.push_back(request);
        kept.dropped + kept.entries.len() as u64 - 1
    }

    /// Adds the status of the response to the request with this sequence number.
    pub(crate) fn answered(&self, number: u64, status: u16) {
        let mut kept = lock(&self.kept);
        let Some(index) = number.checked_sub(kept.dropped).and_then(|index| usize::try_from(index).ok())
        else {
            return;
        };
        if let Some(request) = kept.entries.get_mut(index) {
            request.status = Some(status);
        }
    }

    /// The requests that are kept.
    pub(crate) fn all(&self) -> Vec<LoggedRequest> {
        lock(&self.kept).entries.iter().cloned().collect()
    }
}
