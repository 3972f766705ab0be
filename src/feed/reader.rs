//! A reader of a feed: reads the ring, waits for more, and is dropped from it if it is too slow.

use std::sync::Arc;

use tokio::sync::watch;

use crate::body::{self, Body};
use crate::feed::shared::Shared;
use domain::feeding::FeedState;
use domain::reason::Failure;
use domain::ring::{Chunk, Cursor, Join, Read};

/// Why a reader has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ReaderEnd {
    /// It was too slow: the chunk it should have read next has left the ring.
    #[error("read too slowly")]
    Lagged,
    /// The feed failed on all its inputs.
    #[error("the feed failed: {}", .0.as_str())]
    Failed(Failure),
    /// The feed was stopped.
    #[error("the feed was stopped")]
    Stopped,
}

/// Reads a feed from an access point on.
#[derive(Debug)]
pub struct Reader {
    shared: Arc<Shared>,
    grown: watch::Receiver<()>,
    state: watch::Receiver<FeedState>,
    join: Join,
    /// `None` until the ring has a place to begin.
    cursor: Option<Cursor>,
}

impl Reader {
    pub(super) const fn new(
        shared: Arc<Shared>,
        grown: watch::Receiver<()>,
        state: watch::Receiver<FeedState>,
        join: Join,
    ) -> Self {
        Self { shared, grown, state, join, cursor: None }
    }

    /// The next packets: first the tables, then the stream from the access point on. Cancel-safe.
    ///
    /// # Errors
    /// The reader has ended. What was pulled before the feed's end is read first.
    pub async fn next(&mut self) -> Result<Chunk, ReaderEnd> {
        loop {
            // Both before reading the ring: what comes later wakes this task, and what came before the end is not missed.
            self.grown.mark_unchanged();
            let end = self.end();
            match self.look() {
                Read::Chunk(chunk) => return Ok(chunk),
                Read::Lagged => return Err(ReaderEnd::Lagged),
                Read::CaughtUp => {}
            }
            if let Some(end) = end {
                return Err(end);
            }
            // An error means that the pull has ended, which the next round finds out.
            let _ = self.grown.changed().await;
        }
    }

    /// The stream as a body, which ends cleanly if the feed is stopped and breaks off if it fails.
    #[must_use]
    pub fn into_body(self) -> Body {
        body::unfold(self, |mut reader| async move {
            let came = match reader.next().await {
                Ok(chunk) => Some(Ok(chunk.bytes)),
                Err(ReaderEnd::Stopped) => None,
                Err(end @ (ReaderEnd::Lagged | ReaderEnd::Failed(_))) => Some(Err(end.into())),
            };
            (reader, came)
        })
    }

    fn look(&mut self) -> Read {
        let mut guarded = self.shared.lock();
        if self.cursor.is_none() {
            self.cursor = guarded.ring.join(self.join);
        }
        let Some(cursor) = &mut self.cursor else { return Read::CaughtUp };
        let read = guarded.ring.read(cursor);
        if read == Read::Lagged {
            guarded.counts.readers_dropped += 1;
        }
        read
    }

    /// How the feed ended, if it has.
    fn end(&self) -> Option<ReaderEnd> {
        self.grown.has_changed().err().map(|_| match *self.state.borrow() {
            FeedState::Failed(failure) => ReaderEnd::Failed(failure),
            FeedState::Ended => ReaderEnd::Stopped,
            FeedState::Connecting { .. } | FeedState::Flowing { .. } | FeedState::BackingOff { .. } => {
                ReaderEnd::Failed(Failure::Panicked)
            }
        })
    }
}
