//! Decides where segments end: at random access points where they come in time, else by length.
//!
//! It knows lengths and distances only, not what a segment contains.

use std::time::Duration;

use crate::cutter::cut::Rule;
use crate::mpegts::clock::{HERTZ, Ticks, ticks};

/// How much longer than the target a segment may be so that its rounded duration still is not.
const SLACK: Ticks = HERTZ * 2 / 5;
/// A random access point may come late by three pictures that are presented before it.
const LATE: Ticks = HERTZ / 4;
/// How many distances are remembered; the longest of them is expected next.
const REMEMBERED: usize = 4;

/// Decides where segments end.
#[derive(Debug)]
pub(super) struct Boundaries {
    first: Ticks,
    usual: Ticks,
    target: Ticks,
    /// How long the current segment should be; grows to `usual`.
    wished: Ticks,
    distances: [Ticks; REMEMBERED],
    seen: usize,
    random_access: Option<Ticks>,
}

impl Boundaries {
    /// Decides by `rule`.
    pub(super) fn new(rule: &Rule) -> Self {
        let target = ticks(rule.target.max(Duration::from_secs(1)));
        let usual = ticks(rule.usual).clamp(1, target);
        let first = ticks(rule.first).clamp(1, usual);
        Self { first, usual, target, wished: first, distances: [0; REMEMBERED], seen: 0, random_access: None }
    }

    /// The longest that a segment may be.
    pub(super) const fn limit(&self) -> Ticks {
        self.target + SLACK
    }

    /// Notes that a segment ended. Lengths double until they reach the usual one.
    pub(super) fn cut(&mut self) {
        self.wished = (self.wished * 2).min(self.usual);
    }

    /// Notes that the stream is interrupted.
    pub(super) const fn restart(&mut self) {
        self.random_access = None;
    }

    /// Notes a random access point at `now`.
    pub(super) fn learn(&mut self, now: Ticks) {
        if let Some(before) = self.random_access.replace(now) {
            self.distances[self.seen % REMEMBERED] = now - before;
            self.seen += 1;
        }
    }

    /// Whether a segment that is `length` long ends before the picture at `now`.
    pub(super) fn ends(&self, length: Ticks, now: Ticks, random_access: bool) -> bool {
        let is_opening = self.wished < self.usual;
        // The first segments should come quickly.
        let limit = if is_opening { self.limit().min(self.wished * 2) } else { self.limit() };
        let next = self.until_next(now, random_access);
        if random_access {
            return length >= self.wished
                || length >= self.first && next.is_none_or(|next| length + next > limit);
        }
        let is_long = length >= if is_opening { self.wished } else { self.share() };
        let is_awaited = next.is_some_and(|next| length + next <= limit);
        // The very first segment does not wait for a better end.
        is_long && (!is_awaited || self.wished == self.first && is_opening)
    }

    /// How long until the next random access point, judged by past distances; `None` if that is unknown.
    fn until_next(&self, now: Ticks, random_access: bool) -> Option<Ticks> {
        let distance = self.distance()?;
        if random_access {
            return Some(distance);
        }
        let left = self.random_access? + distance - now;
        // Later than `LATE` it is overdue, and nothing is known of it any more.
        (left > -LATE).then_some(left.max(0))
    }

    fn distance(&self) -> Option<Ticks> {
        self.distances.into_iter().max().filter(|_| self.seen > 0)
    }

    /// The length of a segment that ends by length: if random access points are farther apart than a segment may be long,
    /// an equal share of their distance.
    fn share(&self) -> Ticks {
        match self.distance() {
            Some(distance) if distance > self.limit() => distance / (distance / self.target + 1),
            Some(_) | None => self.target,
        }
    }
}
