//! What the operator decides by hand: a stream is stopped or pinned, a viewer is sent away.

use super::Pool;
use crate::key::{ConsumerId, StreamId};
use crate::reason::{LeaveReason, StopReason};
use crate::time::Timestamp;

impl Pool {
    /// Stops a stream, whoever watches it: they get another one when they next ask. Returns whether it ran.
    pub fn stop_stream(&mut self, id: StreamId) -> bool {
        let runs = self.streams.get(&id).is_some_and(|stream| !stream.producer.is_retiring());
        self.stop(id, StopReason::Operator);
        self.check_invariants();
        runs
    }

    /// Keeps a stream without viewers until its place is needed, or no longer than others. Returns whether it runs.
    pub fn pin(&mut self, id: StreamId, is_pinned: bool) -> bool {
        let stream =
            self.streams.get_mut(&id).filter(|stream| !self.is_frozen && !stream.producer.is_retiring());
        stream.map(|stream| stream.is_pinned = is_pinned).is_some()
    }

    /// Sends a viewer away, whose device is refused for a while. Returns whether it was there.
    pub fn send_away(&mut self, consumer: ConsumerId, now: Timestamp) -> bool {
        let Some(known) = self.crowd.get(consumer).filter(|known| known.is_present()) else { return false };
        self.sent_away.insert(known.viewer(), now);
        self.leave([(consumer, LeaveReason::SentAway)], now);
        self.check_invariants();
        true
    }
}
