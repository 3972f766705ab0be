//! Holds the consumers of all streams, indexed by stream, by viewer, by playback and by deadline.
//!
//! A consumer changes only within [`Crowd::update`], which moves its entries in the indexes along, and its stream and its
//! viewer never change: so the indexes agree with the consumers by construction. Each lookup takes a number of steps that
//! grows with the logarithm of the crowd, or with the number of consumers that it finds. It does not know what a
//! consumer's presence leads to.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Bound;

use crate::consumer::Consumer;
use crate::key::{ConsumerId, DeviceId, PlaySessionId, StreamId};
use crate::multiset::Multiset;
use crate::time::Timestamp;
use crate::viewer::{Account, Viewer};

/// The first and the last of all ids, as the ends of a range.
const FIRST: ConsumerId = ConsumerId::from_bits(0);
const LAST: ConsumerId = ConsumerId::from_bits(u128::MAX);

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Crowd {
    consumers: BTreeMap<ConsumerId, Consumer>,
    audiences: BTreeMap<StreamId, Audience>,
    /// Sorted by account, then by device: the consumers of either stand side by side.
    viewers: BTreeMap<(Viewer, StreamId), ConsumerId>,
    play_sessions: BTreeSet<(PlaySessionId, ConsumerId)>,
    /// When something is to be made of a consumer's silence.
    deadlines: BTreeSet<(Timestamp, ConsumerId)>,
}

/// The consumers of one stream.
#[derive(Debug, Default, PartialEq, Eq)]
struct Audience {
    all: BTreeSet<ConsumerId>,
    /// How many are present, by account; accounts without a present consumer are left out.
    present: Multiset<Account>,
    /// The consumers that have left, the earliest first.
    left: BTreeSet<(Timestamp, ConsumerId)>,
}

impl Audience {
    fn add(&mut self, id: ConsumerId, account: Account, left_at: Option<Timestamp>) {
        match left_at {
            Some(at) => {
                self.left.insert((at, id));
            }
            None => self.present.add(account),
        }
    }

    fn take(&mut self, id: ConsumerId, account: Account, left_at: Option<Timestamp>) {
        match left_at {
            Some(at) => {
                self.left.remove(&(at, id));
            }
            None => {
                self.present.take(&account);
            }
        }
    }
}

impl Crowd {
    /// Adds a consumer. No consumer with this id may be there, nor one of the same stream and viewer.
    pub(super) fn insert(&mut self, id: ConsumerId, consumer: Consumer) {
        let (stream, viewer) = (consumer.stream(), consumer.viewer());
        let audience = self.audiences.entry(stream).or_default();
        audience.all.insert(id);
        audience.add(id, viewer.account, consumer.left_at());
        let same = self.viewers.insert((viewer.clone(), stream), id);
        debug_assert!(same.is_none(), "a viewer is one consumer of a stream");
        self.play_sessions.extend(viewer.play_session.clone().map(|play_session| (play_session, id)));
        self.move_deadline(id, None, consumer.deadline());
        self.consumers.insert(id, consumer);
    }

    /// The only way to change a consumer. Returns what `change` returns; `None` if there is no such consumer.
    pub(super) fn update<T>(&mut self, id: ConsumerId, change: impl FnOnce(&mut Consumer) -> T) -> Option<T> {
        let consumer = self.consumers.get_mut(&id)?;
        let (deadline, left_at) = (consumer.deadline(), consumer.left_at());
        let changed = change(consumer);
        let (new_deadline, new_left_at) = (consumer.deadline(), consumer.left_at());
        if new_left_at != left_at
            && let Some(audience) = self.audiences.get_mut(&consumer.stream())
        {
            let account = consumer.viewer().account;
            audience.take(id, account, left_at);
            audience.add(id, account, new_left_at);
        }
        self.move_deadline(id, deadline, new_deadline);
        Some(changed)
    }

    /// Removes a consumer, if it is there.
    pub(super) fn remove(&mut self, id: ConsumerId) {
        let Some(consumer) = self.consumers.remove(&id) else { return };
        let (stream, viewer) = (consumer.stream(), consumer.viewer());
        self.move_deadline(id, consumer.deadline(), None);
        self.viewers.remove(&(viewer.clone(), stream));
        if let Some(play_session) = viewer.play_session.clone() {
            self.play_sessions.remove(&(play_session, id));
        }
        if let Some(audience) = self.audiences.get_mut(&stream) {
            audience.all.remove(&id);
            audience.take(id, viewer.account, consumer.left_at());
            if audience.all.is_empty() {
                self.audiences.remove(&stream);
            }
        }
    }

    /// Removes all consumers of a stream.
    pub(super) fn remove_stream(&mut self, stream: StreamId) {
        let all = self.audiences.get(&stream).map(|audience| audience.all.clone());
        all.into_iter().flatten().for_each(|id| self.remove(id));
    }

