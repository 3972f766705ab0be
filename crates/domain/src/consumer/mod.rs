//! One viewer of one stream: what its requests and reports imply about its being there.
//!
//! ```text
//!            segment
//!  Joining ───────────► Playing ◄──────────────► Paused    said so, or playlists without segments for 30 s
//!     │                    ▲    ◄──────────────► Thin      once a minute, as hidden tabs ask
//!     │                    │    ◄──────────────► Stalled   the same segment again, a dry buffer
//!     │                    │                       │
//!     │              heard │                       │ silence (.90) · goodbye
//!     │                    │                       ▼
//!     │                    ├─────────────────── Suspect
//!     │ silence            │                       │ silence (.99) · no word after a goodbye
//!     ▼                    │ heard                 ▼
//!    Left ◄────────────────┴─────────────────── Left        also from anywhere: zapped, quits, logged out
//! ```
//!
//! It has one deadline, to suspect and then to left. A request moves it and counts nothing; requests still being answered
//! are presence. It does not know which streams exist, nor what hangs on its presence.

mod heard;
mod links;
mod plan;
mod presence;
mod terms;
mod view;

use std::collections::BTreeSet;
use std::time::Duration;

use crate::cadence::{Class, Outlook, Rhythm};
use crate::consumer::links::Links;
use crate::key::StreamId;
use crate::reason::{Evidence, LeaveReason};
use crate::signal::Signal;
use crate::time::Timestamp;
use crate::viewer::Viewer;

pub use crate::consumer::presence::{Heard, Presence, Verdict};
pub use crate::consumer::terms::Terms;

/// For how long a token grants segments after its consumer last showed its credential: longer than any player goes
/// without a playlist while it plays, short enough that a revoked credential is worth little.
const VOUCHED_FOR: Duration = Duration::from_secs(120);
/// For how long a request that does not end is presence: a peer that lost its power never closes.
const ANSWERING: Duration = Duration::from_secs(120);

/// A consumer and what is known of it.
#[derive(Clone, Debug)]
pub struct Consumer {
    /// What it watches.
    pub stream: StreamId,
    /// Who it is: the same viewer asking for the same stream again is the same consumer.
    pub viewer: Viewer,
    /// Where its list begins; `None` until it has been given one.
    pub start: Option<u64>,
    presence: Presence,
    class: Class,
    rhythm: Rhythm,
    /// The last sign of life.
    seen: Timestamp,
    /// The last request for a playlist or a segment.
    asked: Timestamp,
    /// The newest segment it asked for: its number, when first, when last.
    segment: Option<(u64, Timestamp, Timestamp)>,
    stalled: bool,
    /// Since when it says it pauses, and how often it said so since.
    pause: Option<(Timestamp, u32)>,
    polls_in_pause: bool,
    reports: bool,
    /// Requests being answered, and since when the last of them.
    open: (u32, Timestamp),
    links: Links,
    /// When its goodbye counts.
    farewell: Option<Timestamp>,
    /// What was learned since the last sign of life.
    clues: BTreeSet<Evidence>,
    /// What the two spans below were computed from.
    outlook: Option<Outlook>,
    crossings: (Duration, Duration),
    suspect_after: Duration,
    left_after: Duration,
    /// When it last showed its credential.
    vouched_at: Timestamp,
}

