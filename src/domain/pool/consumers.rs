//! Who is there: what keeps a consumer, what ends its lease, and whom to remember.

use std::time::Duration;

use crate::domain::consumer::Account;
use crate::domain::key::{ConsumerId, PlaySessionId};
use crate::domain::pool::{Pool, StreamId};
use crate::domain::reason::{LeaveReason, StopReason};
use crate::domain::time::Timestamp;

/// How many gone consumers a stream remembers: enough for a household, little enough to forget strangers.
const REMEMBERED: usize = 64;
/// A consumer is silent for this many target durations before silence means anything (its player may buffer that far).
const SILENT_TARGETS: u32 = 4;

impl Pool {
    pub(super) fn heard(&mut self, consumer: ConsumerId, now: Timestamp) {
        let Some(stream) = self.stream_of(consumer) else { return };
        let patience = self.patience(stream);
        if self.consumers.get_mut(&consumer).is_some_and(|consumer| consumer.heard(patience, now)) {
            self.tally.revived += 1;
        }
    }

    pub(super) fn goodbye(&mut self, play_session: &PlaySessionId, now: Timestamp) {
        let farewell = self.limits.farewell;
        self.consumers
            .values_mut()
            .filter(|consumer| consumer.viewer.play_session.as_ref() == Some(play_session))
            .for_each(|consumer| consumer.said_goodbye(farewell, now));
    }

    pub(super) fn logged_out(&mut self, account: Account, now: Timestamp) {
        let gone: Vec<_> = self
            .consumers
            .iter()
            .filter(|(_, consumer)| consumer.viewer.account == account)
            .map(|(&id, _)| id)
            .collect();
        for consumer in gone {
            self.leave(consumer, LeaveReason::LoggedOut, now);
            self.consumers.remove(&consumer);
        }
        for id in self.running() {
            let Some(stream) = self.streams.get_mut(&id) else { continue };
            if stream.accounts.remove(&account) && stream.accounts.is_empty() && !self.limits.own_credential {
                self.stop(id, StopReason::LoggedOut);
            }
        }
    }

    pub(super) fn leave(&mut self, consumer: ConsumerId, reason: LeaveReason, now: Timestamp) {
        let Some(consumer) = self.consumers.get_mut(&consumer) else { return };
        if !consumer.leave(reason, now) {
            return;
        }
        let stream = consumer.stream;
        *self.tally.left.entry(reason).or_default() += 1;
        if let Some(stream) = self.streams.get_mut(&stream) {
            stream.watched_at = now;
        }
        self.forget_all_but(REMEMBERED, stream);
        self.bound_disk();
    }

    /// Forgets the consumers of a stream that left longest ago.
    pub(super) fn forget_all_but(&mut self, remembered: usize, stream: StreamId) {
        let mut gone: Vec<_> = self
            .consumers
            .iter()
            .filter(|(_, consumer)| consumer.stream == stream)
            .filter_map(|(&id, consumer)| Some((consumer.left_at()?, id)))
            .collect();
        gone.sort_unstable();
        for (_, consumer) in gone.iter().rev().skip(remembered) {
            self.consumers.remove(consumer);
        }
    }

    pub(super) fn patience(&self, stream: StreamId) -> Duration {
        let target = self.streams.get(&stream).and_then(|stream| stream.target).unwrap_or_default();
        self.limits.silence.max(target * SILENT_TARGETS)
    }

    pub(super) fn is_watched(&self, stream: StreamId) -> bool {
        self.consumers.values().any(|consumer| consumer.stream == stream && consumer.is_present())
    }
}
