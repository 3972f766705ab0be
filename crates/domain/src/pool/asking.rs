//! The openings that the server is asked for and has not answered: it tunes a channel seconds before it answers.

use std::collections::{BTreeMap, BTreeSet};

use crate::key::{AskingId, ItemId};
use crate::time::Timestamp;
use crate::tuners::Occupancy;

/// An opening that the server has not answered.
#[derive(Debug)]
struct Asked {
    item: Option<ItemId>,
    /// Since when, if the channel was not open then.
    since: Option<Timestamp>,
    /// Whether its client has gone: what the server opens is given back at once.
    is_abandoned: bool,
}

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Asking(BTreeMap<AskingId, Asked>);

impl Asking {
    /// The server is asked to open a channel, whose item may be unknown; `since` now, if it is not open.
    pub(super) fn asks(&mut self, id: AskingId, item: Option<ItemId>, since: Option<Timestamp>) {
        self.0.insert(id, Asked { item, since, is_abandoned: false });
    }

    /// Nobody waits for the answer any more.
    pub(super) fn abandon(&mut self, id: AskingId) {
        if let Some(asked) = self.0.get_mut(&id) {
            asked.is_abandoned = true;
        }
    }

    /// The server has answered.
    pub(super) fn answered(&mut self, id: AskingId) {
        self.0.remove(&id);
    }

    /// Whether the server is asked for an item, and somebody waits for it.
    pub(super) fn asks_for(&self, item: &ItemId) -> bool {
        self.0.values().any(|asked| asked.item.as_ref() == Some(item) && !asked.is_abandoned)
    }

    /// Since when the server is asked for an item that was not open.
    pub(super) fn since(&self, item: &ItemId) -> Option<Timestamp> {
        let of_item = self.0.values().filter(|asked| asked.item.as_ref() == Some(item));
        of_item.filter_map(|asked| asked.since).min()
    }

    /// Whether the server works on none.
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Those for which somebody waits.
    pub(super) fn awaited(&self) -> impl Iterator<Item = AskingId> {
        self.0.iter().filter(|(_, asked)| !asked.is_abandoned).map(|(&id, _)| id)
    }

    /// Those for which nobody waits.
    pub(super) fn abandoned(&self) -> impl Iterator<Item = AskingId> {
        self.0.iter().filter(|(_, asked)| asked.is_abandoned).map(|(&id, _)| id)
    }

    /// Their items that are not known to be open: each may have a tuner.
    pub(super) fn items(&self, open: &Occupancy) -> BTreeSet<&ItemId> {
        let items = self.0.values().filter_map(|asked| asked.item.as_ref());
        items.filter(|item| !open.has_item(item)).collect()
    }
}