    /// Removes the consumers that left a stream longest ago, until at most `remembered` are left of those.
    pub(super) fn forget_all_but(&mut self, remembered: usize, stream: StreamId) {
        while let Some(audience) = self.audiences.get(&stream)
            && audience.left.len() > remembered
            && let Some(&(_, id)) = audience.left.first()
        {
            self.remove(id);
        }
    }

    pub(super) fn get(&self, id: ConsumerId) -> Option<&Consumer> {
        self.consumers.get(&id)
    }

    /// The consumer that a viewer is on a stream.
    pub(super) fn find(&self, stream: StreamId, viewer: &Viewer) -> Option<ConsumerId> {
        self.viewers.get(&(viewer.clone(), stream)).copied()
    }

    /// The consumers of a stream whose ids come after this one, by id.
    pub(super) fn of_stream_after(
        &self,
        stream: StreamId,
        after: Option<ConsumerId>,
    ) -> impl Iterator<Item = (ConsumerId, &Consumer)> {
        let from = after.map_or(Bound::Unbounded, Bound::Excluded);
        let audience = self.audiences.get(&stream).into_iter();
        let ids = audience.flat_map(move |audience| audience.all.range((from, Bound::Unbounded)));
        ids.filter_map(|id| Some((*id, self.consumers.get(id)?)))
    }

    /// The consumers of a stream, by id.
    pub(super) fn of_stream(&self, stream: StreamId) -> impl Iterator<Item = (ConsumerId, &Consumer)> {
        self.of_stream_after(stream, None)
    }

    /// The consumers that a viewer is on any stream.
    pub(super) fn of_viewer(&self, viewer: &Viewer) -> impl Iterator<Item = (ConsumerId, &Consumer)> {
        let range = (viewer.clone(), StreamId(0))..=(viewer.clone(), StreamId(u64::MAX));
        self.viewers.range(range).filter_map(|(_, &id)| Some((id, self.consumers.get(&id)?)))
    }

    /// The consumers of an account on one device, or on any if `device` is `None`.
    pub(super) fn of_device(
        &self,
        account: Account,
        device: Option<&DeviceId>,
    ) -> impl Iterator<Item = (ConsumerId, &Consumer)> {
        let first = Viewer { account, device: device.cloned(), play_session: None };
        let is_theirs = move |viewer: &Viewer| {
            viewer.account == account && (device.is_none() || viewer.device.as_ref() == device)
        };
        let theirs = self.viewers.range((first, StreamId(0))..);
        let theirs = theirs.take_while(move |((viewer, _), _)| is_theirs(viewer));
        theirs.filter_map(|(_, &id)| Some((id, self.consumers.get(&id)?)))
    }

    /// The consumers that play under this name.
    pub(super) fn of_play_session(
        &self,
        play_session: &PlaySessionId,
    ) -> impl Iterator<Item = (ConsumerId, &Consumer)> {
        let range = (play_session.clone(), FIRST)..=(play_session.clone(), LAST);
        self.play_sessions.range(range).filter_map(|&(_, id)| Some((id, self.consumers.get(&id)?)))
    }

    /// Whether a stream has a present consumer.
    pub(super) fn is_watched(&self, stream: StreamId) -> bool {
        self.audiences.get(&stream).is_some_and(|audience| !audience.present.is_empty())
    }

    /// How many present consumers of a stream belong to an account.
    pub(super) fn present(&self, stream: StreamId, account: Account) -> usize {
        let audience = self.audiences.get(&stream);
        audience.map_or(0, |audience| audience.present.count(&account))
    }

    /// The consumers whose deadline is not later than `now`.
    pub(super) fn due(&self, now: Timestamp) -> Vec<ConsumerId> {
        self.deadlines.range(..=(now, LAST)).map(|&(_, id)| id).collect()
    }

    /// The earliest deadline of any consumer.
    pub(super) fn deadline(&self) -> Option<Timestamp> {
        self.deadlines.first().map(|&(deadline, _)| deadline)
    }

    fn move_deadline(&mut self, id: ConsumerId, from: Option<Timestamp>, to: Option<Timestamp>) {
        if from != to {
            if let Some(from) = from {
                self.deadlines.remove(&(from, id));
            }
            self.deadlines.extend(to.map(|to| (to, id)));
        }
    }
}

#[cfg(test)]
impl Crowd {
    pub(super) fn len(&self) -> usize {
        self.consumers.len()
    }

    /// Compares every index with what a scan of all consumers gives.
    pub(super) fn check(&self) {
        let mut scanned = Self::default();
        for (&id, consumer) in &self.consumers {
            scanned.insert(id, consumer.clone());
        }
        assert_eq!(self.audiences, scanned.audiences);
        assert_eq!(self.viewers, scanned.viewers);
        assert_eq!(self.play_sessions, scanned.play_sessions);
        assert_eq!(self.deadlines, scanned.deadlines);
        for (stream, audience) in &self.audiences {
            let theirs = || self.consumers.values().filter(|consumer| consumer.stream() == *stream);
            let present = theirs().filter(|consumer| consumer.is_present()).count();
            assert_eq!(audience.present.total(), present);
            assert_eq!(audience.left.len(), theirs().count() - present);
        }
    }
}
