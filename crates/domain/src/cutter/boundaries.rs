//! Where segments end: at pictures that decoding may begin with if at all possible, by time otherwise.
//!
//! It knows lengths and the distances of such pictures, not what is in a segment.

use std::time::Duration;

use crate::cutter::cut::Rule;
use crate::mpegts::clock::{HERTZ, Ticks, ticks};

/// By this a segment may exceed the target, and still its duration, rounded, does not.
const SLACK: Ticks = HERTZ * 2 / 5;
/// Three pictures in a row may be shown before one that is decoded before them.
const LATE: Ticks = HERTZ / 4;
/// As many distances are remembered; the longest of them is expected next.
const REMEMBERED: usize = 4;

/// Decides where segments end.
#[derive(Debug)]
pub(super) struct Boundaries {
    first: Ticks,
    usual: Ticks,
    target: Ticks,
    /// What the segment under way should last; grows to `usual`.
    wished: Ticks,
    distances: [Ticks; REMEMBERED],
    seen: usize,
    random_access: Option<Ticks>,
}

impl Boundaries {
    /// By this rule.
    pub(super) fn new(rule: &Rule) -> Self {
        let target = ticks(rule.target.max(Duration::from_secs(1)));
        let usual = ticks(rule.usual).clamp(1, target);
        let first = ticks(rule.first).clamp(1, usual);
        Self { first, usual, target, wished: first, distances: [0; REMEMBERED], seen: 0, random_access: None }
    }

    /// No segment may be longer.
    pub(super) const fn limit(&self) -> Ticks {
        self.target + SLACK
    }

    /// A segment begins; the next one may be longer, until all are as long as usual.
    pub(super) fn cut(&mut self) {
        self.wished = (self.wished * 2).min(self.usual);
    }

    /// What comes next does not continue what came.
    pub(super) const fn restart(&mut self) {
        self.random_access = None;
    }

    /// Decoding may begin at `now`.
    pub(super) fn learn(&mut self, now: Ticks) {
        if let Some(before) = self.random_access.replace(now) {
            self.distances[self.seen % REMEMBERED] = now - before;
            self.seen += 1;
        }
    }

    /// Whether a segment that has lasted `length` ends before the picture at `now`.
    pub(super) fn ends(&self, length: Ticks, now: Ticks, random_access: bool) -> bool {
        let is_opening = self.wished < self.usual;
        // The first ones are to come fast.
        let limit = if is_opening { self.limit().min(self.wished * 2) } else { self.limit() };
        let next = self.until_next(now, random_access);
        if random_access {
            return length >= self.wished
                || length >= self.first && next.is_none_or(|next| length + next > limit);
        }
        let is_long = length >= if is_opening { self.wished } else { self.share() };
        let is_awaited = next.is_some_and(|next| length + next <= limit);
        // Nobody waits for the very first one to be better.
        is_long && (!is_awaited || self.wished == self.first && is_opening)
    }

    /// How long it will be from `now` to the next picture that decoding may begin with, if what was seen holds.
    fn until_next(&self, now: Ticks, random_access: bool) -> Option<Ticks> {
        let distance = self.distance()?;
        if random_access {
            return Some(distance);
        }
        let left = self.random_access? + distance - now;
        // Pictures that are shown earlier make it late; later than that, it may come at any time, or not.
        (left > -LATE).then_some(left.max(0))
    }

    fn distance(&self) -> Option<Ticks> {
        self.distances.into_iter().max().filter(|_| self.seen > 0)
    }

    /// What a segment lasts that is cut by time: an equal share of the way, where that is known and too long for one.
    fn share(&self) -> Ticks {
        match self.distance() {
            Some(distance) if distance > self.limit() => distance / (distance / self.target + 1),
            Some(_) | None => self.target,
        }
    }
}
