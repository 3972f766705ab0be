//! A gateway reduced to its slots: a rule says what runs in them (docs/worth.md 4).

use std::collections::{BTreeMap, BTreeSet};

use crate::simulate::zapping::gateway::Gateway;
use crate::simulate::zapping::ledger::{Done, Ledger};
use crate::simulate::zapping::rules::{Order, Rules};
use crate::simulate::zapping::slots::{Slot, Slots};

/// What a viewer waits for a warm channel, and how much longer for one that another channel makes room for, in milliseconds.
const WARM: u64 = 350;
const EVICTION: u64 = 500;

/// The gateway.
pub(super) struct SlotGateway<'a> {
    slots: Slots,
    rules: Box<dyn Rules + 'a>,
    /// How long a channel takes from its start until it is shown, in milliseconds.
    cold: Vec<u64>,
    watches: BTreeMap<u32, u32>,
    deadline: Option<u64>,
}

impl<'a> SlotGateway<'a> {
    pub(super) fn new(limit: usize, cold: Vec<u64>, rules: Box<dyn Rules + 'a>) -> Self {
        let slots = Slots { limit, running: BTreeMap::new() };
        Self { slots, rules, cold, watches: BTreeMap::new(), deadline: None }
    }

    fn leave(&mut self, viewer: u32, now: u64) {
        let Some(channel) = self.watches.remove(&viewer) else { return };
        if let Some(slot) = self.slots.running.get_mut(&channel) {
            slot.viewers.remove(&viewer);
            slot.left_at = now;
        }
    }

    fn start(&mut self, channel: u32, ahead_of: Option<u32>, now: u64, ledger: &mut Ledger) {
        let takes = usize::try_from(channel).ok().and_then(|place| self.cold.get(place));
        let takes = takes.copied().unwrap_or_default();
        let viewers = BTreeSet::new();
        let slot = Slot { started_at: now, ready_at: now + takes, left_at: now, viewers, ahead_of };
        self.slots.running.insert(channel, slot);
        self.rules.started(channel, takes);
        ledger.done(Done::Started { channel, is_ahead: ahead_of.is_some() }, now);
    }

    fn stop(&mut self, channel: u32, now: u64, ledger: &mut Ledger) {
        if self.slots.running.remove(&channel).is_some() {
            ledger.done(Done::Stopped { channel }, now);
        }
    }

    /// Makes room for a channel that a viewer asks for. Returns whether a channel was stopped for it, and whether there is room.
    fn make_room(&mut self, now: u64, ledger: &mut Ledger) -> (bool, bool) {
        let mut has_evicted = false;
        while self.slots.free() == 0 {
            let Some(victim) = self.rules.victim(&self.slots, now) else { return (has_evicted, false) };
            self.stop(victim, now, ledger);
            has_evicted = true;
        }
        (has_evicted, true)
    }

    fn settle(&mut self, zapped: Option<u32>, now: u64, ledger: &mut Ledger) {
        for order in self.rules.orders(&self.slots, zapped, now) {
            match order {
                Order::Stop(channel) => self.stop(channel, now, ledger),
                Order::Start { channel, ahead_of } => self.start(channel, Some(ahead_of), now, ledger),
            }
        }
        self.deadline = self.rules.deadline(&self.slots, now);
    }
}

impl Gateway for SlotGateway<'_> {
    fn tuned(&mut self, viewer: u32, channel: u32, now: u64, ledger: &mut Ledger) {
        self.leave(viewer, now);
        self.rules.tuned(viewer, channel, now);
        let (mut is_warm, mut extra, mut is_refused) = (false, 0, false);
        if let Some(slot) = self.slots.running.get(&channel) {
            is_warm = slot.ready_at <= now;
        } else {
            let (has_evicted, has_room) = self.make_room(now, ledger);
            extra = if has_evicted { EVICTION } else { 0 };
            is_refused = !has_room;
            self.start(channel, None, now, ledger);
        }
        if let Some(slot) = self.slots.running.get_mut(&channel) {
            slot.ready_at += extra;
            slot.viewers.insert(viewer);
            slot.ahead_of = None;
            let wait = slot.ready_at.saturating_sub(now).max(WARM);
            ledger.done(Done::Served { wait, is_warm, is_refused }, now);
        }
        self.watches.insert(viewer, channel);
        self.settle(Some(viewer), now, ledger);
    }

    fn left(&mut self, viewer: u32, now: u64, ledger: &mut Ledger) {
        self.leave(viewer, now);
        self.rules.left(viewer, now);
        self.settle(None, now, ledger);
    }

    fn next_deadline(&self) -> Option<u64> {
        self.deadline
    }

    fn wake(&mut self, now: u64, ledger: &mut Ledger) {
        self.settle(None, now, ledger);
    }
}
