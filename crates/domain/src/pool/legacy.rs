//! What the viewers of a stream want of it once they have left: for how long it is kept, and how important it is then.
//!
//! Whoever wants most decides. It does not know who is still there.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::clients::{Priority, TuneConditions};

/// The wishes of all who have watched a stream since it was last without viewers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Legacy {
    /// The longest time for which one of them wants it kept as it is.
    linger: Option<Duration>,
    /// Whether one of them leaves that to the configuration.
    is_usual: bool,
    priority: Option<Priority>,
}

/// For how long a stream without viewers is kept: encoding, and at all.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Keep {
    pub(super) encoding: Duration,
    pub(super) stream: Duration,
}

impl Legacy {
    /// A viewer joins.
    pub(super) fn add(&mut self, viewer: &TuneConditions) {
        match viewer.linger {
            Some(linger) => self.linger = self.linger.max(Some(linger)),
            None => self.is_usual = true,
        }
        self.priority = self.priority.max(Some(viewer.priority.unwrap_or_default()));
    }

    /// For how long the stream is kept, where the configuration says `usual`.
    pub(super) fn keep(&self, usual: Keep) -> Keep {
        match self.linger {
            None => usual,
            Some(linger) if self.is_usual => {
                Keep { encoding: usual.encoding.max(linger), stream: usual.stream.max(linger) }
            }
            Some(linger) => Keep { encoding: linger, stream: linger },
        }
    }

    /// Whether one of them wants it kept for a certain time.
    pub(super) const fn is_wished(&self) -> bool {
        self.linger.is_some()
    }

    /// How important the stream is.
    pub(super) fn priority(&self) -> Priority {
        self.priority.unwrap_or_default()
    }
}
