//! Judges from requests and reports whether one viewer of one stream is still there.
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
//! A consumer has one deadline at a time: to become suspect, then to have left. Each request moves the deadline. A request
//! whose answer is still being sent counts as presence. A consumer does not know which streams exist, nor what its presence
//! leads to. The rules are those of docs/presence.md.

mod connections;
pub mod parts;
mod plan;
mod presence;
mod signals;
mod terms;
mod view;

use std::collections::BTreeSet;
use std::time::Duration;

use crate::cadence::{Class, Outlook, Rhythm};
use crate::consumer::connections::Connections;
use crate::consumer::presence::Standing;
use crate::key::StreamId;
use crate::reason::{Evidence, LeaveReason};
use crate::signal::Signal;
use crate::time::Timestamp;
use crate::viewer::Viewer;
use crate::window::JoinPoint;

pub use crate::consumer::presence::{Presence, SignOfLife, Verdict};
pub use crate::consumer::terms::{Terms, straggles};

/// For how long a token grants segments after its consumer last showed its credential: longer than any player goes
/// without a playlist while it plays, short enough that a revoked credential is worth little.
const VOUCHED_FOR: Duration = Duration::from_secs(120);
/// For how long an answer that does not end counts as presence: a player that lost its power never closes its connection.
const ANSWERING: Duration = Duration::from_secs(120);

/// A request that comes this soon after one that its player has ended repeats it; hls.js pauses for no longer than eight seconds.
const REPEATS: Duration = Duration::from_secs(8);

/// A viewer's lease on one stream, and all that is known of its presence.
#[derive(Clone, Debug)]
pub struct Consumer {
    stream: StreamId,
    viewer: Viewer,
    tuned_at: Timestamp,
    /// The number of the segment at which its list begins; `None` until it has been given a list.
    list: Option<JoinPoint>,
    /// Whether it was given the list of a stream that ended under it, and goes on from there with this one.
    comes_from_another: bool,
    standing: Standing,
    class: Class,
    rhythm: Rhythm,
    /// The last sign of life.
    seen: Timestamp,
    /// The last request for a playlist or a segment.
    asked: Timestamp,
    /// The newest segment that it requested: its number, the first request, the last request.
    segment: Option<(u64, Timestamp, Timestamp)>,
    stalled: bool,
    /// Since when it says that it pauses, and how often it has repeated that.
    pause: Option<(Timestamp, u32)>,
    polls_in_pause: bool,
    reports: bool,
    /// How many of its requests are being answered, and when the last of these answers began.
    answering: (u32, Timestamp),
    connections: Connections,
    /// When its goodbye takes effect.
    goodbye: Option<Timestamp>,
    /// The evidence since the last sign of life.
    clues: BTreeSet<Evidence>,
    /// The outlook from which `crossings` was computed.
    outlook: Option<Outlook>,
    crossings: (Duration, Duration),
    suspect_after: Duration,
    left_after: Duration,
    /// When it last showed its credential.
    vouched_at: Timestamp,
    /// Since when it has requested a list, and not been given one.
    waits_since: Option<Timestamp>,
}

impl Consumer {
    /// A viewer that has just requested its first playlist.
    #[must_use]
    pub fn new(stream: StreamId, viewer: Viewer, class: Class, terms: &Terms, now: Timestamp) -> Self {
        let mut consumer = Self {
            stream,
            viewer,
            tuned_at: now,
            list: None,
            comes_from_another: false,
            standing: Standing::Present,
            class,
            rhythm: Rhythm::default(),
            seen: now,
            asked: now,
            segment: None,
            stalled: false,
            pause: None,
            polls_in_pause: false,
            reports: false,
            answering: (0, now),
            connections: Connections::default(),
            goodbye: None,
            clues: BTreeSet::new(),
            outlook: None,
            crossings: (Duration::ZERO, Duration::ZERO),
            suspect_after: Duration::ZERO,
            left_after: Duration::ZERO,
            vouched_at: now,
            waits_since: Some(now),
        };
        consumer.plan(terms);
        consumer
    }

