//! What each signal changes in what is known of a consumer. It does not judge.

use std::time::Duration;

use super::Consumer;
use crate::cadence::Class;
use crate::consumer::presence::{SignOfLife, Standing};
use crate::consumer::terms::Terms;
use crate::reason::{Evidence, LeaveReason};
use crate::time::Timestamp;

/// A player that pauses and still asks after this is no pull player; one that does not ask is (docs/presence.md 1).
const PAUSE_TELLS: Duration = Duration::from_secs(20);
/// A segment that is requested again this much later is not fetched in parts, nor looked up in a cache.
const AGAIN: Duration = Duration::from_secs(2);

impl Consumer {
    /// It makes a request with its token.
    pub(super) fn asks(&mut self, now: Timestamp) -> Option<SignOfLife> {
        if self.pause.is_some_and(|(since, _)| now.since(since) > PAUSE_TELLS) {
            self.polls_in_pause = true;
            self.class = if self.class == Class::Pull { Class::Web } else { self.class };
        }
        self.asked = now;
        self.goodbye = None;
        Some(self.alive(now))
    }

    /// It reports that it is there. That takes no goodbye back, and revives only a consumer that left by its silence.
    pub(super) fn talks(&mut self, now: Timestamp) -> Option<SignOfLife> {
        let gone = match self.standing.left() {
            Some((_, reason)) => reason != LeaveReason::Silence,
            None => self.goodbye.is_some(),
        };
        (!gone).then(|| self.alive(now))
    }

    pub(super) fn alive(&mut self, now: Timestamp) -> SignOfLife {
        let revived = self.standing.left().map(|(_, reason)| reason);
        let silence = now.since(self.seen);
        self.rhythm.learn(silence);
        self.seen = now;
        self.has_returned();
        self.clues.clear();
        self.standing = Standing::Present;
        SignOfLife { silence, revived }
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

    pub(super) fn says_goodbye(
        &mut self,
        how: Evidence,
        terms: &Terms,
        now: Timestamp,
    ) -> Option<SignOfLife> {
        if self.is_present() {
            let at = now + terms.goodbye;
            self.goodbye = Some(self.goodbye.map_or(at, |earlier| earlier.min(at)));
            self.standing = Standing::Suspect;
            self.clues.insert(how);
        }
        None
    }

    /// It is there although all of its connections were closed.
    pub(super) fn has_returned(&mut self) {
        if self.clues.remove(&Evidence::ConnectionClosed) {
            self.connections.returned();
        }
    }

    /// One of its connections ended. That tells nothing of a player that has given up a request: it may have no other way to do
    /// so than to close the connection.
    pub(super) fn hangs_up(&mut self, by_peer: bool, now: Timestamp) -> Option<SignOfLife> {
        let all = self.connections.closed(now);
        let gave_up = self.answering.0 > 0 || self.clues.contains(&Evidence::Aborted);
        if all && by_peer && !gave_up { self.hints(Evidence::ConnectionClosed) } else { None }
    }

    pub(super) fn hints(&mut self, clue: Evidence) -> Option<SignOfLife> {
        if self.is_present() {
            self.clues.insert(clue);
        }
        None
    }
}
