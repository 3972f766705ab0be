//! What a consumer's signals, departure and logout change in the pool.

use std::collections::BTreeSet;
use std::time::Duration;

use super::Pool;
use crate::cadence::laws::Rates;
use crate::cadence::{Class, Habits};
use crate::consumer::{Consumer, SignOfLife, Terms};
use crate::key::{Channel, ConsumerId, PlaySessionId, StreamId};
use crate::openings::Due;
use crate::pool::api::Action;
use crate::pool::watching::is_watched_by;
use crate::reason::{LeaveReason, StopReason};
use crate::signal::{Signal, Whose};
use crate::time::Timestamp;
use crate::viewer::{Account, Viewer};
use crate::window::{JoinPoint, Listing};

/// How many consumers that have left a stream remembers: enough for a household, too few for strangers to fill memory.
const REMEMBERED: usize = 64;
/// How many present consumers an account may have on one stream: more than any household has, fewer than a faulty client
/// can make.
const CROWDED: usize = 256;

impl Pool {
    /// Tells a consumer of a signal. Returns the stream that the consumer watches; `None` if the consumer is unknown.
    pub(super) fn notice(&mut self, id: ConsumerId, signal: Signal, now: Timestamp) -> Option<StreamId> {
        let consumer = self.crowd.get(id)?;
        let stream = consumer.stream();
        let terms = self.terms(stream, consumer.class(), consumer.list());
        let asks = !matches!(signal, Signal::ConnectionOpened | Signal::ConnectionClosed { .. });
        if asks && consumer.is_straggling(terms.straggles(), now) {
            return Some(stream);
        }
        let sign = self.crowd.update(id, |consumer| consumer.notice(signal, &terms, now));
        if let Some(sign) = sign.flatten() {
            self.learn(id, signal, sign, terms.target);
        }
        self.wake(stream);
        Some(stream)
    }

    /// Learns from a sign of life: the habits of the viewer's class, and whether its device is shared.
    fn learn(&mut self, id: ConsumerId, signal: Signal, sign: SignOfLife, target: Option<Duration>) {
        let Some(consumer) = self.crowd.get(id) else { return };
        let Some(habits) = self.habits.get_mut(&consumer.class()) else { return };
        match sign.revived {
            None => {}
            Some(LeaveReason::Silence | LeaveReason::Goodbye) => habits.had_not_left(),
            Some(LeaveReason::Zapped) => {
                // Without a play session, a playlist request may as well be the viewer's tuning back to the channel.
                let viewer = consumer.viewer();
                let goes_on = matches!(signal, Signal::Segment(_)) || viewer.play_session.is_some();
                if let Some(device) = viewer.device.clone().filter(|_| goes_on) {
                    self.shared_devices.insert(viewer.account, device);
                }
            }
            Some(LeaveReason::PassedOn | LeaveReason::LoggedOut | LeaveReason::SentAway) => {}
        }
        if sign.revived.is_some() {
            self.tally.revived += 1;
        }
        if let Some(target) = target {
            habits.returned(sign.silence, consumer.rhythm(), target);
        }
    }

    /// The terms by which a viewer of this stream and of this class is judged, who has been given `list`.
    pub(super) fn terms(&self, stream: StreamId, class: Class, list: Option<JoinPoint>) -> Terms {
        let of_stream = || self.streams.get(&stream).and_then(|stream| stream.target);
        Terms {
            target: list.map(|list| list.target).or_else(of_stream),
            cold_timeout: self.limits.cold_timeout,
            silence: self.limits.silence,
            patience: self.limits.patience,
            goodbye: self.limits.goodbye,
            rates: self.habits.get(&class).map_or(Rates::assumed(class), Habits::rates),
        }
    }

    /// Passes a signal to every consumer that `whose` names.
    pub(super) fn signal(&mut self, whose: &Whose, signal: Signal, now: Timestamp) {
        let named = self.named(whose);
        for &id in &named {
            self.notice(id, signal, now);
        }
        if signal == Signal::Quits {
            self.leave(named.into_iter().map(|id| (id, LeaveReason::Goodbye)), now);
        }
    }

    /// The consumers by which an account plays under this name have shown their credential.
    pub(super) fn vouch(&mut self, account: Account, play_session: &PlaySessionId, now: Timestamp) {
        for id in self.playing_as(account, play_session).collect::<Vec<_>>() {
            self.crowd.update(id, |consumer| consumer.vouch(now));
        }
    }

