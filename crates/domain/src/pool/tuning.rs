//! A viewer asks: which stream serves it, and is there room to start one?

use std::collections::BTreeSet;
use std::time::Duration;

use super::Pool;
use crate::consumer::{Consumer, straggles};
use crate::key::{Channel, ConsumerId, DeviceId, ItemId, StreamId, StreamKey};
use crate::pool::api::{Action, Admission, Tune, Warmth};
use crate::pool::legacy::Legacy;
use crate::pool::stream::Stream;
use crate::produce::Produce;
use crate::producer::{Producer, State};
use crate::reason::{CloseReason, LeaveReason, RefuseReason};
use crate::signal::Signal;
use crate::time::Timestamp;
use crate::viewer::{Account, Viewer};

impl Pool {
    pub(super) fn admit(&mut self, tune: Tune, now: Timestamp) -> Admission {
        if self.draining {
            return Admission::Refused(RefuseReason::Draining);
        }
        if self.logging_out.contains(&tune.viewer.account) {
            return Admission::Refused(RefuseReason::LoggingOut);
        }
        if self.sent_away.contains(&tune.viewer, now) {
            return Admission::Refused(RefuseReason::SentAway);
        }
        self.shared_devices.asks(&tune.viewer);
        if self.stays_bypassed(&tune.viewer, &tune.key.channel, now) {
            return Admission::Refused(RefuseReason::StaysPlain);
        }
        let wanted = self.find(&tune.key, tune.produce);
        let known = wanted.filter(|&stream| self.crowd.find(stream, &tune.viewer).is_some());
        if known.is_none()
            && let Some(reason) = tune.conditions.refusal(wanted.and_then(|id| self.age(id, now)))
        {
            return Admission::Refused(reason);
        }
        if known.is_none() {
            self.zapped(&tune, wanted, now);
        }
        let (stream, warmth) = match self.find(&tune.key, tune.produce) {
            Some(stream) if self.is_failing(stream) && !self.goes_on(stream, &tune.viewer) => {
                return Admission::Refused(RefuseReason::UpstreamFailing);
            }
            Some(stream) if known != Some(stream) && self.is_crowded(stream, tune.viewer.account) => {
                return Admission::Refused(RefuseReason::Crowded);
            }
            Some(stream) => (stream, self.warmth(stream, &tune.viewer)),
            None => match self.make_room() {
                Ok(()) => (self.start(&tune, now), Warmth::Cold),
                Err(reason) => return Admission::Refused(reason),
            },
        };
        let (fresh, player, viewer) = (tune.fresh, tune.player, tune.viewer.clone());
        let was_present = self.crowd.find(stream, &viewer).and_then(|id| self.crowd.get(id));
        let was_present = was_present.is_some_and(Consumer::is_present);
        let consumer = self.lease(stream, tune, now);
        *self.tally.tuned.entry(warmth.as_str()).or_default() += u64::from(consumer == fresh);
        if !was_present {
            self.has_come(player, &viewer, stream, now);
        }
        Admission::Serve { stream, consumer, warmth }
    }

    /// The first request of the same device, under the same token, for something else than `wanted`: proof that it left what it watched
    /// before. Only the first: two players on one device (browser tabs share theirs) must not end each other for ever, and
    /// once they are known to be two, they do not at all.
    fn zapped(&mut self, tune: &Tune, wanted: Option<StreamId>, now: Timestamp) {
        let Some(device) = &tune.viewer.device else { return };
        if self.shared_devices.contains(tune.viewer.account, device) {
            return;
        }
        let same_device = self.crowd.of_device(tune.viewer.account, Some(device));
        let elsewhere = same_device.filter(|(_, consumer)| Some(consumer.stream()) != wanted);
        let left: Vec<_> = elsewhere.map(|(id, _)| (id, LeaveReason::Zapped)).collect();
        self.leave(left, now);
    }

    /// A device opens another channel, and there is no tuner for it: it leaves what it plays now rather than after its tune,
    /// which cannot come without a tuner. Whoever turns out to be another player of the device makes it known as a shared one.
    pub(super) fn zapping(&mut self, account: Account, device: DeviceId, item: &ItemId, now: Timestamp) {
        if self.shared_devices.contains(account, &device) {
            return;
        }
        let plays_another = |consumer: &Consumer| {
            self.streams.get(&consumer.stream()).is_some_and(|stream| stream.key.channel.item != *item)
        };
        let theirs = self.crowd.of_device(account, Some(&device));
        let left: Vec<_> = theirs
            .filter(|(_, consumer)| consumer.is_present() && plays_another(consumer))
            .map(|(id, _)| (id, LeaveReason::Zapped))
            .collect();
        self.leave(left, now);
        for play_session in self.openings.zapping(account, &device, now) {
            // Its first request for a playlist may be under way.
            if self.crowd.of_play_session(&play_session).next().is_none() {
                let viewer =
                    Viewer { account, device: Some(device.clone()), play_session: Some(play_session) };
                self.shared_devices.displace(viewer, now + straggles(None));
            }
        }
        // What was pulled ahead for it takes a connection that the channel may need.
        let ahead = self.inputs.iter().filter(|(_, input)| input.is_pulled_ahead_for(account));
        for input in ahead.map(|(id, _)| id).collect::<Vec<_>>() {
            self.inputs.dismiss_prefetch(input, CloseReason::Superseded);
        }
    }

    /// Whether a viewer plays the server's own stream of a channel. If so, it goes on with that by asking for the channel.
    fn stays_bypassed(&mut self, viewer: &Viewer, channel: &Channel, now: Timestamp) -> bool {
        self.bypassed.renew(viewer, channel, now + self.limits.silence, now)
    }

