//! The states of a viewer's presence; [`crate::consumer`] draws how one follows from another.

use std::collections::BTreeSet;
use std::time::Duration;

use crate::reason::{Evidence, LeaveReason};
use crate::time::Timestamp;

/// Where a viewer stands; see the module.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Presence {
    /// It has asked for a playlist, and for no segment yet.
    Joining,
    /// It asks for segments.
    Playing,
    /// It is there and needs nothing.
    Paused,
    /// It is a hidden tab, which asks once a minute.
    Thin,
    /// It is there and does not get on.
    Stalled,
    /// It has probably left.
    Suspect,
    /// Held to have left, and remembered in case that was wrong.
    Left {
        /// Since when.
        at: Timestamp,
        /// Why.
        reason: LeaveReason,
    },
}

/// What is held of a viewer, and what that rests on.
#[derive(Clone, Debug, PartialEq)]
pub struct Verdict {
    /// Where it stands.
    pub state: Presence,
    /// How probable it is that it has left, from 0 to 1.
    pub probability: f64,
    /// The evidence.
    pub because: BTreeSet<Evidence>,
}

/// What a sign of life said.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SignOfLife {
    /// How long it had been silent.
    pub silence: Duration,
    /// Why it had been believed gone, if it was.
    pub revived: Option<LeaveReason>,
}

/// The part of [`Presence`] that is decided. The rest is derived from the last requests and reports.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Standing {
    Present,
    Suspect,
    Left { at: Timestamp, reason: LeaveReason },
}

impl Standing {
    /// When and why it left; `None` if it is present.
    pub(super) const fn left(self) -> Option<(Timestamp, LeaveReason)> {
        match self {
            Self::Left { at, reason } => Some((at, reason)),
            Self::Present | Self::Suspect => None,
        }
    }
}

impl Presence {
    /// Whether it is held to be there, if only perhaps.
    #[must_use]
    pub const fn is_present(self) -> bool {
        match self {
            Self::Joining | Self::Playing | Self::Paused | Self::Thin | Self::Stalled | Self::Suspect => true,
            Self::Left { .. } => false,
        }
    }

    /// The one spelling of it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Joining => "joining",
            Self::Playing => "playing",
            Self::Paused => "paused",
            Self::Thin => "thin",
            Self::Stalled => "stalled",
            Self::Suspect => "suspect",
            Self::Left { .. } => "left",
        }
    }
}
