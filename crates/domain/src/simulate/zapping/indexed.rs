//! The rule of the index: `domain::prediction` and `domain::value`, as the pool uses them.

use std::time::Duration;

use crate::prediction::{ChannelKey, ChannelOrder, Prediction, ViewerKey};
use crate::simulate::zapping::audience::hour;
use crate::simulate::zapping::rules::{Order, Rules};
use crate::simulate::zapping::slots::{Slot, Slots};
use crate::time::Timestamp;
use crate::value::{
    Appraisal, ColdWaits, Decision, Idle, Offer, Readiness, Room, Thrift, Verdict, next_time_out,
};

/// How many slots are left free for whatever a viewer asks for.
const RESERVE: usize = 1;
/// The most channels that are starting ahead of one viewer.
const STARTING: usize = 2;

/// The rule.
#[derive(Debug)]
pub(super) struct Indexed {
    thrift: Thrift,
    prediction: Prediction,
    waits: ColdWaits,
    /// Until when it is known who has begun to view.
    settled_until: u64,
}

impl Indexed {
    pub(super) fn new(thrift: Thrift, channels: u32) -> Self {
        let mut prediction = Prediction::default();
        prediction.set_order(ChannelOrder::new((0..channels).map(ChannelKey).collect()));
        Self { thrift, prediction, waits: ColdWaits::default(), settled_until: 0 }
    }

    fn appraisal(&self, now: u64) -> Appraisal<'_> {
        let at = Timestamp::from_millis(now);
        Appraisal::new(self.prediction.at(at, hour(now)), &self.waits, self.thrift, at)
    }
}

/// What is to be done, and what is idle and free after it.
struct Plan {
    orders: Vec<Order>,
    idle: Vec<Idle>,
    free: usize,
}

impl Plan {
    fn stop(&mut self, channel: ChannelKey) {
        self.orders.push(Order::Stop(channel.0));
        self.idle.retain(|idle| idle.offer.channel != channel);
        self.free += 1;
    }

    fn starts(&self, channel: ChannelKey) -> bool {
        self.orders.iter().any(|order| match order {
            Order::Start { channel: other, .. } => *other == channel.0,
            Order::Stop(_) => false,
        })
    }

    fn start(&mut self, decision: &Decision, ahead_of: u32) {
        match decision.verdict {
            Verdict::StartAhead { instead_of } => {
                if let Some(other) = instead_of {
                    self.stop(other);
                }
                let start = Order::Start { channel: decision.channel.0, ahead_of };
                self.free = self.free.saturating_sub(1);
                self.orders.push(start);
            }
            Verdict::Evict | Verdict::TimeOut => {}
        }
    }
}

fn offer(channel: u32, readiness: Readiness) -> Offer {
    Offer { channel: ChannelKey(channel), readiness, price: 1.0 }
}

fn idle(slots: &Slots, now: u64) -> Vec<Idle> {
    let idle = slots.idle().map(|(channel, slot)| {
        let started_at = Timestamp::from_millis(slot.started_at);
        let is_ready = slot.ready_at <= now;
        let readiness = if is_ready { Readiness::Ready } else { Readiness::Starting(started_at) };
        Idle { offer: offer(channel, readiness), started_at }
    });
    idle.collect()
}

fn offers(slots: &Slots, now: u64) -> Vec<Offer> {
    idle(slots, now).into_iter().map(|idle| idle.offer).collect()
}

impl Rules for Indexed {
    fn tuned(&mut self, viewer: u32, channel: u32, now: u64) {
        let (viewer, channel) = (ViewerKey(viewer), ChannelKey(channel));
        self.prediction.tuned(viewer, channel, Timestamp::from_millis(now), hour(now));
    }

    fn left(&mut self, viewer: u32, now: u64) {
        self.prediction.left(ViewerKey(viewer), Timestamp::from_millis(now));
    }

    fn started(&mut self, channel: u32, took: u64) {
        self.waits.measured(ChannelKey(channel), Duration::from_millis(took));
    }

    fn victim(&mut self, slots: &Slots, now: u64) -> Option<u32> {
        self.appraisal(now).victim(&offers(slots, now)).map(|decision| decision.channel.0)
    }

    fn orders(&mut self, slots: &Slots, zapped: Option<u32>, now: u64) -> Vec<Order> {
        let (since, at) = (Timestamp::from_millis(self.settled_until), Timestamp::from_millis(now));
        let appraisal = self.appraisal(now);
        let mut plan = Plan { orders: Vec::new(), idle: idle(slots, now), free: slots.free() };
        for decision in appraisal.time_outs(&offers(slots, now)) {
            plan.stop(decision.channel);
        }
        plan.free = plan.free.saturating_sub(RESERVE);
        let settled = self.prediction.settled(since, at).map(|viewer| viewer.0);
        for viewer in zapped.into_iter().chain(settled) {
            let candidates = self.prediction.candidates(ViewerKey(viewer), at).into_iter();
            let candidates = candidates.filter(|channel| !slots.running.contains_key(&channel.0));
            // Two viewers who settle at the same moment may be expected at the same channel.
            let candidates = candidates.filter(|channel| !plan.starts(*channel));
            let candidates = candidates.map(|channel| offer(channel.0, Readiness::NotStarted));
            let is_starting = |slot: &&Slot| slot.ahead_of == Some(viewer) && slot.ready_at > now;
            let starting = slots.running.values().filter(is_starting).count();
            let room = Room { free: plan.free, starts: STARTING.saturating_sub(starting) };
            for decision in appraisal.starts(&candidates.collect::<Vec<_>>(), &plan.idle, room) {
                plan.start(&decision, viewer);
            }
        }
        self.settled_until = now;
        plan.orders
    }

    fn deadline(&self, slots: &Slots, now: u64) -> Option<u64> {
        let at = Timestamp::from_millis(now);
        let offers = offers(slots, now);
        let dear = next_time_out(&offers, &self.prediction, &self.waits, self.thrift, at, hour(now));
        let next = dear.into_iter().chain(self.prediction.next_settled(at)).min()?;
        u64::try_from(next.elapsed().as_millis()).ok()
    }
}
