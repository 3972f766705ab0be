//! Decides where pieces end: at random access points, and between them by length.
//!
//! It knows lengths and distances only, not what a piece contains.

use std::time::Duration;

use crate::cutter::cut::Rule;
use crate::mpegts::clock::{HERTZ, Ticks, ticks};
use crate::playlist;

/// How much longer than the target a piece may be so that its rounded duration still is not.
const SLACK: Ticks = HERTZ * 2 / 5;
/// A random access point may come late by three pictures that are presented before it.
const LATE: Ticks = HERTZ / 4;
/// How many distances are remembered; the longest of them is expected next.
const REMEMBERED: usize = 4;

/// Decides where pieces end.
#[derive(Debug)]
pub(super) struct Boundaries {
    piece: Ticks,
    limit: Ticks,
    first_limit: Ticks,
    distances: [Ticks; REMEMBERED],
    seen: usize,
    random_access: Option<Ticks>,
    /// Between the last two random access points.
    last_distance: Option<Ticks>,
}

impl Boundaries {
    /// Decides by `rule`.
    pub(super) fn new(rule: &Rule) -> Self {
        let limit = ticks(rule.target.max(Duration::from_secs(1))) + SLACK;
        let piece = ticks(rule.piece).clamp(1, limit);
        let first_limit = ticks(rule.first).max(limit);
        Self {
            piece,
            limit,
            first_limit,
            last_distance: None,
            distances: [0; REMEMBERED],
            seen: 0,
            random_access: None,
        }
    }

    /// The longest that a piece may be; the very first one if `is_first`.
    pub(super) const fn limit(&self, is_first: bool) -> Ticks {
        if is_first { self.first_limit } else { self.limit }
    }

    /// Notes the duration of the very first piece: the others may be as long.
    pub(super) fn began_with(&mut self, first: Duration) {
        self.limit = self.limit.max(ticks(playlist::least_target(first)) + SLACK);
    }

    /// Notes that the stream is interrupted.
    pub(super) const fn restart(&mut self) {
        self.random_access = None;
        self.last_distance = None;
    }

    /// Notes a random access point at `now`.
    pub(super) fn learn(&mut self, now: Ticks) {
        if let Some(before) = self.random_access.replace(now) {
            self.distances[self.seen % REMEMBERED] = now - before;
            self.last_distance = Some(now - before);
            self.seen += 1;
        }
    }

    /// Whether a piece that is `length` long ends before the picture at `now`.
    pub(super) fn ends(&self, length: Ticks, now: Ticks, random_access: bool) -> bool {
        let half = self.piece / 2;
        if random_access {
            let next_is_too_late = self.distance().is_none_or(|next| length + next > self.piece + half);
            // However short the piece: such groups do not follow each other more quickly than pieces do.
            let ends_long_group = self.last_distance.is_some_and(|distance| distance >= self.piece);
            return length >= self.piece || ends_long_group || length >= half && next_is_too_late;
        }
        let is_better_end_near =
            self.until_next(now).is_some_and(|next| next < half && length + next <= self.limit);
        length >= self.share() && !is_better_end_near
    }

    /// How long until the next random access point, judged by past distances; `None` if that is unknown.
    fn until_next(&self, now: Ticks) -> Option<Ticks> {
        let left = self.random_access? + self.distance()? - now;
        // Later than `LATE` it is overdue, and nothing is known of it any more.
        (left > -LATE).then_some(left.max(0))
    }

    fn distance(&self) -> Option<Ticks> {
        self.distances.into_iter().max().filter(|_| self.seen > 0)
    }

    /// The length of a piece between two random access points: an equal share of their distance.
    fn share(&self) -> Ticks {
        let shares = |distance| (distance + self.piece / 2) / self.piece;
        self.distance().map_or(self.piece, |distance| distance / shares(distance).max(1))
    }
}
