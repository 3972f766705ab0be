//! Rules that start nothing ahead: they order what is idle by one measure.

use std::collections::BTreeMap;

use crate::simulate::zapping::rules::{Order, Rules};
use crate::simulate::zapping::slots::{Slot, Slots};

/// By what the idle channels are ordered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Measure {
    /// When it was left.
    Recency,
    /// How often it was tuned to.
    Frequency,
    /// How often, times its cold wait, on top of what the last channel was worth that made room.
    GreedyDual,
}

/// The rule.
#[derive(Debug)]
pub(super) struct Keeping {
    measure: Measure,
    /// After how many milliseconds an idle channel stops; `None` if it does not.
    timeout: Option<u64>,
    cold: Vec<u64>,
    tunes: BTreeMap<u32, f64>,
    /// GreedyDual's priorities, and the one of the last channel that made room.
    priorities: BTreeMap<u32, f64>,
    inflation: f64,
}

impl Keeping {
    pub(super) const fn new(measure: Measure, timeout: Option<u64>, cold: Vec<u64>) -> Self {
        Self { measure, timeout, cold, tunes: BTreeMap::new(), priorities: BTreeMap::new(), inflation: 0.0 }
    }

    fn rank(&self, channel: u32, slot: &Slot) -> f64 {
        let of = |counts: &BTreeMap<u32, f64>| counts.get(&channel).copied().unwrap_or_default();
        match self.measure {
            Measure::Recency => slot.left_at as f64,
            Measure::Frequency => of(&self.tunes),
            Measure::GreedyDual => of(&self.priorities),
        }
    }

    fn ends(&self, slot: &Slot) -> Option<u64> {
        Some(slot.left_at + self.timeout?)
    }
}

impl Rules for Keeping {
    fn tuned(&mut self, _viewer: u32, channel: u32, _now: u64) {
        let tunes = self.tunes.entry(channel).or_default();
        *tunes += 1.0;
        let cold = usize::try_from(channel).ok().and_then(|place| self.cold.get(place));
        let cost = cold.map_or(0.0, |&cold| cold as f64 / 1000.0);
        self.priorities.insert(channel, self.inflation + *tunes * cost);
    }

    fn victim(&mut self, slots: &Slots, _now: u64) -> Option<u32> {
        let ranked = slots.idle().map(|(channel, slot)| (self.rank(channel, slot), channel));
        let (rank, channel) = ranked.min_by(|a, b| a.0.total_cmp(&b.0))?;
        self.inflation = rank;
        Some(channel)
    }

    fn orders(&mut self, slots: &Slots, _zapped: Option<u32>, now: u64) -> Vec<Order> {
        let over = slots.idle().filter(|(_, slot)| self.ends(slot).is_some_and(|at| at <= now));
        over.map(|(channel, _)| Order::Stop(channel)).collect()
    }

    fn deadline(&self, slots: &Slots, _now: u64) -> Option<u64> {
        slots.idle().filter_map(|(_, slot)| self.ends(slot)).min()
    }
}
