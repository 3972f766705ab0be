//! The slots of a simulated gateway: which channels run, since when, and who watches them.

use std::collections::{BTreeMap, BTreeSet};

/// A channel that runs.
#[derive(Clone, Debug)]
pub(super) struct Slot {
    pub(super) started_at: u64,
    pub(super) ready_at: u64,
    /// When its last viewer left, or it was started for nobody.
    pub(super) left_at: u64,
    pub(super) viewers: BTreeSet<u32>,
    /// The viewer for whom it was started ahead, until somebody watches it.
    pub(super) ahead_of: Option<u32>,
}

/// All that run.
#[derive(Clone, Debug)]
pub(super) struct Slots {
    pub(super) limit: usize,
    pub(super) running: BTreeMap<u32, Slot>,
}

impl Slots {
    /// Those that nobody watches.
    pub(super) fn idle(&self) -> impl Iterator<Item = (u32, &Slot)> {
        let idle = self.running.iter().filter(|(_, slot)| slot.viewers.is_empty());
        idle.map(|(&channel, slot)| (channel, slot))
    }

    /// How many more channels may run.
    pub(super) fn free(&self) -> usize {
        self.limit.saturating_sub(self.running.len())
    }
}
