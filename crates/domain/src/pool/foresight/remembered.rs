//! What a pool has learned of viewers and channels, as it is kept beyond the pool's life: one pool tells it, another one begins with it.
//!
//! It does not know where it is kept.

use std::time::Duration;

use crate::key::{ItemId, StreamKey};
use crate::prediction::Switch;
use crate::time::Timestamp;
use crate::viewer::PlayerKey;

/// One thing that is remembered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Remembered {
    /// The channels have this order, in which players step through them.
    Order(Vec<ItemId>),
    /// A player has come to a channel, and left the one that it was on.
    Came {
        /// The player.
        player: PlayerKey,
        /// The channel.
        item: ItemId,
        /// How it came there.
        how: Switch,
        /// When.
        at: Timestamp,
    },
    /// A player has switched off.
    Left {
        /// The player.
        player: PlayerKey,
        /// When.
        at: Timestamp,
    },
    /// What is known of a channel has changed.
    Channel(ItemId, KnownChannel),
    /// The gateway could not make this stream, and does not try until then.
    Attempt(StreamKey, Timestamp),
}

/// What is known of a channel.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct KnownChannel {
    /// How long the server took to open it when it was not open, and when that was.
    pub opened: Option<(Duration, Timestamp)>,
    /// How long viewers wait for it when it is not warm, on average.
    pub wait: Option<Duration>,
    /// How often it could not be started ahead in a row, and until when it is not tried.
    pub failures: Option<(u32, Timestamp)>,
}

impl Remembered {
    /// The same on another clock, to which `moved` translates.
    #[must_use]
    pub fn on_clock(self, moved: impl Fn(Timestamp) -> Timestamp) -> Self {
        match self {
            Self::Order(items) => Self::Order(items),
            Self::Came { player, item, how, at } => Self::Came { player, item, how, at: moved(at) },
            Self::Left { player, at } => Self::Left { player, at: moved(at) },
            Self::Channel(item, KnownChannel { opened, wait, failures }) => {
                let opened = opened.map(|(took, at)| (took, moved(at)));
                let failures = failures.map(|(count, until)| (count, moved(until)));
                Self::Channel(item, KnownChannel { opened, wait, failures })
            }
            Self::Attempt(key, until) => Self::Attempt(key, moved(until)),
        }
    }
}