    /// Whether an account has a consumer that plays under this name.
    #[must_use]
    pub fn plays_as(&self, account: Account, play_session: &PlaySessionId) -> bool {
        self.playing_as(account, play_session).next().is_some()
    }

    fn playing_as(&self, account: Account, play_session: &PlaySessionId) -> impl Iterator<Item = ConsumerId> {
        let of_session = self.crowd.of_play_session(play_session);
        of_session.filter(move |(_, consumer)| consumer.viewer().account == account).map(|(id, _)| id)
    }

    fn named(&self, whose: &Whose) -> Vec<ConsumerId> {
        let id = |(id, _)| id;
        match whose {
            Whose::Consumer(id) => vec![*id],
            Whose::PlaySession(play_session) => self.crowd.of_play_session(play_session).map(id).collect(),
            Whose::Device(account, device) => {
                self.crowd.of_device(*account, device.as_ref()).map(id).collect()
            }
            Whose::Source(account, device, source) => {
                let theirs = self.crowd.of_device(*account, device.as_ref());
                let watching = theirs.filter(|(_, consumer)| {
                    let channel = self.channel_of(consumer);
                    consumer.is_present() && channel.is_some_and(|channel| channel.source == *source)
                });
                let watching: Vec<_> = watching.map(id).collect();
                if watching.len() == 1 { watching } else { Vec::new() }
            }
        }
    }

    /// Whether a viewer is present on a stream of this channel, and has shown its credential lately.
    #[must_use]
    pub fn is_playing(&self, viewer: &Viewer, channel: &Channel, now: Timestamp) -> bool {
        let plays = |consumer: &Consumer| {
            consumer.is_present()
                && consumer.is_vouched_for(now)
                && self.channel_of(consumer) == Some(channel)
        };
        self.crowd.of_viewer(viewer).any(|(_, consumer)| plays(consumer))
    }

    /// The list that a consumer has been given.
    #[must_use]
    pub fn list_of(&self, consumer: ConsumerId) -> Option<JoinPoint> {
        self.crowd.get(consumer)?.list()
    }

    /// The oldest segments that the lists of a stream's consumers name, fine and keyed ones: of those that are present, and of those
    /// that left a moment ago, since that may be a mistake.
    #[must_use]
    pub fn reached(&self, stream: StreamId, now: Timestamp) -> [Option<u64>; 2] {
        let lists = self.crowd.of_stream(stream).filter_map(|(_, consumer)| consumer.list_kept(now));
        lists.fold([None; 2], |[fine, keyed], JoinPoint { listing, sequence, .. }| {
            let earlier = |than: Option<u64>| Some(than.map_or(sequence, |than| than.min(sequence)));
            match listing {
                Listing::Fine => [earlier(fine), keyed],
                Listing::Keyed => [fine, earlier(keyed)],
            }
        })
    }

    /// Whether a consumer has this token.
    #[must_use]
    pub fn is_token(&self, token: ConsumerId) -> bool {
        self.crowd.get(token).is_some()
    }

    /// Since when a consumer waits for a list, over all requests that it has repeated.
    #[must_use]
    pub fn waits_since(&self, consumer: ConsumerId) -> Option<Timestamp> {
        self.crowd.get(consumer)?.waits_since()
    }

    fn channel_of(&self, consumer: &Consumer) -> Option<&Channel> {
        self.streams.get(&consumer.stream()).map(|stream| &stream.key.channel)
    }

    /// A viewer has been given the server's own stream of a channel: it has left the gateway's, and its reports no longer
    /// count for that.
    pub(super) fn passed_on(&mut self, viewer: Viewer, channel: Channel, now: Timestamp) {
        let theirs = self.crowd.of_viewer(&viewer);
        let theirs = theirs.filter(|(_, consumer)| self.channel_of(consumer) == Some(&channel));
        let left: Vec<_> = theirs.map(|(id, _)| (id, LeaveReason::PassedOn)).collect();
        self.leave(left, now);
        self.bypassed.insert(viewer, channel, now + self.limits.silence);
    }

    pub(super) fn is_crowded(&self, stream: StreamId, account: Account) -> bool {
        self.crowd.present(stream, account) >= CROWDED
    }