    /// Whether a stream is under way that may serve `key` in the wished way.
    #[must_use]
    pub fn runs(&self, key: &StreamKey, produce: Produce) -> bool {
        self.find(key, produce).is_some()
    }

    /// The stream under way that may serve `key` in the wished way: the very same before one that merely meets it.
    fn find(&self, key: &StreamKey, produce: Produce) -> Option<StreamId> {
        let suits = |producer: &Producer| !producer.is_retiring() && producer.suits(produce);
        let running = || self.streams.iter().filter(|(_, stream)| suits(&stream.producer));
        running()
            .find(|(_, stream)| stream.key == *key)
            .or_else(|| running().find(|(_, stream)| stream.key.meets(key)))
            .map(|(&id, _)| id)
    }

    /// How old the newest segment of a stream is that goes on; `None` if it has none to offer.
    fn age(&self, id: StreamId, now: Timestamp) -> Option<Duration> {
        let stream = self.streams.get(&id).filter(|stream| stream.is_live())?;
        Some(now.since(stream.grew_at?))
    }

    /// Whether a stream of this channel has segments to offer.
    #[must_use]
    pub fn is_warm(&self, item: &ItemId) -> bool {
        self.streams.values().any(|stream| stream.is_live() && stream.key.channel.item == *item)
    }

    /// Whether a stream of this channel runs, or rests, in whatever profile, or the channel is warmed up.
    #[must_use]
    pub fn is_near(&self, item: &ItemId) -> bool {
        self.runs_item(item) || self.warmed_up(item).is_some()
    }

    /// Whether the server's own answer serves a newcomer better than this stream.
    fn is_failing(&self, stream: StreamId) -> bool {
        self.streams.get(&stream).is_some_and(|stream| match stream.producer.state() {
            State::BackingOff { .. } if stream.target.is_none() => true,
            State::Starting | State::BackingOff { .. } => stream.producer.refusals() >= self.limits.failures,
            State::Live | State::Resting | State::Retiring(_) => false,
        })
    }

    /// Whether a viewer has been given a list of this stream, with which it goes on whatever becomes of the stream.
    fn has_list(&self, stream: StreamId, viewer: &Viewer) -> bool {
        self.crowd.find(stream, viewer).is_some_and(|consumer| self.list_of(consumer).is_some())
    }

    /// Whether a viewer has a list of this stream, or of one of the channel that has ended under it.
    fn goes_on(&self, stream: StreamId, viewer: &Viewer) -> bool {
        let consumer = self.crowd.find(stream, viewer).and_then(|id| self.crowd.get(id));
        let channel = self.streams.get(&stream).map(|stream| &stream.key.channel);
        consumer.is_some_and(Consumer::goes_on)
            || self
                .streams
                .values()
                .any(|ended| Some(&ended.key.channel) == channel && ended.cut.contains(viewer))
    }

    /// A stream between two generations has segments only for the viewers that have been given a list.
    fn warmth(&self, stream: StreamId, viewer: &Viewer) -> Warmth {
        let has_segments = self.streams.get(&stream).is_some_and(|running| match running.producer.state() {
            State::Live => true,
            State::Starting | State::BackingOff { .. } => self.has_list(stream, viewer),
            State::Resting | State::Retiring(_) => false,
        });
        if has_segments { Warmth::Warm } else { Warmth::Warming }
    }

    fn make_room(&mut self) -> Result<(), RefuseReason> {
        if self.memory_used() > self.limits.memory && !self.free_memory() {
            return Err(RefuseReason::MemoryFull);
        }
        while self.running().len() >= self.limits.slots {
            if !self.free_slot() {
                return Err(RefuseReason::PoolFull);
            }
        }
        Ok(())
    }

    fn start(&mut self, tune: &Tune, now: Timestamp) -> StreamId {
        let id = StreamId(self.next_stream);
        self.next_stream += 1;
        let (key, produce) = (tune.key.clone(), tune.produce);
        let hindered = self.failed_attempts.meet(&key, tune.viewer.account, now);
        let stream = Stream {
            key,
            begun: now,
            producer: if hindered { Producer::after_failed_attempt(produce) } else { Producer::new(produce) },
            accounts: BTreeSet::new(),
            target: None,
            cut: BTreeSet::new(),
            grew_at: None,
            watched_at: now,
            legacy: Legacy::default(),
            is_doubted: false,
            is_pinned: false,
            written: 0,
            held: 0,
            encoded: false,
            pace: None,
            released: false,
            published: State::Starting,
        };
        let (generation, method) = (stream.producer.generation(), stream.producer.method());
        self.actions.push_back(Action::Start { stream: id, generation, method });
        self.streams.insert(id, stream);
        self.tally.starts += 1;
        id
    }

    fn lease(&mut self, stream: StreamId, tune: Tune, now: Timestamp) -> ConsumerId {
        let Tune { viewer, class, conditions, fresh, .. } = tune;
        let is_watched = self.crowd.is_watched(stream);
        let known = self.crowd.find(stream, &viewer);
        if let Some(stream) = self.streams.get_mut(&stream) {
            stream.accounts.insert(viewer.account);
            if known.is_none() {
                stream.legacy = if is_watched { stream.legacy } else { Legacy::default() };
                stream.legacy.add(&conditions);
            }
        }
        if let Some(known) = known {
            self.crowd.update(known, |consumer| consumer.waits(now));
            self.notice(known, Signal::Playlist, now);
            self.crowd.update(known, |consumer| consumer.vouch(now));
            return known;
        }
        let goes_on = self.goes_on(stream, &viewer);
        let consumer = Consumer::new(stream, viewer, class, &self.terms(stream, class, None), now);
        let consumer = if goes_on { consumer.from_another() } else { consumer };
        self.crowd.insert(fresh, consumer);
        self.wake(stream);
        fresh
    }
}
