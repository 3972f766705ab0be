//! Who is there: what keeps a consumer, what ends its lease, and whom to remember.

use std::collections::BTreeSet;
use std::time::Duration;

use super::Pool;
use crate::cadence::laws::Rates;
use crate::cadence::{Class, Habits};
use crate::consumer::{Consumer, Heard, Terms};
use crate::key::{Channel, ConsumerId, DeviceId, StreamId};
use crate::openings::ClientOpening;
use crate::pool::seam::Action;
use crate::reason::{LeaveReason, StopReason};
use crate::signal::{Signal, Whose};
use crate::time::Timestamp;
use crate::viewer::{Account, Viewer};

/// How many gone consumers a stream remembers: enough for a household, little enough to forget strangers.
const REMEMBERED: usize = 64;
/// How many present consumers an account may have of one stream: more than any household, fewer than a fault in a client
/// can make.
const CROWD: usize = 256;
/// For so many target durations a device that has tuned away may still ask for what it had begun (zapping 4.1).
const STRAGGLES: u32 = 2;
/// How many devices are remembered to be several players; to forget one is to believe its next tune.
const SEVERAL: usize = 1024;

impl Pool {
    /// It is there; the stream it watches.
    pub(super) fn refresh(&mut self, id: ConsumerId, signal: Signal, now: Timestamp) -> Option<StreamId> {
        self.told_at = now;
        let known = self.consumers.get(&id)?;
        let (stream, class) = (known.stream, known.class());
        let terms = self.terms(stream, class);
        let consumer = self.consumers.get_mut(&id)?;
        let asks = !matches!(signal, Signal::ConnectionOpened | Signal::ConnectionClosed { .. });
        if asks && consumer.is_straggling(terms.target.unwrap_or_default() * STRAGGLES, now) {
            return Some(stream);
        }
        if let Some(heard) = consumer.notice(signal, &terms, now) {
            self.learn(id, signal, heard, terms.target);
        }
        self.wake(stream);
        Some(stream)
    }

    /// What a viewer's return teaches about its class, and about its device.
    fn learn(&mut self, id: ConsumerId, signal: Signal, heard: Heard, target: Option<Duration>) {
        let Some(consumer) = self.consumers.get(&id) else { return };
        let Some(habits) = self.habits.get_mut(&consumer.class()) else { return };
        match heard.revived {
            None => {}
            Some(LeaveReason::Silence | LeaveReason::Goodbye) => habits.had_not_left(),
            Some(LeaveReason::Zapped) => {
                // Without a name for the playback, to ask for the channel again may as well be to tune back to it.
                let goes_on = matches!(signal, Signal::Segment(_)) || consumer.viewer.play_session.is_some();
                if let Some(device) = consumer.viewer.device.clone().filter(|_| goes_on) {
                    if self.several.len() >= SEVERAL {
                        self.several.clear();
                    }
                    self.several.insert((consumer.viewer.account, device));
                }
            }
            Some(LeaveReason::PassedOn | LeaveReason::LoggedOut) => {}
        }
        if heard.revived.is_some() {
            self.tally.revived += 1;
        }
        if let Some(target) = target {
            habits.returned(heard.silence, consumer.rhythm(), target);
        }
    }

    /// What a viewer of this stream is judged by.
    pub(super) fn terms(&self, stream: StreamId, class: Class) -> Terms {
        Terms {
            target: self.streams.get(&stream).and_then(|stream| stream.target),
            cold_timeout: self.limits.cold_timeout,
            silence: self.limits.silence,
            patience: self.limits.patience,
            farewell: self.limits.farewell,
            rates: self.habits.get(&class).map_or(Rates::assumed(class), Habits::rates),
        }
    }

