//! Starts channels before anybody asks for them, and lets them go again, by what they are worth (docs/worth.md).
//!
//! Such a channel is warmed up like any other (`warm_up`): its input is open. It is started for a viewer whose own channel plays, so that it
//! delays none that somebody waits for.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::Pool;
use crate::key::{Channel, ItemId, StreamId};
use crate::openings::ClientOpening;
use crate::pool::api::Action;
use crate::pool::expected::Expecter;
use crate::pool::foresight::{Forethought, Remembered};
use crate::producer::State;
use crate::reason::{StopReason, WarmUpRefusal};
use crate::time::Timestamp;
use crate::value::{Idle, Readiness, Room};
use crate::viewer::{PlayerKey, Viewer};

/// How many slots stay free for whatever a viewer asks for.
const RESERVE: usize = 1;
/// The most channels that are being started at a time.
const STARTING: usize = 3;
/// How long a channel is left alone that somebody has just left, or has opened and is about to watch.
const FRESH: Duration = Duration::from_secs(10);
/// The most viewers of a stream for whom channels are started when it begins; it is seldom that more wait for it.
const VIEWERS: usize = 4;

impl Pool {
    /// The pool has begun at this local time of day, which decides what is expected at which hour.
    pub const fn began_at(&mut self, time_of_day: Duration) {
        self.foresight.began_at(time_of_day);
    }

    /// Begins with what another pool has told of viewers and channels, and tells what it learns itself from now on: see
    /// [`take_remembered`](Self::take_remembered). It comes before [`go_on_with`](Self::go_on_with), after [`began_at`](Self::began_at), and
    /// the clock has to reach back to what is told.
    pub fn begin_with(&mut self, past: impl IntoIterator<Item = Remembered>) {
        let past = past.into_iter().inspect(|remembered| {
            if let Remembered::Attempt(key, until) = remembered {
                self.failed_attempts.recall(key.clone(), *until);
            }
        });
        self.foresight.begin_with(past);
    }

    /// What it has learned since this was last called, for whoever remembers it.
    pub fn take_remembered(&mut self) -> Vec<Remembered> {
        self.foresight.take_untold()
    }

    /// The last decisions about channels that nobody watches, the oldest first.
    pub fn decisions(&self) -> impl DoubleEndedIterator<Item = &Forethought> {
        self.foresight.decisions()
    }

    /// A client has opened a channel.
    pub(super) fn has_opened(&mut self, opening: &ClientOpening, now: Timestamp) {
        if let Some(item) = &opening.item
            && let Some(since) = self.asking.since(item)
        {
            self.foresight.opened(item, now.since(since), now);
        }
    }

    /// A viewer, who is this player, has come to a stream of a channel.
    pub(super) fn has_come(&mut self, player: PlayerKey, viewer: &Viewer, stream: StreamId, now: Timestamp) {
        let Some(running) = self.streams.get(&stream) else { return };
        let (item, is_live) = (running.key.channel.item.clone(), running.producer.state() == State::Live);
        self.wanted_after_all(&item);
        self.foresight.tuned(player, viewer, &item, now);
        if is_live {
            self.review(now);
            self.look_ahead(player, now);
        }
    }

    /// Viewers have switched off.
    pub(super) fn have_left(&mut self, viewers: &[Viewer], now: Timestamp) {
        let mut is_news = false;
        for viewer in viewers {
            let mut elsewhere = self.crowd.of_device(viewer.account, viewer.device.as_ref());
            if !elsewhere.any(|(_, consumer)| consumer.is_present()) {
                self.foresight.left(viewer, now);
                is_news = true;
            }
        }
        if is_news {
            self.review(now);
        }
    }

    /// A stream has its first segment: its channel was not warm before.
    pub(super) fn has_begun(&mut self, stream: StreamId, now: Timestamp) {
        let Some(running) = self.streams.get(&stream) else { return };
        let (item, took) = (running.key.channel.item.clone(), now.since(running.begun));
        if self.limits.thrift.is_some() && running.producer.generation() == 1 {
            self.foresight.has_started(&item, took);
        }
        let watching = self.crowd.of_stream(stream).filter(|(_, consumer)| consumer.is_present());
        let watching: Vec<_> =
            watching.take(VIEWERS).map(|(_, consumer)| self.foresight.player_of(consumer.viewer())).collect();
        if !watching.is_empty() {
            self.review(now);
        }
        watching.into_iter().flatten().for_each(|player| self.look_ahead(player, now));
    }

    /// The gateway was not able to start a channel ahead.
    pub(super) fn not_started(&mut self, item: &ItemId, why: WarmUpRefusal, now: Timestamp) {
        match why {
            // That may be otherwise a moment later.
            WarmUpRefusal::Closing
            | WarmUpRefusal::Tuners
            | WarmUpRefusal::Connections
            | WarmUpRefusal::Slots
            | WarmUpRefusal::Busy => {}
            WarmUpRefusal::Unknown | WarmUpRefusal::NoKey => self.foresight.has_failed(item, now),
            WarmUpRefusal::Slow | WarmUpRefusal::NoLimit => self.foresight.pauses(item, false, now),
            WarmUpRefusal::Excluded => self.foresight.pauses(item, true, now),
        }
    }

