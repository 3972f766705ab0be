//! What each thing heard of a viewer changes in what is known of it. It does not judge.

use std::time::Duration;

use super::Consumer;
use crate::cadence::Class;
use crate::consumer::presence::{Heard, Presence};
use crate::consumer::terms::Terms;
use crate::reason::{Evidence, LeaveReason};
use crate::time::Timestamp;

/// Who asks for playlists alone for so long pauses with a full buffer (zapping 4.1; hls.js buffers 30 s).
const PLAYLISTS_ONLY: Duration = Duration::from_secs(30);
/// Who pauses and still asks after this is not driven by a reader; who does not, is (zapping 4.1).
const PAUSE_TELLS: Duration = Duration::from_secs(20);
/// A segment asked for again this much later is not fetched in parts, nor looked up in a cache.
const AGAIN: Duration = Duration::from_secs(2);

impl Consumer {
    /// A request with its token.
    pub(super) fn asks(&mut self, now: Timestamp) -> Option<Heard> {
        if self.pause.is_some_and(|(since, _)| now.since(since) > PAUSE_TELLS) {
            self.polls_in_pause = true;
            self.class = if self.class == Class::Pull { Class::Web } else { self.class };
        }
        self.asked = now;
        self.farewell = None;
        Some(self.alive(now))
    }

    /// A word of its about itself. It takes no goodbye back, and calls nobody back who left for a reason.
    pub(super) fn talks(&mut self, now: Timestamp) -> Option<Heard> {
        let gone = match self.presence.left() {
            Some((_, reason)) => reason != LeaveReason::Silence,
            None => self.farewell.is_some(),
        };
        (!gone).then(|| self.alive(now))
    }

    pub(super) fn alive(&mut self, now: Timestamp) -> Heard {
        let revived = self.presence.left().map(|(_, reason)| reason);
        let silence = now.since(self.seen);
        self.rhythm.learn(silence);
        self.seen = now;
        self.has_returned();
        self.clues.clear();
        self.presence = self.attentive(now);
        Heard { silence, revived }
    }

    pub(super) fn attentive(&self, now: Timestamp) -> Presence {
        let Some((_, _, fetched)) = self.segment else { return Presence::Joining };
        if self.pause.is_some() {
            Presence::Paused
        } else if self.rhythm.is_thin() {
            Presence::Thin
        } else if now.since(fetched) > PLAYLISTS_ONLY {
            Presence::Paused
        } else if self.stalled {
            Presence::Stalled
        } else {
            Presence::Playing
        }
    }

    pub(super) fn fetches(&mut self, sequence: u64, now: Timestamp) {
        self.segment = match self.segment {
            Some((known, first, _)) if known == sequence => {
                self.stalled |= now.since(first) > AGAIN;
                Some((known, first, now))
            }
            Some(_) | None => {
                self.stalled = false;
                Some((sequence, now, now))
            }
        };
    }

    pub(super) fn pauses(&mut self, paused: bool, now: Timestamp) {
        self.pause = match (paused, self.pause) {
            (false, _) => None,
            (true, None) => Some((now, 0)),
            (true, Some((since, told))) => Some((since, told + 1)),
        };
        if let Some((since, _)) = self.pause
            && !self.polls_in_pause
            && now.since(since) > PAUSE_TELLS
            && now.since(self.asked) > PAUSE_TELLS
        {
            self.class = Class::Pull;
        }
    }

    pub(super) fn says_goodbye(&mut self, how: Evidence, terms: &Terms, now: Timestamp) -> Option<Heard> {
        if self.presence.is_present() {
            let at = now + terms.farewell;
            self.farewell = Some(self.farewell.map_or(at, |earlier| earlier.min(at)));
            self.presence = Presence::Suspect;
            self.clues.insert(how);
        }
        None
    }

    /// It is there, whatever it did with its connections.
    pub(super) fn has_returned(&mut self) {
        if self.clues.remove(&Evidence::ConnectionClosed) {
            self.links.returned();
        }
    }

    /// One of its connections ended. Who gives up a request may have no other way than to close its connection.
    pub(super) fn hangs_up(&mut self, by_peer: bool, now: Timestamp) -> Option<Heard> {
        let all = self.links.closed(now);
        let gave_up = self.open.0 > 0 || self.clues.contains(&Evidence::Aborted);
        if all && by_peer && !gave_up { self.hints(Evidence::ConnectionClosed) } else { None }
    }

    pub(super) fn hints(&mut self, clue: Evidence) -> Option<Heard> {
        if self.presence.is_present() {
            self.clues.insert(clue);
        }
        None
    }
}
