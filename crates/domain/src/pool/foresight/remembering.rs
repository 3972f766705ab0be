//! Tells what was learned, and begins with what another pool has told.

use std::collections::VecDeque;

use serde::{Deserialize, Serialize};

use super::Foresight;
use crate::key::ItemId;
use crate::pool::foresight::players::Player;
use crate::pool::foresight::remembered::{KnownChannel, Remembered};
use crate::prediction::ChannelKey;
use crate::time::Timestamp;
use crate::viewer::PlayerKey;

/// The most that waits to be told.
const UNTOLD: usize = 1000;

/// See [`Foresight::parts`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(in crate::pool) struct ForesightParts {
    players: Vec<(Player, PlayerKey)>,
    leaving: Vec<(PlayerKey, Timestamp)>,
}

impl Foresight {
    /// Begins with what another pool has told, the earliest first, and tells what it learns itself from now on.
    pub(in crate::pool) fn begin_with(&mut self, past: impl IntoIterator<Item = Remembered>) {
        for remembered in past {
            match remembered {
                Remembered::Order(items) => self.set_order(&items),
                // How it came follows from where it was.
                Remembered::Came { player, item, how: _, at } => {
                    self.came(player, &item, at);
                    // Who began to view before has been looked at.
                    self.settled_until = at;
                }
                Remembered::Left { player, at } => self.switched_off(player, at),
                Remembered::Channel(item, known) => self.knows(&item, known),
                // The pool itself knows of these.
                Remembered::Attempt(..) => {}
            }
        }
        self.untold = Some(VecDeque::new());
    }

    fn knows(&mut self, item: &ItemId, KnownChannel { opened, wait, failures }: KnownChannel) {
        let channel = self.channels.of(item);
        if let Some(opened) = opened {
            self.opened.insert(channel, opened);
        }
        if let Some(wait) = wait {
            self.waits.recall(ChannelKey(channel), wait);
        }
        if let Some(failures) = failures {
            self.failures.insert(channel, failures);
        }
    }

    /// What is to be remembered.
    pub(in crate::pool) fn take_untold(&mut self) -> Vec<Remembered> {
        self.untold.as_mut().map(|untold| untold.drain(..).collect()).unwrap_or_default()
    }

    /// Whether anything is to be remembered.
    pub(in crate::pool) fn has_untold(&self) -> bool {
        self.untold.as_ref().is_some_and(|untold| !untold.is_empty())
    }

    pub(super) fn tell_channel(&mut self, item: &ItemId) {
        let known = self.knows_of(item);
        self.tell(|| Remembered::Channel(item.clone(), known));
    }

    /// What is known of a channel.
    pub(in crate::pool) fn knows_of(&self, item: &ItemId) -> KnownChannel {
        let Some(channel) = self.channels.known(item) else { return KnownChannel::default() };
        KnownChannel {
            opened: self.opened.get(&channel).copied(),
            wait: self.waits.of(ChannelKey(channel)),
            failures: self.failures.get(&channel).copied(),
        }
    }

    /// Where nobody takes what is told, the oldest of it is lost.
    pub(in crate::pool) fn tell(&mut self, what: impl FnOnce() -> Remembered) {
        if let Some(untold) = &mut self.untold {
            if untold.len() >= UNTOLD {
                untold.pop_front();
            }
            untold.push_back(what());
        }
    }

    /// What another process goes on with: the players that viewers are, and those that may have switched off, with the time.
    pub(in crate::pool) fn parts(&self) -> ForesightParts {
        let players = self.players.all_seen().map(|(player, key)| (player.clone(), key));
        ForesightParts {
            players: players.collect(),
            leaving: self.leaving.iter().map(|(&key, &at)| (key, at)).collect(),
        }
    }

    /// Goes on with what another process had.
    pub(in crate::pool) fn go_on_with(&mut self, parts: ForesightParts) {
        for (player, key) in parts.players {
            self.players.seen(key, &player);
        }
        self.leaving.extend(parts.leaving);
    }

    /// All that is predicted from, for tests that compare it.
    #[cfg(test)]
    pub(in crate::pool) fn prediction_in_full(&self) -> String {
        format!("{:#?}", self.prediction)
    }
}
