//! The players that are told apart: by fingerprints that outlast the process, and by the viewers that they are now.

use std::collections::BTreeMap;

use crate::key::DeviceId;
use crate::pool::foresight::numbers::Numbers;
use crate::prediction::ViewerKey;
use crate::viewer::{Account, PlayerKey, Viewer};

/// The most players that are told apart.
const PLAYERS: usize = 256;
/// The most viewers that are known by their players. A user may have several tokens on a device.
const SEEN: usize = 4 * PLAYERS;

/// A player as the pool sees it.
pub(super) type Player = (Account, Option<DeviceId>);

/// The player of a viewer.
pub(super) fn player(viewer: &Viewer) -> Player {
    (viewer.account, viewer.device.clone())
}

/// See the module.
#[derive(Debug)]
pub(super) struct Players {
    numbers: Numbers<PlayerKey>,
    seen: BTreeMap<Player, PlayerKey>,
}

impl Default for Players {
    fn default() -> Self {
        Self { numbers: Numbers::new(PLAYERS), seen: BTreeMap::new() }
    }
}

impl Players {
    /// A viewer is this player. Returns the one that it was taken for before, as when the server has told its user only now.
    pub(super) fn seen(&mut self, key: PlayerKey, player: &Player) -> Option<PlayerKey> {
        if self.seen.get(player) == Some(&key) {
            return None;
        }
        if self.seen.len() >= SEEN {
            self.seen.retain(|_, key| self.numbers.known(key).is_some());
        }
        if self.seen.len() >= SEEN {
            self.seen.pop_first();
        }
        self.seen.insert(player.clone(), key)
    }

    /// The number of a player, which it gets now if it has none.
    pub(super) fn number(&mut self, key: PlayerKey) -> ViewerKey {
        ViewerKey(self.numbers.of(&key))
    }

    /// The number of a player that has one.
    pub(super) fn known(&self, key: PlayerKey) -> Option<ViewerKey> {
        self.numbers.known(&key).map(ViewerKey)
    }

    /// The player that a viewer is.
    pub(super) fn of(&self, player: &Player) -> Option<PlayerKey> {
        self.seen.get(player).copied()
    }

    /// The player with this number, unless it is forgotten.
    pub(super) fn key(&self, number: ViewerKey) -> Option<PlayerKey> {
        self.numbers.thing(number.0).copied()
    }

    /// A viewer that this player is.
    pub(super) fn viewer(&self, number: ViewerKey) -> Option<&Player> {
        let key = self.key(number)?;
        self.seen.iter().find(|(_, other)| **other == key).map(|(player, _)| player)
    }

    /// All viewers whose players are known.
    pub(super) fn all_seen(&self) -> impl Iterator<Item = (&Player, PlayerKey)> {
        self.seen.iter().map(|(player, &key)| (player, key))
    }
}
