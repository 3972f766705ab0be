//! Who is there: what keeps a consumer, what ends its lease, and whom to remember.

use std::collections::BTreeSet;
use std::time::Duration;

use crate::domain::consumer::{Account, Viewer};
use crate::domain::key::{Channel, ConsumerId, PlaySessionId};
use crate::domain::pool::{Pool, StreamId};
use crate::domain::reason::{LeaveReason, StopReason};
use crate::domain::time::Timestamp;

/// How many gone consumers a stream remembers: enough for a household, little enough to forget strangers.
const REMEMBERED: usize = 64;
/// How many present consumers an account may have of one stream: more than any household, fewer than a fault in a client
/// can make.
const CROWD: usize = 256;
/// A consumer is silent for this many target durations before silence means anything (its player may buffer that far).
const SILENT_TARGETS: u32 = 4;

impl Pool {
    /// It is there; the stream it watches.
    pub(super) fn refresh(&mut self, consumer: ConsumerId, now: Timestamp) -> Option<StreamId> {
        let stream = self.consumers.get(&consumer)?.stream;
        let patience = self.patience(stream);
        if self.consumers.get_mut(&consumer)?.heard(patience, now) {
            self.tally.revived += 1;
        }
        Some(stream)
    }

    pub(super) fn passed_on(&mut self, viewer: Viewer, channel: Channel, now: Timestamp) {
        if self.plain.len() < CROWD {
            self.plain.insert((viewer, channel), now + self.limits.silence);
        }
    }

    /// Whether a viewer plays the server's own stream of a channel; to ask for it is to go on with it.
    pub(super) fn stays_plain(&mut self, viewer: &Viewer, channel: &Channel, now: Timestamp) -> bool {
        let until = self.plain.get_mut(&(viewer.clone(), channel.clone()));
        until.filter(|until| **until > now).map(|until| *until = now + self.limits.silence).is_some()
    }

    pub(super) fn is_crowded(&self, stream: StreamId, account: Account) -> bool {
        let theirs = self.consumers.values().filter(|consumer| {
            consumer.stream == stream && consumer.viewer.account == account && consumer.is_present()
        });
        theirs.count() >= CROWD
    }

    pub(super) fn goodbye(&mut self, play_session: &PlaySessionId, now: Timestamp) {
        let farewell = self.limits.farewell;
        self.consumers
            .values_mut()
            .filter(|consumer| consumer.viewer.play_session.as_ref() == Some(play_session))
            .for_each(|consumer| consumer.said_goodbye(farewell, now));
    }

    pub(super) fn logging_out(&mut self, account: Account, now: Timestamp) {
        self.logging_out.insert(account);
        let theirs = self.consumers.iter().filter(|(_, consumer)| consumer.viewer.account == account);
        let gone: Vec<_> = theirs.map(|(&id, _)| (id, LeaveReason::LoggedOut)).collect();
        self.leave(gone, now);
        self.consumers.retain(|_, consumer| consumer.viewer.account != account);
        for id in self.running() {
            let Some(stream) = self.streams.get_mut(&id) else { continue };
            if stream.accounts.remove(&account) && stream.accounts.is_empty() && !self.limits.own_credential {
                self.stop(id, StopReason::LoggedOut);
            }
        }
    }

    pub(super) fn leave(&mut self, leaving: Vec<(ConsumerId, LeaveReason)>, now: Timestamp) {
        let mut left = BTreeSet::new();
        for (consumer, reason) in leaving {
            let Some(consumer) = self.consumers.get_mut(&consumer) else { continue };
            if consumer.leave(reason, now) {
                left.insert(consumer.stream);
                *self.tally.left.entry(reason).or_default() += 1;
            }
        }
        for &id in &left {
            if let Some(stream) = self.streams.get_mut(&id) {
                stream.watched_at = now;
            }
            self.forget_all_but(REMEMBERED, id);
        }
        if !left.is_empty() {
            self.bound_disk();
        }
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
        let target = self.streams.get(&stream).and_then(|stream| stream.target);
        // Before the first segment it is waiting, with a request open, and says nothing.
        self.limits.silence.max(target.map_or(self.limits.cold_timeout, |target| target * SILENT_TARGETS))
    }

    pub(super) fn is_watched(&self, stream: StreamId) -> bool {
        self.consumers.values().any(|consumer| consumer.stream == stream && consumer.is_present())
    }
}
