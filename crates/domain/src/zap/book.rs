//! Keeps the zaps that are under way, and the last ones that are over.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use crate::key::ConsumerId;
use crate::reason::ZapOutcome;
use crate::time::Timestamp;
use crate::zap::histogram::Histogram;
use crate::zap::record::{Zap, Zapper};

/// How many zaps are kept that are over.
const KEPT: usize = 500;
/// How many may be under way. Where there are more, the oldest are given up.
const UNDER_WAY: usize = 1_000;
/// A zap is over when nothing has been heard of it for this long: longer than a cold start takes.
const SILENCE: Duration = Duration::from_secs(30);
/// How long a first segment that has been sent waits for the next request for the playlist.
const LAST: Duration = Duration::from_secs(12);

/// How many zaps with a picture kept to the objective, and how many did not.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Judged {
    /// Those that did.
    pub within: u64,
    /// Those that took longer.
    pub over: u64,
}

/// All zaps.
#[derive(Clone, Debug, Default)]
pub struct ZapBook {
    /// How long a zap may take.
    objective: Duration,
    judged: Judged,
    under_way: BTreeMap<Zapper, Open>,
    /// Whose zap each consumer's segments are of.
    consumers: BTreeMap<ConsumerId, Zapper>,
    over: VecDeque<Zap>,
    waits: BTreeMap<ZapOutcome, Histogram>,
    /// Those of each outcome, with those without a wait.
    counts: BTreeMap<ZapOutcome, u64>,
}

#[derive(Clone, Debug)]
struct Open {
    zap: Zap,
    heard: Timestamp,
    consumer: Option<ConsumerId>,
}

impl ZapBook {
    /// An empty book, in which zaps are judged by this objective.
    #[must_use]
    pub fn judging(objective: Duration) -> Self {
        Self { objective, ..Self::default() }
    }

    /// The server has opened a channel for a client that asked for it at `begun`. `is_near` says that a stream of the channel runs. A client
    /// that opens it again before it has a list goes on waiting.
    pub fn opened(&mut self, zapper: &Zapper, begun: Timestamp, is_near: bool, now: Timestamp) {
        self.expire(now);
        if self.under_way.get(zapper).is_some_and(|open| open.zap.listed.is_some()) {
            self.end(zapper);
        }
        let zap = self.begin(zapper, begun, now);
        zap.opened = zap.opened.or(Some(now));
        zap.is_near = is_near;
    }

