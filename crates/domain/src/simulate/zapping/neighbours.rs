//! The rule of pre-joining: both neighbours are started at each switch, and kept for a minute.

use crate::simulate::zapping::recency::left_longest_ago;
use crate::simulate::zapping::rules::{Order, Rules};
use crate::simulate::zapping::slots::{Slot, Slots};

/// For how many milliseconds a neighbour is kept.
const KEPT: u64 = 60_000;

/// The rule.
#[derive(Debug)]
pub(super) struct Neighbours {
    channels: u32,
    latest: u32,
}

impl Neighbours {
    pub(super) const fn new(channels: u32) -> Self {
        Self { channels, latest: 0 }
    }
}

/// When a channel that was started ahead stops, if nobody comes.
fn ends(slot: &Slot) -> Option<u64> {
    slot.ahead_of.map(|_| slot.left_at + KEPT)
}

impl Rules for Neighbours {
    fn tuned(&mut self, _viewer: u32, channel: u32, _now: u64) {
        self.latest = channel;
    }

    fn victim(&mut self, slots: &Slots, _now: u64) -> Option<u32> {
        left_longest_ago(slots, |_| true)
    }

    fn orders(&mut self, slots: &Slots, zapped: Option<u32>, now: u64) -> Vec<Order> {
        let over = slots.idle().filter(|(_, slot)| ends(slot).is_some_and(|at| at <= now));
        let mut orders: Vec<_> = over.map(|(channel, _)| Order::Stop(channel)).collect();
        let Some(ahead_of) = zapped else { return orders };
        let count = self.channels.max(1);
        let neighbours = [(self.latest + 1) % count, (self.latest + count - 1) % count];
        let mut free = slots.free() + orders.len();
        let mut gone: Vec<u32> = Vec::new();
        for channel in neighbours.into_iter().filter(|channel| !slots.running.contains_key(channel)) {
            if free > 0 {
                free -= 1;
            } else {
                let stays = |other: u32| {
                    neighbours.contains(&other)
                        || gone.contains(&other)
                        || orders.contains(&Order::Stop(other))
                };
                let Some(other) = left_longest_ago(slots, |other| !stays(other)) else { break };
                gone.push(other);
                orders.push(Order::Stop(other));
            }
            orders.push(Order::Start { channel, ahead_of });
        }
        orders
    }

    fn deadline(&self, slots: &Slots, _now: u64) -> Option<u64> {
        slots.idle().filter_map(|(_, slot)| ends(slot)).min()
    }
}