    /// It is given a list, which begins at `start` unless an earlier list has settled that. Returns where the list begins.
    pub fn join(&mut self, start: Option<JoinPoint>) -> Option<JoinPoint> {
        self.list = self.list.or(start);
        if self.list.is_some() {
            self.waits_since = None;
        }
        self.list
    }

    /// It requests a list, and waits for it since then; or since an earlier request that it has ended after a time-out, to send this
    /// one at once.
    pub fn waits(&mut self, now: Timestamp) {
        let repeats = self.answering.0 > 0 || now.since(self.seen) <= REPEATS;
        self.waits_since = self.waits_since.filter(|_| repeats).or(Some(now));
    }

    /// Since when it waits for a list.
    #[must_use]
    pub const fn waits_since(&self) -> Option<Timestamp> {
        self.waits_since
    }

    /// The list that it has been given.
    #[must_use]
    pub const fn list(&self) -> Option<JoinPoint> {
        self.list
    }

    /// It was given the list of a stream that ended under it, and goes on from there with this one.
    #[must_use]
    pub fn from_another(self) -> Self {
        Self { comes_from_another: true, ..self }
    }

    /// Whether it goes on from a list that it was given, of this stream or of one before.
    #[must_use]
    pub const fn goes_on(&self) -> bool {
        self.list.is_some() || self.comes_from_another
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

    /// Takes note of a signal. Returns `Some` if it was a sign of life. [`Signal::Quits`] is only evidence here: the caller is to
    /// mark the consumer as having left.
    pub fn notice(&mut self, signal: Signal, terms: &Terms, now: Timestamp) -> Option<SignOfLife> {
        let sign = match signal {
            Signal::Playlist => {
                self.list = self.list_kept(now);
                self.asks(now)
            }
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
                self.connections.opened();
                self.has_returned();
                None
            }
            Signal::ConnectionKept => {
                self.connections.kept();
                None
            }
            Signal::ConnectionClosed { by_peer } => self.hangs_up(by_peer, now),
            Signal::Quits => self.hints(Evidence::Quits),
        };
        self.plan(terms);
        sign
    }

    /// The answer to one of its requests begins.
    pub const fn answer_begun(&mut self, now: Timestamp) {
        self.answering = (self.answering.0 + 1, now);
    }

    /// The answer to one of its requests has ended: sent as a `whole`, or given up by the player.
    pub fn answer_ended(&mut self, whole: bool, terms: &Terms, now: Timestamp) {
        self.answering.0 = self.answering.0.saturating_sub(1);
        if self.is_present() && self.answering.0 == 0 {
            self.seen = self.seen.max(now);
            if !whole {
                self.clues.insert(Evidence::Aborted);
            }
            self.plan(terms);
        }
    }

    /// Time has passed. Returns the reason if it is to be marked as having left.
    pub fn time_passed(&mut self, now: Timestamp) -> Option<LeaveReason> {
        if !self.is_present() {
            return None;
        }
        if self.goodbye.is_some_and(|at| at <= now) {
            return Some(LeaveReason::Goodbye);
        }
        if self.answering.0 > 0 && now.since(self.answering.1) < ANSWERING {
            self.seen = now;
            return None;
        }
        if self.left_at_latest() <= now {
            return Some(LeaveReason::Silence);
        }
        if self.seen + self.suspect_after <= now {
            self.standing = Standing::Suspect;
        }
        None
    }

    /// Marks it as having left. Returns whether it was present before.
    pub fn leave(&mut self, reason: LeaveReason, now: Timestamp) -> bool {
        let was_present = self.is_present();
        if was_present {
            self.standing = Standing::Left { at: now, reason };
            self.goodbye = None;
        }
        was_present
    }

    /// When `time_passed` is due; `None` if it has left.
    #[must_use]
    pub fn deadline(&self) -> Option<Timestamp> {
        match self.standing {
            Standing::Left { .. } => None,
            Standing::Suspect => Some(self.left_at_latest()),
            Standing::Present => Some(self.left_at_latest().min(self.seen + self.suspect_after)),
        }
    }

    fn left_at_latest(&self) -> Timestamp {
        let silent = self.seen + self.left_after;
        self.goodbye.map_or(silent, |goodbye| goodbye.min(silent))
    }
}

#[cfg(test)]
mod tests;
