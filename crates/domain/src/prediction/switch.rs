//! How a viewer came to a channel, as people call it.

use crate::prediction::order::Direction;

/// A way to come to a channel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Switch {
    /// The viewer switched on.
    On,
    /// By a step to the next channel.
    Up,
    /// By a step to the channel before in the order.
    Down,
    /// Back to the channel that it was on before this one.
    Back,
    /// Any other way, as from a list.
    Choice,
}

impl Switch {
    /// All of them.
    pub const ALL: [Self; 5] = [Self::On, Self::Up, Self::Down, Self::Back, Self::Choice];

    /// The one spelling of it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::On => "on",
            Self::Up => "up",
            Self::Down => "down",
            Self::Back => "back",
            Self::Choice => "choice",
        }
    }

    pub(super) const fn step(direction: Direction) -> Self {
        match direction {
            Direction::Up => Self::Up,
            Direction::Down => Self::Down,
        }
    }
}
