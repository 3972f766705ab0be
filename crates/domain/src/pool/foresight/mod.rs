//! What is expected of viewers, by the names that the pool has for them and for channels: who comes to which channel, what that would
//! spare a viewer, and how quickly the server has opened the channel lately.
//!
//! It starts and stops nothing. What it learns it tells whoever remembers that beyond the pool's life, if anybody does.

mod numbers;
mod players;
mod remembered;
pub(super) mod remembering;

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use crate::key::{DeviceId, ItemId};
use crate::pool::foresight::numbers::Numbers;
use crate::pool::foresight::players::{Players, player};
use crate::prediction::{ChannelKey, ChannelOrder, Prediction};
use crate::time::Timestamp;
use crate::value::{Appraisal, ColdWaits, Decision, Offer, Readiness, Thrift, Verdict, Worth, next_time_out};
use crate::viewer::{Account, PlayerKey, Viewer};

pub use crate::pool::foresight::remembered::{KnownChannel, Remembered};

/// The most channels that are told apart.
const CHANNELS: usize = 4096;
/// The most decisions that are kept for whoever looks.
const DECISIONS: usize = 100;
/// The server opens channels one after another, and takes nothing back: it is asked for a channel that nobody watches only if it
/// opened that within so long, no longer ago than this. A viewer who tunes meanwhile waits no longer than that.
const QUICK: Duration = Duration::from_secs(3);
const LATELY: Duration = Duration::from_secs(7 * 24 * 3600);
/// How long nothing is tried again with a channel that could not be started ahead; twice as long each time, up to a day.
const PAUSE: Duration = Duration::from_secs(60);
const LONGEST_PAUSE: Duration = Duration::from_secs(24 * 3600);

/// A viewer who tunes again within this time after it has left has changed channel: players say goodbye before they open the next.
const PAUSES: Duration = Duration::from_secs(30);
/// How long a channel waits for another one to be closed.
const AFTER: Duration = Duration::from_secs(5);

/// See the module.
#[derive(Debug)]
pub(super) struct Foresight {
    prediction: Prediction,
    waits: ColdWaits,
    channels: Numbers<ItemId>,
    players: Players,
    /// The players that have left, and when, of which it is not certain that they have switched off.
    leaving: BTreeMap<PlayerKey, Timestamp>,
    /// How long the server took to open a channel that was not open, and when.
    opened: BTreeMap<u32, (Duration, Timestamp)>,
    /// How often a channel could not be started in a row, and until when it is not tried.
    failures: BTreeMap<u32, (u32, Timestamp)>,
    /// The local time of day at the pool's start.
    began_at: Duration,
    /// When the channels that nobody watches are to be looked at again.
    pub(super) review_at: Option<Timestamp>,
    /// Until when the players are known that have begun to view.
    settled_until: Timestamp,
    /// What channels were worth when they were last ranked, in billionths.
    ranks: BTreeMap<ItemId, i64>,
    /// The channels that are started once those are closed that make room for them, and since when they wait.
    waiting: Vec<(ItemId, Timestamp)>,
    decisions: VecDeque<Forethought>,
    /// What is yet to be told to whoever remembers it; `None` if nobody does.
    untold: Option<VecDeque<Remembered>>,
}

/// A decision about a channel that nobody watches, and what spoke for it.
#[derive(Clone, Debug, PartialEq)]
pub struct Forethought {
    /// When it was made.
    pub at: Timestamp,
    /// What was decided.
    pub verdict: &'static str,
    /// Of which channel.
    pub item: ItemId,
    /// What the channel is worth.
    pub worth: Worth,
    /// The player that wants it most probably, if it has been seen since the start.
    pub wanted_by: Option<(Account, Option<DeviceId>)>,
    /// What a warm second had to be worth.
    pub price: f64,
    /// The channel that it would have been otherwise, and what that is worth.
    pub runner_up: Option<(ItemId, f64)>,
    /// The channel that makes room for it.
    pub instead_of: Option<ItemId>,
}

impl Default for Foresight {
    fn default() -> Self {
        Self {
            prediction: Prediction::default(),
            waits: ColdWaits::default(),
            channels: Numbers::new(CHANNELS),
            players: Players::default(),
            leaving: BTreeMap::new(),
            opened: BTreeMap::new(),
            failures: BTreeMap::new(),
            began_at: Duration::ZERO,
            review_at: None,
            settled_until: Timestamp::default(),
            ranks: BTreeMap::new(),
            waiting: Vec::new(),
            decisions: VecDeque::new(),
            untold: None,
        }
    }
}

impl Foresight {
    /// The pool has begun at this local time of day.
    pub(super) const fn began_at(&mut self, time_of_day: Duration) {
        self.began_at = time_of_day;
    }