impl Consumer {
    /// A consumer that has just asked for its first playlist.
    #[must_use]
    pub fn new(stream: StreamId, viewer: Viewer, class: Class, terms: &Terms, now: Timestamp) -> Self {
        let mut consumer = Self {
            stream,
            viewer,
            start: None,
            presence: Presence::Joining,
            class,
            rhythm: Rhythm::default(),
            seen: now,
            asked: now,
            segment: None,
            stalled: false,
            pause: None,
            polls_in_pause: false,
            reports: false,
            open: (0, now),
            links: Links::default(),
            farewell: None,
            clues: BTreeSet::new(),
            outlook: None,
            crossings: (Duration::ZERO, Duration::ZERO),
            suspect_after: Duration::ZERO,
            left_after: Duration::ZERO,
            vouched_at: now,
        };
        consumer.plan(terms);
        consumer
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

    /// Something was heard of it; what that said, if it was a sign of life. To leave for good is for the caller to
    /// make of [`Signal::Quits`].
    pub fn notice(&mut self, signal: Signal, terms: &Terms, now: Timestamp) -> Option<Heard> {
        let heard = match signal {
            Signal::Playlist => self.asks(now),
            Signal::Segment(sequence) => {
                self.fetches(sequence, now);
                self.asks(now)
            }
            Signal::Report { paused } => {
                self.reports = true;
                paused.into_iter().for_each(|paused| self.pauses(paused, now));
                self.talks(now)
            }
            Signal::Ping => self.talks(now),
            Signal::Pauses(paused) => {
                self.pauses(paused, now);
                None
            }
            Signal::Starved => {
                self.stalled = true;
                None
            }
            Signal::Buffered(length) => {
                self.rhythm.buffered(length);
                None
            }
            Signal::Stopped => self.says_goodbye(Evidence::Stopped, terms, now),
            Signal::EncodingsDeleted => self.says_goodbye(Evidence::EncodingsDeleted, terms, now),
            Signal::LiveStreamClosed => self.says_goodbye(Evidence::LiveStreamClosed, terms, now),
            Signal::SocketClosed => self.hints(Evidence::SocketClosed),
            Signal::ConnectionOpened => {
                self.links.opened();
                self.has_returned();
                None
            }
            Signal::ConnectionKept => {
                self.links.kept();
                None
            }
            Signal::ConnectionClosed { by_peer } => self.hangs_up(by_peer, now),
            Signal::Quits => self.hints(Evidence::Quits),
        };
        match self.presence {
            Presence::Suspect | Presence::Left { .. } => {}
            Presence::Joining | Presence::Playing | Presence::Paused | Presence::Thin | Presence::Stalled => {
                self.presence = self.attentive(now);
            }
        }
        self.plan(terms);
        heard
    }

    /// A request of its begins to be answered.
    pub const fn opened(&mut self, now: Timestamp) {
        self.open = (self.open.0 + 1, now);
    }

    /// … and ended, `whole` or given up.
    pub fn closed(&mut self, whole: bool, terms: &Terms, now: Timestamp) {
        self.open.0 = self.open.0.saturating_sub(1);
        if self.presence.is_present() && self.open.0 == 0 {
            self.seen = self.seen.max(now);
            if !whole {
                self.clues.insert(Evidence::Aborted);
            }
            self.plan(terms);
        }
    }

    /// Time has passed; why it has left, if it has.
    pub fn time_passed(&mut self, now: Timestamp) -> Option<LeaveReason> {
        if !self.presence.is_present() {
            return None;
        }
        if self.farewell.is_some_and(|at| at <= now) {
            return Some(LeaveReason::Goodbye);
        }
        if self.open.0 > 0 && now.since(self.open.1) < ANSWERING {
            self.seen = now;
            return None;
        }
        if self.left_at_latest() <= now {
            return Some(LeaveReason::Silence);
        }
        if self.seen + self.suspect_after <= now {
            self.presence = Presence::Suspect;
        }
        None
    }

    /// It is held to have left. Says whether that is news.
    pub fn leave(&mut self, reason: LeaveReason, now: Timestamp) -> bool {
        let was_present = self.presence.is_present();
        if was_present {
            self.presence = Presence::Left { at: now, reason };
            self.farewell = None;
        }
        was_present
    }

    /// When something is to be made of its silence; `None` if it has left.
    #[must_use]
    pub fn deadline(&self) -> Option<Timestamp> {
        match self.presence {
            Presence::Left { .. } => None,
            Presence::Suspect => Some(self.left_at_latest()),
            Presence::Joining | Presence::Playing | Presence::Paused | Presence::Thin | Presence::Stalled => {
                let suspect_at = self.seen + self.suspect_after;
                Some(self.left_at_latest().min(suspect_at))
            }
        }
    }

    fn left_at_latest(&self) -> Timestamp {
        let silent = self.seen + self.left_after;
        self.farewell.map_or(silent, |farewell| farewell.min(silent))
    }
}

#[cfg(test)]
mod tests;