    pub(super) fn logging_out(&mut self, account: Account, now: Timestamp) {
        self.logging_out.insert(account);
        if !self.limits.own_credential {
            self.openings.logging_out(account, now);
            self.close_prefetched_by(account);
        }
        let theirs: Vec<_> = self.crowd.of_device(account, None).map(|(id, _)| id).collect();
        self.leave(theirs.iter().map(|&id| (id, LeaveReason::LoggedOut)), now);
        theirs.into_iter().for_each(|id| self.crowd.remove(id));
        self.shared_devices.forget(account);
        for id in self.running() {
            let Some(stream) = self.streams.get_mut(&id) else { continue };
            if stream.accounts.remove(&account) && stream.accounts.is_empty() && !self.limits.own_credential {
                self.stop(id, StopReason::LoggedOut);
            }
        }
        // At once, so that the logout can wait for it.
        self.give_back(now);
    }

    /// Marks consumers as having left. Those that have left before stay as they are.
    pub(super) fn leave(
        &mut self,
        leaving: impl IntoIterator<Item = (ConsumerId, LeaveReason)>,
        now: Timestamp,
    ) {
        let (mut deserted, mut off) = (BTreeSet::new(), Vec::new());
        for (id, reason) in leaving {
            let is_news = self.crowd.update(id, |consumer| consumer.leave(reason, now)).unwrap_or_default();
            if let Some(consumer) = self.crowd.get(id).filter(|_| is_news) {
                deserted.insert((consumer.stream(), reason == LeaveReason::Silence));
                match (reason, &consumer.viewer().play_session) {
                    (
                        LeaveReason::Silence
                        | LeaveReason::Goodbye
                        | LeaveReason::Zapped
                        | LeaveReason::LoggedOut
                        | LeaveReason::SentAway,
                        Some(play_session),
                    ) => self.openings.viewer_left(play_session, now),
                    // It plays the server's own stream by that opening.
                    (LeaveReason::PassedOn, _) | (_, None) => {}
                }
                match (reason, self.habits.get_mut(&consumer.class())) {
                    (LeaveReason::Silence | LeaveReason::Goodbye, Some(habits)) => habits.left(),
                    (
                        LeaveReason::Zapped
                        | LeaveReason::PassedOn
                        | LeaveReason::LoggedOut
                        | LeaveReason::SentAway,
                        _,
                    )
                    | (_, None) => {}
                }
                match reason {
                    LeaveReason::Silence
                    | LeaveReason::Goodbye
                    | LeaveReason::LoggedOut
                    | LeaveReason::SentAway => off.push(consumer.viewer().clone()),
                    LeaveReason::Zapped | LeaveReason::PassedOn => {}
                }
                *self.tally.left.entry(reason).or_default() += 1;
            }
        }
        for &(id, is_silence) in &deserted {
            if let Some(stream) = self.streams.get_mut(&id) {
                stream.watched_at = now;
                stream.is_doubted = is_silence;
            }
            self.crowd.forget_all_but(REMEMBERED, id);
        }
        if !deserted.is_empty() {
            self.bound_slots();
            self.bound_disk();
        }
        self.have_left(&off, now);
    }

    /// Tells consumers that time has passed, as far as their deadlines have come.
    pub(super) fn judge_silences(&mut self, now: Timestamp) {
        let due = self.crowd.due(now).into_iter();
        let verdicts = due.map(|id| (id, self.crowd.update(id, |consumer| consumer.time_passed(now))));
        let left: Vec<_> = verdicts.filter_map(|(id, reason)| Some((id, reason.flatten()?))).collect();
        self.leave(left, now);
    }

    /// Gives back the openings that are due, except those by which a present consumer watches.
    pub(super) fn give_back(&mut self, now: Timestamp) {
        if self.is_frozen || self.openings.deadline().is_none_or(|due| due > now) {
            return;
        }
        let of_their_own = self.openings.play_sessions().cloned().collect();
        let is_watched = is_watched_by(&self.crowd, &self.streams, of_their_own);
        for due in self.openings.take_due(now, is_watched) {
            match due {
                Due::GiveBack(opening, reason) => {
                    self.actions.push_back(Action::GiveBack { opening, reason });
                    *self.tally.returned.entry(reason).or_default() += 1;
                }
                Due::LeftToServer(opening) => self.actions.push_back(Action::LeaveToServer(opening)),
            }
        }
    }

    pub(super) fn is_watched(&self, stream: StreamId) -> bool {
        self.crowd.is_watched(stream)
    }
}
