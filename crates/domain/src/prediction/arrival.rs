//! How a viewer came to the channel that it is on.

use crate::prediction::order::Direction;

/// How it came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Arrival {
    /// It switched on.
    First,
    /// By a step to a neighbour.
    Step(Direction),
    /// Any other way.
    Choice,
}

impl Arrival {
    /// The number of kinds.
    pub(super) const KINDS: usize = 3;

    /// The direction, of a step.
    pub(super) const fn direction(self) -> Option<Direction> {
        match self {
            Self::Step(direction) => Some(direction),
            Self::First | Self::Choice => None,
        }
    }

    /// A number for each kind, from 0.
    pub(super) const fn kind(self) -> usize {
        match self {
            Self::First => 0,
            Self::Step(_) => 1,
            Self::Choice => 2,
        }
    }
}
