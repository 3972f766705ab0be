//! The rule of the gateway that came before (docs/worth.md 4): a score of history and age, ten minutes at most, and the usual successor
//! of a channel started into a free slot once its viewer has stayed for five seconds.

use std::collections::BTreeMap;

use crate::simulate::zapping::rules::{Order, Rules};
use crate::simulate::zapping::slots::{Slot, Slots};

/// After how many milliseconds an idle channel stops, and how often that is looked at.
const TIMEOUT: u64 = 600_000;
const SWEEP: u64 = 60_000;
/// For how many milliseconds a viewer must have stayed before anything is started ahead of it.
const GRACE: u64 = 5_000;

/// What is known of a viewer.
#[derive(Debug, Default)]
struct Known {
    tunes: BTreeMap<u32, f64>,
    followed: BTreeMap<(u32, u32), u32>,
    /// Where it is, since when, and whether that was long enough ago to have been acted on.
    place: Option<(u32, u64, bool)>,
}

/// The rule.
#[derive(Debug, Default)]
pub(super) struct Predecessor {
    viewers: BTreeMap<u32, Known>,
    /// The viewer who tuned to a channel last.
    owners: BTreeMap<u32, u32>,
}

impl Predecessor {
    fn score(&self, channel: u32, slot: &Slot, now: u64) -> f64 {
        let owner = slot.ahead_of.or_else(|| self.owners.get(&channel).copied());
        let history = owner.and_then(|owner| self.viewers.get(&owner)).map_or(0.0, |known| {
            let all: f64 = known.tunes.values().sum();
            known.tunes.get(&channel).copied().unwrap_or_default() / all.max(1.0)
        });
        history - now.saturating_sub(slot.left_at) as f64 / 60_000.0
    }
}

/// The first sweep after a channel's time is over.
fn sweep(slot: &Slot) -> u64 {
    (slot.left_at + TIMEOUT).div_ceil(SWEEP) * SWEEP
}

impl Rules for Predecessor {
    fn tuned(&mut self, viewer: u32, channel: u32, now: u64) {
        let known = self.viewers.entry(viewer).or_default();
        if let Some((before, _, _)) = known.place {
            *known.followed.entry((before, channel)).or_default() += 1;
        }
        *known.tunes.entry(channel).or_default() += 1.0;
        known.place = Some((channel, now, false));
        self.owners.insert(channel, viewer);
    }

    fn left(&mut self, viewer: u32, _now: u64) {
        if let Some(known) = self.viewers.get_mut(&viewer) {
            known.place = None;
        }
    }

    fn victim(&mut self, slots: &Slots, now: u64) -> Option<u32> {
        let scored = slots.idle().map(|(channel, slot)| (self.score(channel, slot, now), channel));
        scored.min_by(|a, b| a.0.total_cmp(&b.0)).map(|(_, channel)| channel)
    }

    fn orders(&mut self, slots: &Slots, _zapped: Option<u32>, now: u64) -> Vec<Order> {
        let over = slots.idle().filter(|(_, slot)| sweep(slot) <= now);
        let mut orders: Vec<_> = over.map(|(channel, _)| Order::Stop(channel)).collect();
        let mut free = slots.free();
        for (&ahead_of, known) in &mut self.viewers {
            let Some((channel, since, is_done)) = &mut known.place else { continue };
            if *is_done || *since + GRACE > now {
                continue;
            }
            *is_done = true;
            let successors = known.followed.range((*channel, 0)..=(*channel, u32::MAX));
            let usual = successors.max_by_key(|&(_, &count)| count).map(|(&(_, next), _)| next);
            let Some(channel) = usual.filter(|next| free > 0 && !slots.running.contains_key(next)) else {
                continue;
            };
            let start = Order::Start { channel, ahead_of };
            if !orders
                .iter()
                .any(|order| matches!(order, Order::Start { channel: other, .. } if *other == channel))
            {
                free -= 1;
                orders.push(start);
            }
        }
        orders
    }

    fn deadline(&self, slots: &Slots, _now: u64) -> Option<u64> {
        let waits = self.viewers.values().filter_map(|known| known.place.filter(|&(_, _, is_done)| !is_done));
        let graces = waits.map(|(_, since, _)| since + GRACE);
        slots.idle().map(|(_, slot)| sweep(slot)).chain(graces).min()
    }
}