    /// The channels have this order, in which the keys for the next and the previous one step.
    pub(super) fn set_order(&mut self, items: &[ItemId]) {
        // Channels are watched that the server does not list, too.
        let items = items.get(..CHANNELS / 2).unwrap_or(items);
        self.tell(|| Remembered::Order(items.to_vec()));
        let channels = items.iter().map(|item| ChannelKey(self.channels.of(item))).collect();
        self.prediction.set_order(ChannelOrder::new(channels));
    }

    /// A viewer, who is this player, has tuned to a channel.
    pub(super) fn tuned(&mut self, key: PlayerKey, viewer: &Viewer, item: &ItemId, now: Timestamp) {
        if let Some(before) = self.players.seen(key, &player(viewer)) {
            // Nobody would ever see that one leave.
            self.leaving.remove(&before);
            self.switched_off(before, now);
        }
        self.came(key, item, now);
    }

    fn came(&mut self, player: PlayerKey, item: &ItemId, at: Timestamp) {
        self.leaving.remove(&player);
        let viewer = self.players.number(player);
        let channel = ChannelKey(self.channels.of(item));
        if let Some(how) = self.prediction.tuned(viewer, channel, at, self.hour(at)) {
            self.tell(|| Remembered::Came { player, item: item.clone(), how, at });
        }
    }

    /// A viewer has left, and switched off unless it tunes again soon.
    pub(super) fn left(&mut self, viewer: &Viewer, now: Timestamp) {
        if let Some(key) = self.players.of(&player(viewer)) {
            self.leaving.entry(key).or_insert(now);
        }
    }

    /// Those have switched off who left a while ago.
    pub(super) fn settle_departures(&mut self, now: Timestamp) {
        let settled: Vec<_> = self.leaving.extract_if(.., |_, at| *at + PAUSES <= now).collect();
        for (player, at) in settled {
            self.switched_off(player, at);
        }
    }

    fn switched_off(&mut self, player: PlayerKey, at: Timestamp) {
        if let Some(viewer) = self.players.known(player) {
            self.prediction.left(viewer, at);
        }
        self.tell(|| Remembered::Left { player, at });
    }

    /// When the next of them has switched off.
    pub(super) fn next_departure(&self) -> Option<Timestamp> {
        self.leaving.values().min().map(|&at| at + PAUSES)
    }

    /// The server has opened a channel that was not open, within so long.
    pub(super) fn opened(&mut self, item: &ItemId, took: Duration, now: Timestamp) {
        let channel = self.channels.of(item);
        if self.opened.len() >= CHANNELS {
            self.opened.retain(|_, (_, at)| now.since(*at) <= LATELY);
        }
        if self.opened.len() >= CHANNELS {
            self.opened.pop_first();
        }
        self.opened.insert(channel, (took, now));
        self.tell_channel(item);
    }

    /// A stream of a channel that was not warm has had its first segment so long after it began.
    pub(super) fn has_started(&mut self, item: &ItemId, took: Duration) {
        let channel = self.channels.of(item);
        let opening = self.opened.get(&channel).map_or(Duration::ZERO, |(took, _)| *took);
        self.waits.measured(ChannelKey(channel), opening + took);
        self.failures.remove(&channel);
        self.tell_channel(item);
    }

    /// A channel could not be started ahead.
    pub(super) fn has_failed(&mut self, item: &ItemId, now: Timestamp) {
        let channel = self.channels.of(item);
        let (count, _) = self.failures.get(&channel).copied().unwrap_or((0, now));
        let pause = PAUSE.saturating_mul(1 << count.min(16)).min(LONGEST_PAUSE);
        self.failures.retain(|_, (_, until)| *until + LONGEST_PAUSE > now);
        self.failures.insert(channel, (count.saturating_add(1), now + pause));
        self.tell_channel(item);
    }

    /// A channel may not be started ahead: it is looked at again after a pause, or after a `long` one.
    pub(super) fn pauses(&mut self, item: &ItemId, long: bool, now: Timestamp) {
        let channel = self.channels.of(item);
        let count = self.failures.get(&channel).map_or(0, |(count, _)| *count);
        self.failures.insert(channel, (count, now + if long { LONGEST_PAUSE } else { PAUSE }));
        self.tell_channel(item);
    }

    /// Whether the server has opened a channel quickly lately.
    pub(super) fn opens_quickly(&self, item: &ItemId, now: Timestamp) -> bool {
        let opened = self.channels.known(item).and_then(|channel| self.opened.get(&channel));
        opened.is_some_and(|(took, at)| *took <= QUICK && now.since(*at) <= LATELY)
    }

    /// The players that have begun to view since this was last asked: other channels are likely to be wanted by them then.
    pub(super) fn settled(&mut self, now: Timestamp) -> Vec<PlayerKey> {
        let since = std::mem::replace(&mut self.settled_until, now);
        let settled = self.prediction.settled(since, now);
        settled.filter_map(|viewer| self.players.key(viewer)).collect()
    }

