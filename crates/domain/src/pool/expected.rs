//! Describes a viewer who may come to a channel that is warmed up, and who expects that.

use serde::{Deserialize, Serialize};

use crate::inputs::Member;
use crate::time::Timestamp;

/// A viewer who may come.
#[derive(Clone, Copy, Debug)]
pub(super) struct Expected {
    /// What keeps the channel's input open.
    pub(super) member: Member,
    /// Who expects the viewer.
    pub(super) by: Expecter,
    /// Since when.
    pub(super) since: Timestamp,
    /// Whether somebody has come, or the operator has asked for it, since it was started ahead.
    pub(super) is_met: bool,
}

/// Who expects a viewer at a channel that is warmed up.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Expecter {
    /// Whoever asks for it at `admin.listen`.
    Operator,
    /// The pool, by what it knows of viewers.
    Foresight,
}

impl Expected {
    /// Whether it would have been started ahead in vain if it ended now.
    pub(super) fn is_in_vain(&self) -> bool {
        self.by == Expecter::Foresight && !self.is_met
    }
}

impl Expecter {
    /// The one spelling of it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Operator => "operator",
            Self::Foresight => "foresight",
        }
    }
}
