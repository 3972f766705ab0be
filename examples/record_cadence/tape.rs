//! A recording: its events in the order of their beginnings, and its file format. It does not know the player.

use std::fs;
use std::io;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use serde_json::{Value, json};
use tokio::time::Instant;

/// A running recording; clones share it.
#[derive(Clone)]
pub(crate) struct Tape(Arc<Mutex<Inner>>);

struct Inner {
    began: Instant,
    events: Vec<(Duration, &'static str, Value)>,
    target: Option<u64>,
    user_agent: Option<String>,
    consumers: Vec<String>,
}

impl Tape {
    /// An empty recording, whose time begins now.
    pub(crate) fn new() -> Self {
        Self(Arc::new(Mutex::new(Inner {
            began: Instant::now(),
            events: Vec::new(),
            target: None,
            user_agent: None,
            consumers: Vec::new(),
        })))
    }

    /// Records an event of this `kind` that began at `at`.
    pub(crate) fn note(&self, at: Instant, kind: &'static str, detail: Value) {
        let mut inner = self.inner();
        let since = at.duration_since(inner.began);
        inner.events.push((since, kind, detail));
    }

    /// Records the target duration of a playlist, in seconds.
    pub(crate) fn promised(&self, target: u64) {
        self.inner().target = Some(target);
    }

    /// Records the player's user agent, the first time.
    pub(crate) fn introduced(&self, user_agent: &str) {
        self.inner().user_agent.get_or_insert_with(|| user_agent.to_owned());
    }

    /// A small number in place of a consumer's token.
    pub(crate) fn consumer(&self, token: &str) -> usize {
        let consumers = &mut self.inner().consumers;
        consumers.iter().position(|known| known == token).unwrap_or_else(|| {
            consumers.push(token.to_owned());
            consumers.len() - 1
        })
    }

    /// Writes a line for the recording as a whole, then one for each event.
    pub(crate) fn write(&self, path: &Path, mut head: Value) -> io::Result<()> {
        let mut inner = self.inner();
        head["user_agent"] = json!(inner.user_agent);
        head["target_ms"] = json!(inner.target.map(|seconds| 1000 * seconds));
        inner.events.sort_by_key(|(at, ..)| *at);
        let lines = inner.events.iter().map(
            |(at, kind, detail)| json!({"at_ms": at.as_millis() as u64, "kind": kind, "detail": detail}),
        );
        let text: String = std::iter::once(head).chain(lines).map(|line| format!("{line}\n")).collect();
        fs::write(path, text)
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