    /// Starts the channels that a viewer is likely to want next, as far as they are worth it and there is room, or another channel that
    /// nobody watches is worth less. What is not worth it any more has been let go before (`review`).
    fn look_ahead(&mut self, player: PlayerKey, now: Timestamp) {
        if !self.limits.starts_ahead || !self.limits.own_credential || self.draining || self.is_frozen {
            return;
        }
        let Some(thrift) = self.limits.thrift else { return };
        let mut items = self.foresight.candidates(player, now);
        // What would be refused is not decided: at the server alone, only what it opens quickly can be started.
        let is_possible =
            |item: &ItemId| !self.inputs.connections().is_empty() || self.foresight.opens_quickly(item, now);
        items.retain(|item| !self.is_under_way(item) && is_possible(item));
        let candidates: Vec<_> =
            items.iter().filter_map(|item| self.foresight.offer(item, Readiness::NotStarted)).collect();
        let idle: Vec<_> = self.unwatched(now).into_values().collect();
        let starting = idle.iter().filter(|idle| idle.offer.readiness != Readiness::Ready).count();
        let used = self.running().len() + self.started_ahead().count() + RESERVE;
        let free = self.limits.slots.saturating_sub(used).min(self.spare_tuners(&items, now));
        let room = Room { free, starts: STARTING.saturating_sub(starting) };
        for decision in self.foresight.appraisal(thrift, now).starts(&candidates, &idle, room) {
            let Some(thought) = self.foresight.thought(&decision, now) else { continue };
            let item = thought.item.clone();
            match thought.instead_of.clone() {
                None => {
                    self.foresight.note(thought);
                    self.actions.push_back(Action::WarmUp(item, Expecter::Foresight));
                }
                Some(other) if !self.makes_room(&other, &item, now) => {}
                Some(other) => {
                    self.foresight.note(thought);
                    self.let_go(&other, StopReason::Outbid);
                    // Its tuner is not free yet.
                    self.foresight.starts_after_that(item, now);
                }
            }
        }
    }

    /// Whether `other`, which nobody watches, is all that keeps the server from opening a channel that nobody has asked for: nothing is closed
    /// in vain.
    fn makes_room(&self, other: &ItemId, item: &ItemId, now: Timestamp) -> bool {
        let (Some(wanted), Some(given_up)) = (self.tuners.source_of(item), self.tuners.source_of(other))
        else {
            return false;
        };
        let open = self.occupancy(now);
        open.idle().any(|source| source == given_up)
            && self.foresight.opens_quickly(item, now)
            && self.tuners.limit_for(&open, Some(wanted)).is_some()
            && self.tuners.can_spare_instead(&open, &self.asking.items(&open), wanted, given_up)
    }

    /// The most tuners that can be spared for one of these channels, as far as is known: `warm_up` looks closer.
    fn spare_tuners(&self, items: &[ItemId], now: Timestamp) -> usize {
        let open = self.occupancy(now);
        let asked = self.asking.items(&open);
        let spare = |item| self.tuners.spare(&open, &asked, self.tuners.source_of(item)?);
        items.iter().map(|item| spare(item).unwrap_or(usize::MAX)).max().unwrap_or_default()
    }

    /// Starts the channels in whose place others have been closed, once these are.
    pub(super) fn start_in_place(&mut self, now: Timestamp) {
        if self.closing().is_empty() {
            let waiting = self.foresight.take_waiting(now);
            self.actions.extend(waiting.into_iter().map(|item| Action::WarmUp(item, Expecter::Foresight)));
        }
    }

    /// It is time to look at the channels that nobody watches, and at the viewers who have begun to view: others are likely then.
    pub(super) fn look_again(&mut self, now: Timestamp) {
        self.review(now);
        for player in self.foresight.settled(now) {
            self.look_ahead(player, now);
        }
    }

    /// When that is.
    pub(super) fn review_at(&self) -> Option<Timestamp> {
        let is_any = || !self.streams.is_empty() || self.started_ahead().next().is_some();
        let review = self.foresight.review_at.filter(|_| is_any());
        [review, self.foresight.next_departure()].into_iter().flatten().min()
    }

