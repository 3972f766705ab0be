//! What a supervisor begins with: what the ledger of an earlier process tells, or what a process has handed over.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::Arc;

use crate::supervisor::handed_over::{LedgerEntry, Pieces, SupervisorParts};
use crate::supervisor::held::leftovers::Leftovers;
use crate::supervisor::held::opening_book::{self, BookParts};
use crate::supervisor::stream::numbers;
use crate::supervisor::streams::Streams;
use crate::upstream::ledger::{Entry, Ledger};
use domain::key::DeviceId;
use domain::multiset::Multiset;
use domain::pool::Pool;
use domain::time::Timestamp;
use domain::viewer::Account;

/// What the process before has handed over.
#[derive(Debug)]
pub struct Inherited {
    /// All but the pieces.
    pub parts: SupervisorParts,
    /// The pieces.
    pub pieces: Pieces,
}

/// What the process before has kept.
#[derive(Debug, Default)]
pub struct Theirs {
    /// The entries of the ledger that it will close.
    pub(super) entries: BTreeSet<String>,
    /// The sessions with a WebSocket that goes through it.
    pub(super) sockets: Multiset<(Account, Option<DeviceId>)>,
    /// The players that the server sends a live stream through it.
    pub(super) media: Multiset<(Account, Option<DeviceId>)>,
}

/// What clients have opened before.
pub(in crate::supervisor) enum InheritedOpenings {
    /// The ledger tells so.
    Left(BTreeMap<String, Entry>),
    /// It was handed over.
    HandedOver(BookParts),
}

/// What a supervisor begins with.
pub(in crate::supervisor) struct Estate {
    pub(in crate::supervisor) ledger: Arc<Ledger>,
    pub(in crate::supervisor) leftovers: Arc<Leftovers>,
    pub(in crate::supervisor) openings: InheritedOpenings,
}

impl Inherited {
    /// What the pool's clock shows, and when it was that the first process began.
    pub(in crate::supervisor) const fn clock(&self) -> (Timestamp, Timestamp) {
        (self.parts.pool.now, self.parts.first)
    }

    /// What the process before has kept: the entries of the ledger that it has opened for itself, WebSockets, and what the server sends.
    #[must_use]
    pub fn theirs(&self) -> Theirs {
        let SupervisorParts { entries, book, leftovers, pool, .. } = &self.parts;
        let ours: BTreeSet<_> = book.names().chain(leftovers.iter().map(String::as_str)).collect();
        let names = entries.iter().map(|(name, _)| name);
        let entries = names.filter(|name| !ours.contains(name.as_str())).cloned().collect();
        let mut sockets = Multiset::default();
        pool.sockets().for_each(|session| sockets.add(session.clone()));
        let mut media = Multiset::default();
        pool.sent_media().for_each(|player| media.add(player.clone()));
        Theirs { entries, sockets, media }
    }
}

impl Estate {
    /// What the ledger at this path tells, or what was `inherited`, with which `pool` and `streams` are filled.
    pub(in crate::supervisor) fn new(
        path: Option<PathBuf>,
        inherited: Option<Inherited>,
        pool: &mut Pool,
        streams: &Streams,
    ) -> Self {
        let Some(Inherited { parts, mut pieces }) = inherited else {
            let (ledger, left) = Ledger::open(path);
            let ledger = Arc::new(ledger);
            let (of_clients, left) = opening_book::of_clients(left);
            let leftovers = Arc::new(Leftovers::new(Arc::clone(&ledger), left));
            return Self { ledger, leftovers, openings: InheritedOpenings::Left(of_clients) };
        };
        numbers::go_on_from(parts.numbered);
        parts.streams.into_iter().for_each(|stream| streams.go_on_with(stream, &mut pieces));
        pool.go_on_with(parts.pool);
        let entries = parts.entries.into_iter().map(|(name, LedgerEntry { entry, is_inherited })| {
            (name, Entry { inherited: is_inherited, ..entry })
        });
        let ledger = Arc::new(Ledger::handed_over(path, entries.collect()));
        let leftovers = Arc::new(Leftovers::new(Arc::clone(&ledger), BTreeMap::new()));
        parts.leftovers.iter().for_each(|name| leftovers.keep(name));
        Self { ledger, leftovers, openings: InheritedOpenings::HandedOver(parts.book) }
    }
}
