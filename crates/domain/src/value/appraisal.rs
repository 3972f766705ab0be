//! Decides by the index, at one moment, what goes and what is started ahead.

use std::time::Duration;

use crate::prediction::{ChannelKey, Moment};
use crate::time::Timestamp;
use crate::value::decision::{Decision, Verdict};
use crate::value::offer::{Offer, Readiness};
use crate::value::thrift::Thrift;
use crate::value::waits::ColdWaits;
use crate::value::worth::{Worth, worth};

/// The most channels that one event starts.
const STARTS: usize = 4;
/// By which factor a channel must be worth more than the one in whose place it is started, and for how long that must have been
/// started: it would be a pity about starts that replace each other.
const MARGIN: f64 = 1.3;
const SETTLED: Duration = Duration::from_secs(5);

/// How much room there is for starts ahead.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Room {
    /// How many may be started without stopping any, the reserve left aside.
    pub free: usize,
    /// How many may be started in all.
    pub starts: usize,
}

/// An idle channel, as one that may be stopped for a start ahead.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Idle {
    /// The channel.
    pub offer: Offer,
    /// When it was started.
    pub started_at: Timestamp,
}

/// The worth of channels at one moment.
#[derive(Clone, Debug)]
pub struct Appraisal<'a> {
    moment: Moment<'a>,
    waits: &'a ColdWaits,
    thrift: Thrift,
    now: Timestamp,
}

impl<'a> Appraisal<'a> {
    /// At the moment `now`, of which `moment` tells what is to be expected.
    #[must_use]
    pub const fn new(moment: Moment<'a>, waits: &'a ColdWaits, thrift: Thrift, now: Timestamp) -> Self {
        Self { moment, waits, thrift, now }
    }

    /// What a channel is worth.
    #[must_use]
    pub fn worth(&self, offer: &Offer) -> Worth {
        let demand = self.moment.demand(offer.channel);
        let (under_way, start_price) = match offer.readiness {
            Readiness::Ready => (f64::INFINITY, 0.0),
            Readiness::Starting(since) => (self.now.since(since).as_secs_f64(), 0.0),
            Readiness::NotStarted => (0.0, self.thrift.start_price()),
        };
        worth(&demand, self.waits.spared(offer.channel), under_way, start_price, offer.price)
    }

    /// Whether a channel is worth less than its warmth costs.
    #[must_use]
    pub fn is_too_dear(&self, offer: &Offer) -> bool {
        self.worth(offer).index < self.thrift.price()
    }

    /// Those of the idle channels that are worth less than their warmth costs.
    #[must_use]
    pub fn time_outs(&self, idle: &[Offer]) -> Vec<Decision> {
        let mut ranked = self.ranked(idle);
        ranked.retain(|(_, worth)| worth.index < self.thrift.price());
        let runner_up = |at: usize| ranked.get(at + 1).copied();
        let decisions = ranked.iter().enumerate();
        decisions.map(|(at, &least)| self.decision(Verdict::TimeOut, least, runner_up(at))).collect()
    }

    /// The idle channel that is worth least; `None` if there is none.
    #[must_use]
    pub fn victim(&self, idle: &[Offer]) -> Option<Decision> {
        let ranked = self.ranked(idle);
        let &least = ranked.first()?;
        Some(self.decision(Verdict::Evict, least, ranked.get(1).copied()))
    }

    /// The channels that are to be started ahead, the most valuable one first.
    #[must_use]
    pub fn starts(&self, candidates: &[Offer], idle: &[Idle], room: Room) -> Vec<Decision> {
        let mut ranked = self.ranked(candidates);
        ranked.reverse();
        let is_settled = |idle: &&Idle| self.now.since(idle.started_at) >= SETTLED;
        let settled: Vec<_> = idle.iter().filter(is_settled).map(|idle| idle.offer).collect();
        let mut replaceable = None;
        let (mut free, mut decisions) = (room.free, Vec::new());
        for (at, &(channel, worth)) in ranked.iter().enumerate().take(STARTS.min(room.starts)) {
            if worth.index <= 0.0 || worth.index < self.thrift.price() {
                break;
            }
            let instead_of = if free > 0 {
                free -= 1;
                None
            } else {
                let others = replaceable.get_or_insert_with(|| self.ranked(&settled).into_iter());
                match others.next() {
                    Some((other, least)) if worth.index > MARGIN * least.index => Some(other),
                    Some(_) | None => break,
                }
            };
            let verdict = Verdict::StartAhead { instead_of };
            decisions.push(self.decision(verdict, (channel, worth), ranked.get(at + 1).copied()));
        }
        decisions
    }

    /// The channels by their worth, the least valuable one first.
    fn ranked(&self, offers: &[Offer]) -> Vec<(ChannelKey, Worth)> {
        let mut ranked: Vec<_> = offers.iter().map(|offer| (offer.channel, self.worth(offer))).collect();
        ranked.sort_by(|a, b| a.1.index.total_cmp(&b.1.index).then(a.0.cmp(&b.0)));
        ranked
    }

    const fn decision(
        &self,
        verdict: Verdict,
        (channel, worth): (ChannelKey, Worth),
        runner_up: Option<(ChannelKey, Worth)>,
    ) -> Decision {
        Decision { verdict, channel, worth, runner_up, price: self.thrift.price() }
    }
}
