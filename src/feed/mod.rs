//! A feed: the raw transport stream of a channel. One pull, a ring of its last seconds in memory, many readers.
//!
//! It does not know what its inputs are, who its readers are or what they make of it. It never waits for a reader.

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

/// A feed that is being pulled; clones are the same feed. It ends when the last of them is dropped.
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
    /// Begins to pull from the first of `inputs`; the others are for when it fails.
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

    /// A reader that begins as `join` says.
    #[must_use]
    pub fn read(&self, join: Join) -> Reader {
        Reader::new(Arc::clone(&self.shared), self.grown.clone(), self.state.clone(), join)
    }

    /// Where it stands.
    #[must_use]
    pub fn state(&self) -> watch::Receiver<FeedState> {
        self.state.clone()
    }

    /// What it carries, as soon as that is known; `None` if it ended before.
    pub async fn facts(&self) -> Option<Facts> {
        self.facts_when(|_| true).await
    }

    /// What it carries, as soon as that is `such`; `None` if it ended before.
    pub async fn facts_when(&self, such: impl Fn(&Facts) -> bool) -> Option<Facts> {
        let mut facts = self.facts.clone();
        facts.wait_for(|facts| facts.as_ref().is_some_and(&such)).await.ok().and_then(|facts| facts.clone())
    }

    /// What it has done.
    #[must_use]
    pub fn counts(&self) -> Counts {
        self.shared.counts()
    }

    /// Waits until nobody pulls any more: nothing is connected then.
    pub async fn ended(&self) {
        let mut state = self.state.clone();
        while state.changed().await.is_ok() {}
    }

    /// Ends the pull. Readers read what was pulled, and then learn of the end.
    pub fn stop(&self) {
        self.stop.cancel();
    }
}
