//! One viewer of one stream: present until its silence has lasted too long, and present again the moment it asks.
//!
//! ```text
//!            heard                 silence · goodbye · zapped · logged out
//!   ┌─────► Present ────────────────────────────────────────────► Left
//!   │       (until)                                                 │
//!   └─────────────────────────── heard ─────────────────────────────┘
//! ```
//!
//! A request refreshes the one deadline, it never counts anything: so nothing can leak and nothing can lock up.
//! It does not know which streams exist.

use std::time::Duration;

use crate::domain::key::{DeviceId, PlaySessionId};
use crate::domain::pool::StreamId;
use crate::domain::reason::LeaveReason;
use crate::domain::time::Timestamp;

/// For how long a token grants segments after its consumer last showed its credential: longer than any player goes
/// without a playlist while it plays, short enough that a revoked credential is worth little.
const VOUCHED_FOR: Duration = Duration::from_secs(120);

/// Whether a consumer is there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Presence {
    /// Heard of, and to be heard of again until `until`; `farewell` once it has said goodbye.
    Present {
        /// When silence will have meant that it left.
        until: Timestamp,
        /// It said goodbye: only another request keeps it.
        farewell: bool,
    },
    /// Held to have left, and remembered in case that was wrong.
    Left {
        /// Since when.
        at: Timestamp,
        /// Why.
        reason: LeaveReason,
    },
}

/// A consumer and what identifies it.
#[derive(Clone, Debug)]
pub struct Consumer {
    /// What it watches.
    pub stream: StreamId,
    /// Who it is: the same viewer asking for the same stream again is the same consumer.
    pub viewer: Viewer,
    /// Where its list begins; `None` until it has been given one.
    pub start: Option<u64>,
    /// Whether it is there.
    pub presence: Presence,
    /// When it last showed its credential.
    vouched_at: Timestamp,
}

/// What tells viewers apart.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Viewer {
    /// The token it came with, in a form that reveals nothing.
    pub account: Account,
    /// Its device, as it calls itself.
    pub device: Option<DeviceId>,
    /// Jellyfin's name for this playback.
    pub play_session: Option<PlaySessionId>,
}

/// A fingerprint of a client's token.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Account(pub u64);

impl Consumer {
    /// A consumer that has just asked.
    #[must_use]
    pub fn new(stream: StreamId, viewer: Viewer, patience: Duration, now: Timestamp) -> Self {
        let presence = Presence::Present { until: now + patience, farewell: false };
        Self { stream, viewer, start: None, presence, vouched_at: now }
    }

    /// It showed its credential.
    pub const fn vouch(&mut self, now: Timestamp) {
        self.vouched_at = now;
    }

    /// Whether its token still grants segments.
    #[must_use]
    pub fn is_vouched_for(&self, now: Timestamp) -> bool {
        now.since(self.vouched_at) <= VOUCHED_FOR
    }

    /// Whether it is held to be there.
    #[must_use]
    pub const fn is_present(&self) -> bool {
        matches!(self.presence, Presence::Present { .. })
    }

    /// It asked for something. Says whether it had been believed gone.
    pub fn heard(&mut self, patience: Duration, now: Timestamp) -> bool {
        let revived = !self.is_present();
        self.presence = Presence::Present { until: now + patience, farewell: false };
        revived
    }

    /// It said goodbye: what comes within `grace` takes that back.
    pub fn said_goodbye(&mut self, grace: Duration, now: Timestamp) {
        match self.presence {
            Presence::Present { until, .. } => {
                self.presence = Presence::Present { until: until.min(now + grace), farewell: true };
            }
            Presence::Left { .. } => {}
        }
    }

    /// It is held to have left. Says whether that is news.
    pub fn leave(&mut self, reason: LeaveReason, now: Timestamp) -> bool {
        let was_present = self.is_present();
        if was_present {
            self.presence = Presence::Left { at: now, reason };
        }
        was_present
    }

    /// When its silence will have lasted too long; `None` if it has left.
    #[must_use]
    pub const fn deadline(&self) -> Option<Timestamp> {
        match self.presence {
            Presence::Present { until, .. } => Some(until),
            Presence::Left { .. } => None,
        }
    }

    /// When it left, if it has.
    #[must_use]
    pub const fn left_at(&self) -> Option<Timestamp> {
        match self.presence {
            Presence::Left { at, .. } => Some(at),
            Presence::Present { .. } => None,
        }
    }

    /// What its silence means if it lasts until the deadline.
    #[must_use]
    pub const fn silence_means(&self) -> LeaveReason {
        match self.presence {
            Presence::Present { farewell: true, .. } => LeaveReason::Goodbye,
            Presence::Present { farewell: false, .. } | Presence::Left { .. } => LeaveReason::Silence,
        }
    }
}
