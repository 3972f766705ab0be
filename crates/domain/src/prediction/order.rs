//! The order of the channels, in which the keys for the next and the previous channel step.

use std::collections::BTreeMap;

use crate::prediction::key::ChannelKey;

/// A line-up in its order, which is a ring. Unknown while it is empty.
#[derive(Clone, Debug, Default)]
pub struct ChannelOrder {
    channels: Vec<ChannelKey>,
    places: BTreeMap<ChannelKey, usize>,
}

/// The direction of a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// To the next channel.
    Up,
    /// To the one before.
    Down,
}

impl Direction {
    /// The other one.
    #[must_use]
    pub const fn reversed(self) -> Self {
        match self {
            Self::Up => Self::Down,
            Self::Down => Self::Up,
        }
    }
}

impl ChannelOrder {
    /// The channels in this order. Of a channel that is named twice, the last place counts.
    #[must_use]
    pub fn new(channels: Vec<ChannelKey>) -> Self {
        let places = channels.iter().enumerate().map(|(place, &channel)| (channel, place)).collect();
        Self { channels, places }
    }

    /// The number of channels.
    pub(super) fn len(&self) -> usize {
        self.channels.len()
    }

    /// The channel that lies so many steps ahead; `None` if the channel has no place, or is met again on the way.
    #[must_use]
    pub fn ahead(&self, from: ChannelKey, direction: Direction, steps: usize) -> Option<ChannelKey> {
        let (&place, count) = (self.places.get(&from)?, self.channels.len());
        if steps >= count {
            return None;
        }
        let step = match direction {
            Direction::Up => steps,
            Direction::Down => count - steps,
        };
        self.channels.get((place + step) % count).copied()
    }

    /// The direction in which `to` is the next channel.
    #[must_use]
    pub fn direction(&self, from: ChannelKey, to: ChannelKey) -> Option<Direction> {
        let leads = |direction: &Direction| self.ahead(from, *direction, 1) == Some(to);
        [Direction::Up, Direction::Down].into_iter().find(leads)
    }
}