    /// Lets go of the channels that nobody watches and that are worth less than they cost, and expects nobody any more where somebody
    /// watches.
    pub(super) fn review(&mut self, now: Timestamp) {
        self.foresight.settle_departures(now);
        let thrift = self.limits.thrift;
        let is_off = thrift.is_none() || !self.limits.starts_ahead;
        let over = self.started_ahead().filter(|item| is_off || self.runs_item(item));
        for item in over.cloned().collect::<Vec<_>>() {
            self.release(&item);
        }
        let Some(thrift) = thrift.filter(|_| !self.is_frozen) else {
            self.foresight.review_at = None;
            self.foresight.rank_none();
            return;
        };
        let mut unwatched = self.unwatched(now);
        let offers = |unwatched: &BTreeMap<ItemId, Idle>| -> Vec<_> {
            unwatched.values().map(|idle| idle.offer).collect()
        };
        for decision in self.foresight.appraisal(thrift, now).time_outs(&offers(&unwatched)) {
            if let Some(thought) = self.foresight.thought(&decision, now) {
                self.let_go(&thought.item, StopReason::Idle);
                unwatched.remove(&thought.item);
                self.foresight.note(thought);
            }
        }
        let streams = self.streams.values().map(|stream| stream.key.channel.item.clone());
        let warm: BTreeSet<_> = streams.chain(self.expected.keys().cloned()).collect();
        self.foresight.rank(&warm, thrift, now);
        let fresh =
            self.streams.values().map(|stream| stream.watched_at + FRESH).filter(|&at| at > now).min();
        let ends = self.started_ahead().filter_map(|item| self.warmed_up(item)?.expected_until()).max();
        let too_dear = self.foresight.next_time_out(&offers(&unwatched), thrift, now);
        let settled = self.foresight.next_settled(now).filter(|_| self.limits.starts_ahead);
        self.foresight.review_at = [fresh, ends, too_dear, settled].into_iter().flatten().min();
    }

    /// The channels that are open for nobody, and that nobody in particular wants kept.
    fn unwatched(&self, now: Timestamp) -> BTreeMap<ItemId, Idle> {
        let (mut idle, mut kept) = (BTreeMap::new(), BTreeSet::new());
        for (&id, stream) in self.streams.iter().filter(|(_, stream)| !stream.producer.is_retiring()) {
            let item = &stream.key.channel.item;
            let input = self.input_of(id).and_then(|input| self.inputs.get(input));
            let is_awaited = input.is_some_and(|input| input.is_read() || input.has_prefetch());
            let is_fresh = now.since(stream.watched_at) < FRESH;
            let is_wanted = stream.is_pinned || stream.is_doubted || stream.legacy.is_wished();
            let is_opened = || self.is_opened(&stream.key.channel);
            if self.is_watched(id) || is_wanted || is_awaited || is_fresh || is_opened() {
                kept.insert(item);
                continue;
            }
            let readiness = match stream.producer.state() {
                State::Live | State::Resting => Readiness::Ready,
                State::Starting | State::BackingOff { .. } | State::Retiring(_) => {
                    Readiness::Starting(stream.begun)
                }
            };
            if let Some(offer) = self.foresight.offer(item, readiness) {
                idle.insert(item.clone(), Idle { offer, started_at: stream.begun });
            }
        }
        for (item, expected) in
            self.expected.iter().filter(|(_, expected)| expected.by == Expecter::Foresight)
        {
            let Some(input) = self.warmed_up(item).filter(|input| !input.is_read()) else { continue };
            let readiness = match input.grew_at() {
                Some(_) => Readiness::Ready,
                None => Readiness::Starting(expected.since),
            };
            if let Some(offer) = self.foresight.offer(item, readiness) {
                idle.entry(item.clone()).or_insert(Idle { offer, started_at: expected.since });
            }
        }
        let operators = self.expected.iter().filter(|(_, expected)| expected.by == Expecter::Operator);
        kept.extend(operators.map(|(item, _)| item));
        idle.retain(|item, _| !kept.contains(item));
        idle
    }

    /// Whether a client has a channel open, or the server is asked to open it for one: somebody is about to watch, or may come back.
    pub(super) fn is_opened(&self, channel: &Channel) -> bool {
        let mut open = self.openings.live_streams();
        self.asking.asks_for(&channel.item)
            || open.any(|(live_stream, item)| {
                item == Some(&channel.item) || live_stream.media_source().as_ref() == Some(&channel.source)
            })
    }

    /// Closes a channel that nobody watches, with all that is made of it.
    fn let_go(&mut self, item: &ItemId, why: StopReason) {
        for stream in self.running_streams_of(item).collect::<Vec<_>>() {
            self.stop(stream, why);
        }
        self.release(item);
    }

    /// The channels that the pool itself has started ahead and that are still open.
    fn started_ahead(&self) -> impl Iterator<Item = &ItemId> {
        let ahead = self.expected.iter().filter(|(_, expected)| expected.by == Expecter::Foresight);
        ahead.map(|(item, _)| item).filter(|item| self.warmed_up(item).is_some())
    }

    /// Whether a channel is open here already, or is being opened.
    fn is_under_way(&self, item: &ItemId) -> bool {
        self.runs_item(item) || self.input_warmth(item).is_some()
    }

    /// Whether a stream of a channel runs, or rests, in whatever profile.
    pub(super) fn runs_item(&self, item: &ItemId) -> bool {
        self.running_streams_of(item).next().is_some()
    }

    fn running_streams_of(&self, item: &ItemId) -> impl Iterator<Item = StreamId> {
        let running = self.streams.iter().filter(|(_, stream)| !stream.producer.is_retiring());
        running.filter(move |(_, stream)| stream.key.channel.item == *item).map(|(&id, _)| id)
    }
}
