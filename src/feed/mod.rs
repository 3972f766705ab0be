//! A feed: the raw transport stream of a channel. One pull, a ring of its last seconds in memory, many readers.
//!
//! It does not know what its inputs are or what its readers do with the stream, and never waits for a reader.

use std::sync::{Arc, Mutex, PoisonError};

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
    growth: watch::Receiver<u64>,
    stop: CancellationToken,
    _stop_when_dropped: Arc<DropGuard>,
    /// `None` once it is being pulled.
    puller: Arc<Mutex<Option<Puller>>>,
}

impl Feed {
    /// A feed that is not pulled yet: its readers wait.
    #[must_use]
    pub fn new(limits: Limits) -> Self {
        let shared = Arc::new(Shared::new(Size { span: limits.ring, bytes: limits.memory }));
        let stop = CancellationToken::new();
        let (puller, watched) = Puller::new(limits, Arc::clone(&shared));
        Self {
            shared,
            puller: Arc::new(Mutex::new(Some(puller))),
            growth: watched.growth,
            grown: watched.grown,
            state: watched.state,
            facts: watched.facts,
            _stop_when_dropped: Arc::new(stop.clone().drop_guard()),
            stop,
        }
    }

    /// A feed that is pulled at once.
    #[must_use]
    pub fn start(inputs: Vec<Arc<dyn Input>>, limits: Limits, tasks: &TaskTracker) -> Self {
        let feed = Self::new(limits);
        feed.pull(inputs, tasks);
        feed
    }

    /// Starts to pull from the first of `inputs`; the others are tried in order when it fails. A second call does nothing.
    pub fn pull(&self, inputs: Vec<Arc<dyn Input>>, tasks: &TaskTracker) {
        if let Some(puller) = self.take_puller() {
            tasks.spawn(puller.run(inputs, self.stop.clone()));
        }
    }

    /// Changes each time another 256 KiB have been pulled; closed once nobody pulls any more.
    #[must_use]
    pub fn growth(&self) -> watch::Receiver<u64> {
        self.growth.clone()
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
        if let Some(never_pulled) = self.take_puller() {
            never_pulled.end();
        }
    }

    fn take_puller(&self) -> Option<Puller> {
        self.puller.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}
