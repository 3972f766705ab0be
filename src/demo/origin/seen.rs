//! What was asked, in order, for tests that count it. Bounded; it holds tokens and is never printed.

use std::collections::VecDeque;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use http::{HeaderMap, Method, header};

use crate::demo::origin::lock;

const LIMIT: usize = 10_000;

/// One request, in the order of arrival.
#[derive(Clone, Debug)]
pub struct Seen {
    /// The method.
    pub method: Method,
    /// The path as sent.
    pub path: String,
    /// The query as sent, tokens included.
    pub query: String,
    /// `User-Agent`.
    pub user_agent: Option<String>,
    /// `Range`.
    pub range: Option<String>,
    /// Whether an `Authorization` header came along.
    pub authorized: bool,
    /// The answer's status; none while it is being worked on.
    pub status: Option<u16>,
    /// When it arrived, since the server's start.
    pub at: Duration,
}

/// The last requests.
#[derive(Debug)]
pub(super) struct Log {
    started: Instant,
    kept: Mutex<Kept>,
}

#[derive(Debug, Default)]
struct Kept {
    dropped: u64,
    entries: VecDeque<Seen>,
}

impl Default for Log {
    fn default() -> Self {
        Self { started: Instant::now(), kept: Mutex::default() }
    }
}

impl Log {
    /// Notes a request and gives its place.
    pub(super) fn arrived(&self, method: &Method, path: &str, query: &str, headers: &HeaderMap) -> u64 {
        let text = |name| headers.get(name).and_then(|value| value.to_str().ok()).map(str::to_owned);
        let seen = Seen {
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
        kept.entries.push_back(seen);
        kept.dropped + kept.entries.len() as u64 - 1
    }

    /// Notes the answer to the request at `place`.
    pub(super) fn answered(&self, place: u64, status: u16) {
        let mut kept = lock(&self.kept);
        let Some(index) = place.checked_sub(kept.dropped).and_then(|index| usize::try_from(index).ok())
        else {
            return;
        };
        if let Some(seen) = kept.entries.get_mut(index) {
            seen.status = Some(status);
        }
    }

    pub(super) fn all(&self) -> Vec<Seen> {
        lock(&self.kept).entries.iter().cloned().collect()
    }
}