    /// A client that asked to open a channel at `begun` was refused it.
    pub fn refused(
        &mut self,
        zapper: &Zapper,
        begun: Timestamp,
        (outcome, reason): (ZapOutcome, &'static str),
        now: Timestamp,
    ) {
        self.expire(now);
        let zap = self.begin(zapper, begun, now);
        (zap.outcome, zap.reason) = (outcome, reason);
        self.end(zapper);
    }

    /// A viewer that asked for its first list at `asked` is given one of the gateway's, whose segments it asks for as `consumer`.
    pub fn listed(
        &mut self,
        zapper: &Zapper,
        asked: Timestamp,
        (consumer, outcome): (ConsumerId, ZapOutcome),
        now: Timestamp,
    ) {
        self.expire(now);
        let zap = self.begin(zapper, asked, now);
        (zap.list_asked, zap.listed) = (Some(asked), Some(now));
        zap.outcome = if zap.is_near && outcome == ZapOutcome::Cold { ZapOutcome::Near } else { outcome };
        if let Some(open) = self.under_way.get_mut(zapper)
            && let Some(before) = open.consumer.replace(consumer)
        {
            self.consumers.remove(&before);
        }
        self.consumers.insert(consumer, zapper.clone());
    }

    /// A viewer that has opened a channel, and asked for its list at `asked`, got the server's own answer.
    pub fn passed_on(
        &mut self,
        zapper: &Zapper,
        asked: Timestamp,
        (outcome, reason): (ZapOutcome, &'static str),
        now: Timestamp,
    ) {
        self.expire(now);
        let Some(open) = self.under_way.get_mut(zapper) else { return };
        (open.zap.list_asked, open.zap.listed) = (Some(asked), Some(now));
        (open.zap.outcome, open.zap.reason) = (outcome, reason);
        self.end(zapper);
    }

    /// A consumer asks for a segment.
    pub fn segment_asked(&mut self, consumer: ConsumerId, now: Timestamp) {
        self.hear_of(consumer, now, |zap| zap.segment_asked = zap.segment_asked.or(Some(now)));
    }

    /// A consumer has been sent a segment.
    pub fn segment_sent(&mut self, consumer: ConsumerId, now: Timestamp) {
        self.hear_of(consumer, now, |zap| zap.segment_sent = zap.segment_sent.or(Some(now)));
    }

    /// A consumer asks for its playlist again.
    pub fn listed_again(&mut self, consumer: ConsumerId, now: Timestamp) {
        let mut is_over = false;
        self.hear_of(consumer, now, |zap| {
            is_over = zap.segment_sent.is_some();
            zap.listed_again = is_over.then_some(now);
        });
        if is_over && let Some(zapper) = self.consumers.get(&consumer).cloned() {
            self.end(&zapper);
        }
    }

    /// Ends the zaps of which nothing has been heard for long. Returns when that is due again.
    pub fn expire(&mut self, now: Timestamp) -> Option<Timestamp> {
        let due = |open: &Open| open.heard + if open.zap.segment_sent.is_some() { LAST } else { SILENCE };
        let over = self.under_way.iter().filter(|(_, open)| due(open) <= now);
        for zapper in over.map(|(zapper, _)| zapper.clone()).collect::<Vec<_>>() {
            self.end(&zapper);
        }
        self.under_way.values().map(due).min()
    }

    /// Whether a zap is under way.
    #[must_use]
    pub fn is_any_under_way(&self) -> bool {
        !self.under_way.is_empty()
    }

    /// How many zaps are over, those included that are kept no more.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.counts.values().sum()
    }

    /// The zaps that are over, the oldest first.
    pub fn over(&self) -> impl DoubleEndedIterator<Item = &Zap> {
        self.over.iter()
    }

    /// How long viewers waited, by outcome.
    #[must_use]
    pub const fn waits(&self) -> &BTreeMap<ZapOutcome, Histogram> {
        &self.waits
    }

    /// How many zaps kept to the objective.
    #[must_use]
    pub const fn judged(&self) -> Judged {
        self.judged
    }

    /// How many zaps there were, by outcome.
    #[must_use]
    pub const fn counts(&self) -> &BTreeMap<ZapOutcome, u64> {
        &self.counts
    }

    /// The zap that is under way, or a new one.
    fn begin(&mut self, zapper: &Zapper, begun: Timestamp, now: Timestamp) -> &mut Zap {
        if self.under_way.len() >= UNDER_WAY
            && !self.under_way.contains_key(zapper)
            && let Some((oldest, _)) = self.under_way.iter().min_by_key(|(_, open)| open.heard)
        {
            let oldest = oldest.clone();
            self.end(&oldest);
        }
        let new = || Open { zap: Zap::new(zapper.clone(), begun), heard: now, consumer: None };
        let open = self.under_way.entry(zapper.clone()).or_insert_with(new);
        open.heard = now;
        &mut open.zap
    }

    fn hear_of(&mut self, consumer: ConsumerId, now: Timestamp, note: impl FnOnce(&mut Zap)) {
        if let Some(open) = self.consumers.get(&consumer).and_then(|zapper| self.under_way.get_mut(zapper)) {
            open.heard = now;
            note(&mut open.zap);
        }
    }

    fn end(&mut self, zapper: &Zapper) {
        let Some(Open { zap, consumer, .. }) = self.under_way.remove(zapper) else { return };
        consumer.iter().for_each(|consumer| drop(self.consumers.remove(consumer)));
        *self.counts.entry(zap.outcome).or_default() += 1;
        if let Some(waited) = zap.waited() {
            let kept = waited <= self.objective;
            *(if kept { &mut self.judged.within } else { &mut self.judged.over }) += 1;
            self.waits.entry(zap.outcome).or_default().add(waited);
        }
        self.over.push_back(zap);
        if self.over.len() > KEPT {
            self.over.pop_front();
        }
    }
}
