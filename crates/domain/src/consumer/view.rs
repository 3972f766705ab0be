//! Shows a consumer: its presence, how sure that is, and the evidence for it.

use std::time::Duration;

use super::Consumer;
use crate::cadence::laws::GOODBYE;
use crate::cadence::{Class, Rhythm};
use crate::consumer::presence::{Presence, Standing, Verdict};
use crate::key::StreamId;
use crate::reason::{Evidence, LeaveReason};
use crate::time::Timestamp;
use crate::viewer::Viewer;
use crate::window::JoinPoint;

/// A player that requests only playlists for this long pauses with a full buffer: hls.js buffers 30 s (docs/presence.md 4).
const PLAYLISTS_ONLY: Duration = Duration::from_secs(30);
/// For how long a consumer that left may come back to its list.
const LIST_KEPT: Duration = Duration::from_secs(120);

impl Consumer {
    /// The stream that it watches.
    #[must_use]
    pub const fn stream(&self) -> StreamId {
        self.stream
    }

    /// The viewer. The same viewer on the same stream is the same consumer.
    #[must_use]
    pub const fn viewer(&self) -> &Viewer {
        &self.viewer
    }

    /// Its presence, as of the last request or report.
    #[must_use]
    pub fn presence(&self) -> Presence {
        match self.standing {
            Standing::Suspect => Presence::Suspect,
            Standing::Left { at, reason } => Presence::Left { at, reason },
            Standing::Present => self.attention(),
        }
    }

    /// How a present consumer attends to its stream.
    fn attention(&self) -> Presence {
        let Some((_, _, fetched)) = self.segment else { return Presence::Joining };
        if self.pause.is_some() {
            Presence::Paused
        } else if self.rhythm.is_thin() {
            Presence::Thin
        } else if self.asked.since(fetched) > PLAYLISTS_ONLY {
            Presence::Paused
        } else if self.stalled {
            Presence::Stalled
        } else {
            Presence::Playing
        }
    }

    /// Whether it is present, if only as a suspect.
    #[must_use]
    pub const fn is_present(&self) -> bool {
        self.standing.left().is_none()
    }

    /// When it tuned.
    #[must_use]
    pub const fn tuned_at(&self) -> Timestamp {
        self.tuned_at
    }

    /// How its player behaves.
    #[must_use]
    pub const fn class(&self) -> Class {
        self.class
    }

    /// How often it asks.
    #[must_use]
    pub const fn rhythm(&self) -> &Rhythm {
        &self.rhythm
    }

    /// When it gave its last sign of life.
    #[must_use]
    pub const fn seen(&self) -> Timestamp {
        self.seen
    }

    /// When it left, if it has.
    #[must_use]
    pub fn left_at(&self) -> Option<Timestamp> {
        self.standing.left().map(|(at, _)| at)
    }

    /// The list that it has been given and may still go on with: a while after it left as well, unless it comes back without a play
    /// session. Then it may as well tune in anew, for which an old list would be wrong.
    #[must_use]
    pub fn list_kept(&self, now: Timestamp) -> Option<JoinPoint> {
        let is_kept = match self.standing.left() {
            None => true,
            Some((at, LeaveReason::Silence)) => now.since(at) <= LIST_KEPT,
            Some((at, LeaveReason::Zapped | LeaveReason::Goodbye)) => {
                self.viewer.play_session.is_some() && now.since(at) <= LIST_KEPT
            }
            Some((_, LeaveReason::PassedOn | LeaveReason::LoggedOut | LeaveReason::SentAway)) => false,
        };
        self.list.filter(|_| is_kept)
    }

    /// Whether its device has tuned away less than `grace` ago, so that its requests are those that were already under way.
    #[must_use]
    pub fn is_straggling(&self, grace: Duration, now: Timestamp) -> bool {
        let zapped = self.standing.left().filter(|(_, reason)| *reason == LeaveReason::Zapped);
        let is_recent = |(at, _)| now.since(at) <= grace && !grace.is_zero();
        self.viewer.play_session.is_some() && zapped.is_some_and(is_recent)
    }

    /// Its presence at `now`, with probability and evidence.
    #[must_use]
    pub fn verdict(&self, now: Timestamp) -> Verdict {
        let absent = |at: Timestamp| self.outlook.map_or(0.0, |outlook| outlook.absence(at.since(self.seen)));
        let state = self.presence();
        let probability = match state {
            Presence::Left { at, reason: LeaveReason::Silence } => absent(at),
            Presence::Left {
                reason:
                    LeaveReason::Zapped | LeaveReason::PassedOn | LeaveReason::LoggedOut | LeaveReason::SentAway,
                ..
            } => 1.0,
            Presence::Left { reason: LeaveReason::Goodbye, .. } => GOODBYE,
            Presence::Suspect if self.goodbye.is_some() => absent(now).max(GOODBYE),
            Presence::Suspect
            | Presence::Joining
            | Presence::Playing
            | Presence::Paused
            | Presence::Thin
            | Presence::Stalled => absent(now),
        };
        let mut because = self.clues.clone();
        because.extend(self.grounds(state));
        if self.answering.0 > 0 && self.is_present() {
            because.insert(Evidence::OpenRequest);
        }
        Verdict { state, probability, because }
    }

    fn grounds(&self, state: Presence) -> Option<Evidence> {
        match state {
            Presence::Joining => Some(Evidence::Asked),
            Presence::Playing => Some(Evidence::Fetches),
            Presence::Paused if self.pause.is_some() => Some(Evidence::SaysPaused),
            Presence::Paused => Some(Evidence::PlaylistsOnly),
            Presence::Thin => Some(Evidence::OnceAMinute),
            Presence::Stalled => {
                let again = self.segment.is_some_and(|(_, first, last)| first != last);
                Some(if again { Evidence::SameSegment } else { Evidence::SaysStarved })
            }
            Presence::Suspect => self.goodbye.is_none().then_some(Evidence::Silence),
            Presence::Left { reason: LeaveReason::Silence, .. } => Some(Evidence::Silence),
            Presence::Left { reason: LeaveReason::Zapped, .. } => Some(Evidence::TunedAway),
            Presence::Left { reason: LeaveReason::LoggedOut, .. } => Some(Evidence::LoggedOut),
            Presence::Left { reason: LeaveReason::PassedOn, .. } => Some(Evidence::PassedOn),
            Presence::Left { reason: LeaveReason::SentAway, .. } => Some(Evidence::SentAway),
            // The goodbye itself is among the clues.
            Presence::Left { reason: LeaveReason::Goodbye, .. } => None,
        }
    }
}
