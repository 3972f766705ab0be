//! Rules that know what viewers will do: bounds for all others.

use std::collections::BTreeMap;

use crate::simulate::zapping::audience::Zap;
use crate::simulate::zapping::recency::left_longest_ago;
use crate::simulate::zapping::rules::{Order, Rules};
use crate::simulate::zapping::slots::Slots;

/// What viewers will do.
#[derive(Debug)]
pub(super) struct Future {
    /// When each channel is tuned to, and what each viewer tunes to and when, in the order of time.
    by_channel: BTreeMap<u32, Vec<u64>>,
    by_viewer: BTreeMap<u32, Vec<(u64, Option<u32>)>>,
}

impl Future {
    pub(super) fn new(zaps: &[Zap]) -> Self {
        let mut future = Self { by_channel: BTreeMap::new(), by_viewer: BTreeMap::new() };
        for zap in zaps {
            future.by_viewer.entry(zap.viewer).or_default().push((zap.at, zap.channel));
            if let Some(channel) = zap.channel {
                future.by_channel.entry(channel).or_default().push(zap.at);
            }
        }
        future
    }

    /// When a channel is wanted again.
    fn wanted(&self, channel: u32, now: u64) -> u64 {
        let times = self.by_channel.get(&channel).map_or(&[][..], Vec::as_slice);
        times.get(times.partition_point(|&at| at <= now)).copied().unwrap_or(u64::MAX)
    }

    /// The next channel of a viewer, unless it switches off.
    fn next(&self, viewer: u32, now: u64) -> Option<u32> {
        let steps = self.by_viewer.get(&viewer)?;
        steps.get(steps.partition_point(|&(at, _)| at <= now))?.1
    }
}

/// Keeps what is wanted soonest (Belady's MIN).
#[derive(Debug)]
pub(super) struct Min(Future);

impl Min {
    pub(super) const fn new(future: Future) -> Self {
        Self(future)
    }
}

impl Rules for Min {
    fn victim(&mut self, slots: &Slots, now: u64) -> Option<u32> {
        slots.idle().max_by_key(|&(channel, _)| self.0.wanted(channel, now)).map(|(channel, _)| channel)
    }

    fn orders(&mut self, _slots: &Slots, _zapped: Option<u32>, _now: u64) -> Vec<Order> {
        Vec::new()
    }
}

/// Starts the next channel of the viewer who has just tuned.
#[derive(Debug)]
pub(super) struct Ideal(Future);

impl Ideal {
    pub(super) const fn new(future: Future) -> Self {
        Self(future)
    }
}

impl Rules for Ideal {
    fn victim(&mut self, slots: &Slots, _now: u64) -> Option<u32> {
        left_longest_ago(slots, |_| true)
    }

    fn orders(&mut self, slots: &Slots, zapped: Option<u32>, now: u64) -> Vec<Order> {
        let next = zapped.and_then(|viewer| Some((viewer, self.0.next(viewer, now)?)));
        let Some((ahead_of, channel)) = next.filter(|(_, channel)| !slots.running.contains_key(channel))
        else {
            return Vec::new();
        };
        let start = Order::Start { channel, ahead_of };
        if slots.free() > 0 {
            return vec![start];
        }
        left_longest_ago(slots, |_| true).map_or_else(Vec::new, |other| vec![Order::Stop(other), start])
    }
}
