//! A feed: the raw transport stream of a channel. One pull, a ring of its last seconds in memory, many readers.
//!
//! It does not know what its inputs are or what its readers do with the stream, and never waits for a reader.

use std::sync::Arc;

use tokio::sync::watch;
use tokio_util::sync::{CancellationToken, DropGuard};
use tokio_util::task::TaskTracker;

use domain::feeding::FeedState;
use domain::mpegts::facts::Facts;
use domain::ring::{Join, Size};

pub mod http;
mod inflow;
pub mod input;
mod limits;
mod pull;
pub mod reader;
mod shared;
mod tables;
#[cfg(test)]
mod tests;

use crate::feed::input::Input;
pub use crate::feed::limits::Limits;
use crate::feed::pull::Puller;
use crate::feed::reader::Reader;
pub use crate::feed::shared::Counts;
use crate::feed::shared::Shared;

/// A feed being pulled. Clones share it; it ends when the last one is dropped.
#[derive(Clone, Debug)]
pub struct Feed {
    shared: Arc<Shared>,
    grown: watch::Receiver<()>,
    state: watch::Receiver<FeedState>,
    facts: watch::Receiver<Option<Facts>>,
    stop: CancellationToken,
    _stop_when_dropped: Arc<DropGuard>,
}

impl Feed {
    /// Starts to pull from the first of `inputs`; the others are tried in order when it fails.
    #[must_use]
    pub fn start(inputs: Vec<Arc<dyn Input>>, limits: Limits, tasks: &TaskTracker) -> Self {
        let shared = Arc::new(Shared::new(Size { span: limits.ring, bytes: limits.memory }));
        let stop = CancellationToken::new();
        let (puller, watched) = Puller::new(inputs, limits, Arc::clone(&shared));
        tasks.spawn(puller.run(stop.clone()));
        Self {
            shared,
            grown: watched.grown,
            state: watched.state,
            facts: watched.facts,
            _stop_when_dropped: Arc::new(stop.clone().drop_guard()),
            stop,
        }
    }

    /// A new reader that begins where `join` says.
    #[must_use]
    pub fn read(&self, join: Join) -> Reader {
        Reader::new(Arc::clone(&self.shared), self.grown.clone(), self.state.clone(), join)
    }

    /// The state of the pull.
    #[must_use]
    pub fn state(&self) -> watch::Receiver<FeedState> {
        self.state.clone()
    }

    /// Waits for the stream's codecs and formats; `None` if the feed ended before they were known.
    pub async fn facts(&self) -> Option<Facts> {
        self.facts_when(|_| true).await
    }

    /// Waits for facts that satisfy `such`; `None` if the feed ended before.
    pub async fn facts_when(&self, such: impl Fn(&Facts) -> bool) -> Option<Facts> {
        let mut facts = self.facts.clone();
        facts.wait_for(|facts| facts.as_ref().is_some_and(&such)).await.ok().and_then(|facts| facts.clone())
    }

    /// Its counters.
    #[must_use]
    pub fn counts(&self) -> Counts {
        self.shared.counts()
    }

    /// Waits until the pull has ended and its connection is closed.
    pub async fn ended(&self) {
        let mut state = self.state.clone();
        while state.changed().await.is_ok() {}
    }

    /// Ends the pull. Readers read the rest of the ring, then learn of the end.
    pub fn stop(&self) {
        self.stop.cancel();
    }
}
