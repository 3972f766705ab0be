//! The side of the process that is followed by another: freezes what it has, gives it, and closes in the end what it has open itself.
//!
//! It does not know the other process.

use std::collections::BTreeSet;
use std::os::fd::OwnedFd;
use std::time::Duration;
use std::{fmt, io};

use bytes::Bytes;
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};
use tokio::time::timeout;

use crate::spool::handed_over::Extents;
use crate::supervisor::Supervisor;
use crate::supervisor::clock::GoOn;
use crate::supervisor::handed_over::{LedgerEntry, News, PieceName, SupervisorParts};
use crate::supervisor::stream::numbers;
use domain::key::Channel;
use domain::pool::{Open, Pool};
use domain::viewer::Viewer;

/// How long a provider's connections may take to close.
const PULLED_CLOSE: Duration = Duration::from_secs(3);

/// A supervisor that stands still.
pub struct Frozen {
    /// What another process goes on with.
    pub parts: SupervisorParts,
    /// The pieces in memory.
    pub pieces: Vec<(PieceName, Bytes)>,
    /// The extents of those on disk.
    pub extents: Vec<OwnedFd>,
    /// What has happened since.
    pub news: UnboundedReceiver<News>,
}

impl Supervisor {
    /// The pieces in memory of all streams. More will have come, and some will have gone, when the supervisor is frozen.
    #[must_use]
    pub fn pieces(&self) -> Vec<(PieceName, Bytes)> {
        let streams = self.streams.all().into_iter();
        let pieces = streams.flat_map(|(id, stream)| {
            stream.in_memory().into_iter().map(move |(number, bytes)| ((id, number), bytes))
        });
        pieces.collect()
    }

    /// Stands still from now on, until [`thaw`](Self::thaw). Nothing is awaited once it does, so that who gives this up leaves nothing
    /// standing.
    ///
    /// # Errors
    /// If the system has no descriptor left for what lies on disk. The supervisor goes on then.
    pub async fn freeze(&self) -> io::Result<Frozen> {
        self.callers.ledger.written().await;
        let (sender, news) = unbounded_channel();
        self.late.tell(Some(sender.clone()));
        // What time passes until it is clear which process goes on is nobody's silence.
        self.handle.stand_still();
        let pool = self.handle.ask(|pool, now| {
            self.streams.all().iter().for_each(|(_, stream)| stream.freeze());
            pool.freeze(now)
        });
        let told = self.handle.pool().take_remembered();
        self.remembering.remember(told);
        let mut extents = Extents::default();
        let streams = self.streams.all();
        let handed_over: BTreeSet<_> = pool.streams().collect();
        let streams = streams.iter().filter(|(id, _)| handed_over.contains(id));
        let streams = streams.map(|(id, stream)| stream.parts(*id, &mut extents)).collect();
        let entries =
            self.callers.ledger.hand_over(Box::new(move |change| drop(sender.send(News::Ledger(change)))));
        let entries = entries.into_iter().map(|(name, entry)| {
            let is_inherited = entry.inherited;
            (name, LedgerEntry { entry, is_inherited })
        });
        let parts = SupervisorParts {
            pool,
            first: self.handle.first(),
            streams,
            book: self.openings.parts(),
            entries: entries.collect(),
            leftovers: self.callers.leftovers.names(),
            numbered: numbers::even_time(),
        };
        match extents.descriptors() {
            Ok(extents) => Ok(Frozen { parts, pieces: self.pieces(), extents, news }),
            Err(error) => {
                self.thaw(news);
                Err(error)
            }
        }
    }

    /// Waits until all that is to outlast this process is in the history, for a while.
    pub async fn remembered(&self) {
        self.remembering.written().await;
    }

    /// All viewers, each with a channel that it watches or has watched.
    #[must_use]
    pub fn viewers(&self) -> Vec<(Viewer, Channel)> {
        let pool = self.handle.pool();
        pool.viewers().map(|(viewer, channel)| (viewer.clone(), channel.clone())).collect()
    }

    /// Waits until what is pulled from a provider is closed, for a while.
    pub async fn pulled_closed(&self) {
        let is_input = |open: &Open| matches!(open, Open::Input(_));
        let closed = self.handle.until(|pool| !pool.closing().iter().any(is_input));
        let _ = timeout(PULLED_CLOSE, closed).await;
    }

    /// Goes on after all: the other process has come to nothing.
    pub fn thaw(&self, mut news: UnboundedReceiver<News>) {
        self.late.tell(None);
        self.callers.ledger.take_back();
        self.handle.go_on(GoOn::WhereItStands);
        self.handle.ask(|pool, _| pool.thaw());
        for (id, stream) in self.streams.all() {
            let now = self.handle.now();
            let reached = if stream.keeps_old() { self.handle.pool().reached(id, now) } else { [None; 2] };
            stream.thaw(reached, now);
        }
        while let Ok(news) = news.try_recv() {
            // What is in the ledger stands in this process's own.
            self.learns(news);
        }
        self.handle.wake();
    }

    /// The other process goes on with all of it.
    pub fn handed_over(&self) {
        self.handle.go_on(GoOn::WithThePresent);
        self.callers.leftovers.forget_all();
        self.remembering.hand_over();
        self.streams.all().iter().for_each(|(_, stream)| stream.is_gone());
    }

    /// Waits until each stream has a segment, or has failed, for at most `patience`.
    pub async fn established(&self, patience: Duration) {
        let _ = timeout(patience, self.handle.until(Pool::is_established)).await;
    }
}

impl fmt::Debug for Frozen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Frozen")
    }
}