    /// Something was heard of a viewer, or perhaps of several.
    pub(super) fn signal(&mut self, whose: &Whose, signal: Signal, now: Timestamp) {
        let of_device = |viewer: &Viewer, account: Account, device: &Option<DeviceId>| {
            viewer.account == account && (device.is_none() || viewer.device == *device)
        };
        let is_meant = |id: ConsumerId, consumer: &Consumer| match whose {
            Whose::Consumer(meant) => *meant == id,
            Whose::PlaySession(play_session) => consumer.viewer.play_session.as_ref() == Some(play_session),
            Whose::Device(account, device) => of_device(&consumer.viewer, *account, device),
            Whose::Source(account, device, source) => {
                let stream = self.streams.get(&consumer.stream);
                consumer.is_present()
                    && of_device(&consumer.viewer, *account, device)
                    && stream.is_some_and(|stream| stream.key.channel.source == *source)
            }
        };
        let meant = self.consumers.iter().filter(|&(&id, consumer)| is_meant(id, consumer));
        let meant: Vec<_> = meant.map(|(&id, _)| id).collect();
        match whose {
            Whose::Source(..) if meant.len() > 1 => return,
            Whose::Source(..) | Whose::Consumer(_) | Whose::PlaySession(_) | Whose::Device(..) => {}
        }
        for &id in &meant {
            self.refresh(id, signal, now);
        }
        if signal == Signal::Quits {
            self.leave(meant.into_iter().map(|id| (id, LeaveReason::Goodbye)).collect(), now);
        }
    }

    /// It plays the server's own stream: what it reports of that is no word about ours.
    pub(super) fn passed_on(&mut self, viewer: Viewer, channel: Channel, now: Timestamp) {
        let of_channel =
            |stream| self.streams.get(&stream).is_some_and(|stream| stream.key.channel == channel);
        let theirs = self.consumers.iter().filter(|(_, consumer)| {
            consumer.viewer == viewer && consumer.is_present() && of_channel(consumer.stream)
        });
        let left = theirs.map(|(&id, _)| (id, LeaveReason::PassedOn)).collect();
        self.leave(left, now);
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

    pub(super) fn logging_out(&mut self, account: Account, now: Timestamp) {
        self.logging_out.insert(account);
        if !self.limits.own_credential {
            self.openings.logging_out(account, now);
        }
        let theirs = self.consumers.iter().filter(|(_, consumer)| consumer.viewer.account == account);
        let gone: Vec<_> = theirs.map(|(&id, _)| (id, LeaveReason::LoggedOut)).collect();
        self.leave(gone, now);
        self.consumers.retain(|_, consumer| consumer.viewer.account != account);
        self.several.retain(|(known, _)| *known != account);
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
                match (reason, self.habits.get_mut(&consumer.class())) {
                    (LeaveReason::Silence | LeaveReason::Goodbye, Some(habits)) => habits.left(),
                    (LeaveReason::Zapped | LeaveReason::PassedOn | LeaveReason::LoggedOut, _) | (_, None) => {
                    }
                }
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

    /// Has those openings given back that nothing has followed, or whose viewer has left.
    pub(super) fn give_back(&mut self, now: Timestamp) {
        let watches = |consumer: &Consumer, opening: &ClientOpening| {
            let (viewer, stream) = (&consumer.viewer, self.streams.get(&consumer.stream));
            let source = opening.live_stream.media_source();
            let same_source =
                source.is_some() && stream.map(|stream| &stream.key.channel.source) == source.as_ref();
            let same_play = opening.play_session.is_some() && viewer.play_session == opening.play_session;
            consumer.is_present() && (same_play || (same_source && Some(viewer.account) == opening.account))
        };
        let is_watched =
            |opening: &ClientOpening| self.consumers.values().any(|consumer| watches(consumer, opening));
        for (opening, reason) in self.openings.take_due(now, is_watched) {
            self.actions.push_back(Action::GiveBack { opening, reason });
            *self.tally.returned.entry(reason).or_default() += 1;
        }
    }

    pub(super) fn is_watched(&self, stream: StreamId) -> bool {
        self.consumers.values().any(|consumer| consumer.stream == stream && consumer.is_present())
    }
}
