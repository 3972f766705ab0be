//! A viewer seen from outside: where it stands, how sure that is, and why.

use std::time::Duration;

use super::Consumer;
use crate::cadence::laws::GOODBYE;
use crate::cadence::{Class, Rhythm};
use crate::consumer::presence::{Presence, Verdict};
use crate::reason::{Evidence, LeaveReason};
use crate::time::Timestamp;

impl Consumer {
    /// Where it stands.
    #[must_use]
    pub const fn presence(&self) -> Presence {
        self.presence
    }

    /// Whether it is held to be there, if only perhaps.
    #[must_use]
    pub const fn is_present(&self) -> bool {
        self.presence.is_present()
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

    /// When it was last heard of.
    #[must_use]
    pub const fn seen(&self) -> Timestamp {
        self.seen
    }

    /// When it left, if it has.
    #[must_use]
    pub fn left_at(&self) -> Option<Timestamp> {
        self.presence.left().map(|(at, _)| at)
    }

    /// Whether what it asks for so soon after its device has tuned away is only the rest of what it had been doing.
    #[must_use]
    pub fn is_straggling(&self, grace: Duration, now: Timestamp) -> bool {
        let zapped = self.presence.left().filter(|(_, reason)| *reason == LeaveReason::Zapped);
        let is_recent = |(at, _)| now.since(at) <= grace && !grace.is_zero();
        self.viewer.play_session.is_some() && zapped.is_some_and(is_recent)
    }

    /// What is held of it at `now`.
    #[must_use]
    pub fn verdict(&self, now: Timestamp) -> Verdict {
        let absent = |at: Timestamp| self.outlook.map_or(0.0, |outlook| outlook.absence(at.since(self.seen)));
        let probability = match self.presence {
            Presence::Left { at, reason: LeaveReason::Silence } => absent(at),
            Presence::Left {
                reason: LeaveReason::Zapped | LeaveReason::PassedOn | LeaveReason::LoggedOut,
                ..
            } => 1.0,
            Presence::Left { reason: LeaveReason::Goodbye, .. } => GOODBYE,
            Presence::Suspect if self.farewell.is_some() => absent(now).max(GOODBYE),
            Presence::Suspect
            | Presence::Joining
            | Presence::Playing
            | Presence::Paused
            | Presence::Thin
            | Presence::Stalled => absent(now),
        };
        let mut because = self.clues.clone();
        because.extend(self.grounds());
        if self.open.0 > 0 && self.presence.is_present() {
            because.insert(Evidence::OpenRequest);
        }
        Verdict { state: self.presence, probability, because }
    }

    fn grounds(&self) -> Option<Evidence> {
        match self.presence {
            Presence::Joining => Some(Evidence::Asked),
            Presence::Playing => Some(Evidence::Fetches),
            Presence::Paused if self.pause.is_some() => Some(Evidence::SaysPaused),
            Presence::Paused => Some(Evidence::PlaylistsOnly),
            Presence::Thin => Some(Evidence::OnceAMinute),
            Presence::Stalled => {
                let again = self.segment.is_some_and(|(_, first, last)| first != last);
                Some(if again { Evidence::SameSegment } else { Evidence::SaysStarved })
            }
            Presence::Suspect => self.farewell.is_none().then_some(Evidence::Silence),
            Presence::Left { reason: LeaveReason::Silence, .. } => Some(Evidence::Silence),
            Presence::Left { reason: LeaveReason::Zapped, .. } => Some(Evidence::TunedAway),
            Presence::Left { reason: LeaveReason::LoggedOut, .. } => Some(Evidence::LoggedOut),
            Presence::Left { reason: LeaveReason::PassedOn, .. } => Some(Evidence::PassedOn),
            // The word itself is among what was heard.
            Presence::Left { reason: LeaveReason::Goodbye, .. } => None,
        }
    }
}
