//! A viewer asks: which stream serves it, and is there room to start one?

use std::collections::BTreeSet;

use crate::domain::consumer::{Consumer, Viewer};
use crate::domain::key::{ConsumerId, StreamKey};
use crate::domain::pool::{Action, Admission, Pool, Stream, StreamId, Tune, Warmth};
use crate::domain::producer::{Producer, State};
use crate::domain::reason::{LeaveReason, RefuseReason, StopReason};
use crate::domain::time::Timestamp;

impl Pool {
    pub(super) fn admit(&mut self, tune: Tune, now: Timestamp) -> Admission {
        if self.draining {
            return Admission::Refused(RefuseReason::Draining);
        }
        self.zapped(&tune, now);
        let (stream, warmth) = match self.find(&tune.key) {
            Some(stream) if self.is_failing(stream) => {
                return Admission::Refused(RefuseReason::UpstreamFailing);
            }
            Some(stream) => (stream, self.warmth(stream)),
            None => match self.make_room() {
                Ok(()) => (self.start(tune.key, now), Warmth::Cold),
                Err(reason) => return Admission::Refused(reason),
            },
        };
        let consumer = self.lease(stream, tune.viewer, tune.fresh, now);
        *self.tally.tuned.entry(warmth.as_str()).or_default() += u64::from(consumer == tune.fresh);
        Admission::Serve { stream, consumer, warmth }
    }

    /// The same device on another channel: proof that it left the one before.
    fn zapped(&mut self, tune: &Tune, now: Timestamp) {
        let Some(device) = &tune.viewer.device else { return };
        let left: Vec<_> = self
            .consumers
            .iter()
            .filter(|(_, consumer)| consumer.is_present() && consumer.viewer.device.as_ref() == Some(device))
            .filter(|(_, consumer)| {
                self.streams
                    .get(&consumer.stream)
                    .is_some_and(|stream| stream.key.channel != tune.key.channel)
            })
            .map(|(&id, _)| id)
            .collect();
        for consumer in left {
            self.leave(consumer, LeaveReason::Zapped, now);
        }
    }

    /// The stream under way that may serve `key`: the very same before one that merely meets it.
    fn find(&self, key: &StreamKey) -> Option<StreamId> {
        let running = || self.streams.iter().filter(|(_, stream)| !stream.producer.is_retiring());
        running()
            .find(|(_, stream)| stream.key == *key)
            .or_else(|| {
                running().find(|(_, stream)| {
                    stream.key.channel == key.channel && stream.key.profile.meets(&key.profile)
                })
            })
            .map(|(&id, _)| id)
    }

    /// Whether the server's own answer serves a viewer better than this stream.
    fn is_failing(&self, stream: StreamId) -> bool {
        self.streams.get(&stream).is_some_and(|stream| match stream.producer.state() {
            State::BackingOff { .. } if stream.target.is_none() => true,
            State::Starting | State::BackingOff { .. } => stream.producer.refusals() >= self.limits.refusals,
            State::Live | State::Retiring(_) => false,
        })
    }

    fn warmth(&self, stream: StreamId) -> Warmth {
        let has_segments = self.streams.get(&stream).is_some_and(|stream| stream.target.is_some());
        if has_segments { Warmth::Warm } else { Warmth::Warming }
    }

    fn make_room(&mut self) -> Result<(), RefuseReason> {
        if self.running().len() < self.limits.slots || self.free_slot(StopReason::Evicted) {
            Ok(())
        } else {
            Err(RefuseReason::PoolFull)
        }
    }

    fn start(&mut self, key: StreamKey, now: Timestamp) -> StreamId {
        let id = StreamId(self.next_stream);
        self.next_stream += 1;
        let stream = Stream {
            key,
            producer: Producer::default(),
            accounts: BTreeSet::new(),
            target: None,
            watched_at: now,
            written: 0,
            held: 0,
        };
        self.actions.push_back(Action::Start { stream: id, generation: stream.producer.generation() });
        self.streams.insert(id, stream);
        self.tally.starts += 1;
        id
    }

    fn lease(&mut self, stream: StreamId, viewer: Viewer, fresh: ConsumerId, now: Timestamp) -> ConsumerId {
        if let Some(stream) = self.streams.get_mut(&stream) {
            stream.accounts.insert(viewer.account);
        }
        let known = self
            .consumers
            .iter()
            .find(|(_, consumer)| consumer.stream == stream && consumer.viewer == viewer)
            .map(|(&id, _)| id);
        if let Some(known) = known {
            self.heard(known, now);
            return known;
        }
        let consumer = Consumer::new(stream, viewer, self.patience(stream), now);
        self.consumers.insert(fresh, consumer);
        fresh
    }
}