    /// The player that a viewer is.
    pub(super) fn player_of(&self, viewer: &Viewer) -> Option<PlayerKey> {
        self.players.of(&player(viewer))
    }

    /// When the next player begins to view.
    pub(super) fn next_settled(&self, now: Timestamp) -> Option<Timestamp> {
        self.prediction.next_settled(now)
    }

    /// The channels that may be worth a start ahead of a player. Those that failed a while ago are left out.
    pub(super) fn candidates(&self, player: PlayerKey, now: Timestamp) -> Vec<ItemId> {
        let Some(viewer) = self.players.known(player) else { return Vec::new() };
        let candidates = self.prediction.candidates(viewer, now).into_iter();
        let may_be_tried =
            |channel: &ChannelKey| self.failures.get(&channel.0).is_none_or(|(_, until)| *until <= now);
        let items = candidates.filter(may_be_tried).filter_map(|channel| self.channels.thing(channel.0));
        items.cloned().collect()
    }

    /// What a channel offers whose warmth takes one tuner or connection.
    pub(super) fn offer(&self, item: &ItemId, readiness: Readiness) -> Option<Offer> {
        let channel = ChannelKey(self.channels.known(item)?);
        Some(Offer { channel, readiness, price: 1.0 })
    }

    /// What channels are worth at a moment.
    pub(super) fn appraisal(&self, thrift: Thrift, now: Timestamp) -> Appraisal<'_> {
        Appraisal::new(self.prediction.at(now, self.hour(now)), &self.waits, thrift, now)
    }

    /// When one of the channels that nobody watches will be worth less than it costs.
    pub(super) fn next_time_out(&self, idle: &[Offer], thrift: Thrift, now: Timestamp) -> Option<Timestamp> {
        next_time_out(idle, &self.prediction, &self.waits, thrift, now, self.hour(now))
    }

    /// A decision in the pool's own words; `None` if it is about a channel that has been forgotten.
    pub(super) fn thought(&self, decision: &Decision, now: Timestamp) -> Option<Forethought> {
        let item = |channel: ChannelKey| self.channels.thing(channel.0).cloned();
        let instead_of = match decision.verdict {
            Verdict::StartAhead { instead_of } => instead_of.and_then(item),
            Verdict::Evict | Verdict::TimeOut => None,
        };
        let runner_up = decision.runner_up.and_then(|(other, worth)| Some((item(other)?, worth.index)));
        let wanted_by = decision.worth.most_by.and_then(|viewer| self.players.viewer(viewer)).cloned();
        Some(Forethought {
            at: now,
            verdict: decision.verdict.as_str(),
            item: item(decision.channel)?,
            worth: decision.worth,
            wanted_by,
            price: decision.price,
            runner_up,
            instead_of,
        })
    }

    /// Remembers a decision.
    pub(super) fn note(&mut self, thought: Forethought) {
        if self.decisions.len() >= DECISIONS {
            self.decisions.pop_front();
        }
        self.decisions.push_back(thought);
    }

    /// Ranks channels that are warm by what they are worth.
    pub(super) fn rank<'a>(
        &mut self,
        items: impl IntoIterator<Item = &'a ItemId>,
        thrift: Thrift,
        now: Timestamp,
    ) {
        let offers = items.into_iter().filter_map(|item| Some((item, self.offer(item, Readiness::Ready)?)));
        let appraisal = self.appraisal(thrift, now);
        let ranks = offers.map(|(item, offer)| {
            let index = appraisal.worth(&offer).index;
            (item.clone(), (index * 1e9) as i64)
        });
        self.ranks = ranks.collect();
    }

    /// Forgets what channels were worth: where nothing is reckoned, all are alike.
    pub(super) fn rank_none(&mut self) {
        self.ranks.clear();
    }

    /// What a channel was worth when it was last ranked.
    pub(super) fn ranked(&self, item: &ItemId) -> i64 {
        self.ranks.get(item).copied().unwrap_or_default()
    }

    /// A channel is started once another one is closed.
    pub(super) fn starts_after_that(&mut self, item: ItemId, now: Timestamp) {
        self.waiting.push((item, now));
    }

    /// The channels that can be started now, but for those whose viewer has gone on meanwhile.
    pub(super) fn take_waiting(&mut self, now: Timestamp) -> Vec<ItemId> {
        let waiting = std::mem::take(&mut self.waiting).into_iter();
        waiting.filter(|(_, since)| now.since(*since) <= AFTER).map(|(item, _)| item).collect()
    }

    /// The last decisions, the oldest first.
    pub(super) fn decisions(&self) -> impl DoubleEndedIterator<Item = &Forethought> {
        self.decisions.iter()
    }

    /// The hour of the local day.
    fn hour(&self, now: Timestamp) -> u8 {
        let hours = (self.began_at + now.elapsed()).as_secs() / 3600;
        u8::try_from(hours % 24).unwrap_or_default()
    }
}
