//! Keeps the openings of clients with the credentials to give them back: those that are open, those that are doubted, and those
//! whose clients have none any more.
//!
//! It calls nobody, and does not decide what is to be given back.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use tokio::sync::watch;

use crate::upstream::jellyfin::{Login, Place};
use crate::upstream::ledger::Entry;
use domain::key::{LiveStreamId, OpeningId};
use domain::openings::ClientOpening;
use domain::viewer::Account;

/// The number of former openings that are remembered: more than any household has.
const MAX_FORMER: usize = 1000;

/// An opening, with the address and the credential to give it back.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Known {
    pub(super) opening: ClientOpening,
    /// The name of its entry in the ledger.
    pub(super) name: String,
    /// The client's credential; `None` if an earlier process recorded the opening and its client has not made a request since.
    pub(super) login: Option<Login>,
    pub(super) place: Option<Place>,
}

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Book {
    pub(super) known: BTreeMap<OpeningId, Known>,
    /// The openings that may have ended with the server's process, or with their live stream.
    pub(super) doubted: BTreeSet<OpeningId>,
    /// The openings that were closed in their client's name or have ended with the server's process, until the client has another.
    pub(super) former: BTreeMap<(Account, LiveStreamId), Known>,
    /// The renewals that are under way.
    pub(super) renewals: BTreeMap<(Account, LiveStreamId), watch::Receiver<()>>,
}

/// What another process goes on with.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(in crate::supervisor) struct BookParts {
    known: Vec<(OpeningId, Known)>,
    doubted: BTreeSet<OpeningId>,
    former: Vec<Known>,
}

impl BookParts {
    /// The names of their entries in the ledger.
    pub(in crate::supervisor) fn names(&self) -> impl Iterator<Item = &str> {
        self.known.iter().map(|(_, known)| &*known.name)
    }
}

impl Book {
    /// All but the renewals, which go on here.
    pub(super) fn parts(&self) -> BookParts {
        BookParts {
            known: self.known.iter().map(|(id, known)| (*id, known.clone())).collect(),
            doubted: self.doubted.clone(),
            former: self.former.values().cloned().collect(),
        }
    }

    /// The book of which these are the parts.
    pub(super) fn of_parts(parts: BookParts) -> Self {
        let BookParts { known, doubted, former } = parts;
        let key = |known: &Known| Some((known.opening.account?, known.opening.live_stream.clone()));
        Self {
            known: known.into_iter().collect(),
            doubted,
            former: former.into_iter().filter_map(|known| Some((key(&known)?, known))).collect(),
            renewals: BTreeMap::new(),
        }
    }

    /// Moves an opening to the former ones.
    pub(super) fn retire(&mut self, id: OpeningId) -> Option<Known> {
        self.doubted.remove(&id);
        let known = self.known.remove(&id)?;
        if let Some(account) = known.opening.account {
            if self.former.len() >= MAX_FORMER {
                self.former.clear();
            }
            self.former.insert((account, known.opening.live_stream.clone()), known.clone());
        }
        Some(known)
    }

    /// A live stream that was closed and is opened again has the same id, but its openings have another name: who opened the former
    /// one has lost it.
    pub(super) fn doubt_namesakes(&mut self, opening: &ClientOpening) {
        let is_another = |known: &Known| {
            known.opening.live_stream == opening.live_stream && known.opening.name != opening.name
        };
        let others = self.known.iter().filter(|(_, known)| is_another(known)).map(|(id, _)| *id);
        self.doubted.extend(others);
    }

    pub(super) fn doubted_of(&self, account: Account, live_stream: &LiveStreamId) -> Vec<(OpeningId, Known)> {
        let doubted = self.doubted.iter().filter_map(|id| Some((*id, self.known.get(id)?.clone())));
        let theirs = doubted.filter(|(_, known)| {
            known.opening.account == Some(account) && known.opening.live_stream == *live_stream
        });
        theirs.collect()
    }
}

/// Splits the ledger's entries into those of clients and those of the gateway.
pub(in crate::supervisor) fn of_clients(
    left: BTreeMap<String, Entry>,
) -> (BTreeMap<String, Entry>, BTreeMap<String, Entry>) {
    left.into_iter().partition(|(_, entry)| entry.client.is_some())
}
