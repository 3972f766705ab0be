//! One listing of a window: its segments in order, each a run of pieces, and which of them are listed.
//!
//! It holds no content, and does not know when a piece may be dropped.

use std::collections::VecDeque;
use std::ops::Range;
use std::time::Duration;

use crate::playlist::Listed;
use crate::window::listing::JoinPoint;
use crate::window::text::{ListText, Text};

/// A playlist is longer than it should be by this much at most, so that it starts with a random access point.
pub(super) const FARTHEST_BACK: Duration = Duration::from_secs(12);

/// The least length of a live playlist, in target durations, once it has been that long (6.2.2).
pub(super) const LISTED_TARGETS: u32 = 3;

/// A segment of a listing.
#[derive(Clone, Debug)]
pub(super) struct Entry {
    pub(super) listed: Listed,
    /// The numbers of its pieces.
    pub(super) pieces: Range<u64>,
    /// Whether a playlist may start with it.
    pub(super) independent: bool,
    /// How much of the stream is before it.
    pub(super) begins: Duration,
}

/// How long the lists of a stream are.
#[derive(Clone, Copy, Debug)]
pub struct ListLengths {
    /// The length of a list whose viewer does not reach back farther.
    pub least: Duration,
    /// How far back the list of a viewer reaches at most. At least `least`.
    pub most: Duration,
}

/// The segments of one listing.
///
/// Invariant: sequence numbers are consecutive and never reused.
#[derive(Clone, Debug)]
pub(super) struct Index {
    pub(super) entries: VecDeque<Entry>,
    pub(super) text: Text,
    pub(super) next_sequence: u64,
    pub(super) discontinuities: u64,
    /// How long the stream is.
    pub(super) ends: Duration,
    /// The oldest segment that lists name.
    pub(super) listed_from: u64,
    /// The oldest segment that the lists of new viewers name.
    pub(super) recent_from: u64,
    /// New viewers get no older segment.
    pub(super) current_from: u64,
}

/// What is known of a segment before it is numbered.
#[derive(Clone, Debug)]
pub(super) struct Run {
    pub(super) duration: Duration,
    pub(super) discontinuity: bool,
    pub(super) independent: bool,
    /// When it began, since 1970.
    pub(super) date: Duration,
    pub(super) pieces: Range<u64>,
}

impl Index {
    pub(super) fn new(first: u64) -> Self {
        Self {
            entries: VecDeque::new(),
            text: Text::new(first),
            next_sequence: first,
            discontinuities: first,
            ends: Duration::ZERO,
            listed_from: first,
            recent_from: first,
            current_from: first,
        }
    }

    /// Appends a segment. Some viewer's list reaches back to the segment `reached`, if any does.
    pub(super) fn push(&mut self, run: Run, reached: Option<u64>, lengths: ListLengths) {
        let discontinuity = run.discontinuity && !self.entries.is_empty();
        let date = match self.entries.back().map(|last| last.listed).filter(|_| !discontinuity) {
            Some(last) => last.date + last.duration,
            None => run.date,
        };
        let listed = Listed {
            sequence: self.next_sequence,
            duration: run.duration,
            discontinuity,
            discontinuity_sequence: self.discontinuities,
            date,
        };
        self.discontinuities += u64::from(discontinuity);
        self.next_sequence += 1;
        self.text.push(&listed);
        let Run { pieces, independent, duration, .. } = run;
        self.entries.push_back(Entry { listed, pieces, independent, begins: self.ends });
        self.ends += duration;
        self.recent_from = self.beginning_before(self.suffix_lasting(lengths.least)).max(self.recent_from);
        let farthest = self.suffix_lasting(lengths.most);
        let farthest =
            if farthest > self.listed_from { self.beginning_before(farthest) } else { self.listed_from };
        let needed = reached.map_or(self.recent_from, |reached| reached.min(self.recent_from));
        self.listed_from = self.listed_from.max(needed.max(farthest));
    }

    /// Lists name no segment any more that has a piece before `piece`, but for those that new viewers may be given.
    pub(super) fn unlist_before(&mut self, piece: u64) {
        let first = self.entries.partition_point(|entry| entry.pieces.start < piece);
        let independent = self.entries.range(first..).find(|entry| entry.independent);
        let sequence = independent.map_or(self.recent_from, |entry| entry.listed.sequence);
        self.listed_from = self.listed_from.max(sequence.min(self.recent_from));
    }

    /// The last segment at or before `sequence` that a playlist may start with, of those that are listed; or `sequence` if the last one
    /// is too far away.
    fn beginning_before(&self, sequence: u64) -> u64 {
        let Some(first) = self.entries.front() else { return sequence };
        let end = usize::try_from((sequence + 1).saturating_sub(first.listed.sequence)).unwrap_or(usize::MAX);
        let listed = self.entries.range(..end.min(self.entries.len())).rev();
        let mut back = Duration::ZERO;
        for entry in listed.take_while(|entry| entry.listed.sequence >= self.listed_from) {
            if entry.independent {
                return entry.listed.sequence;
            }
            back += entry.listed.duration;
            if back > FARTHEST_BACK {
                break;
            }
        }
        sequence.max(self.listed_from)
    }

    pub(super) fn get(&self, sequence: u64) -> Option<&Entry> {
        let first = self.entries.front()?.listed.sequence;
        self.entries.get(usize::try_from(sequence.checked_sub(first)?).ok()?)
    }

    pub(super) const fn newest(&self) -> u64 {
        self.next_sequence.saturating_sub(1)
    }

    /// The longest segment.
    pub(super) fn longest(&self) -> Duration {
        self.entries.iter().map(|entry| entry.listed.duration).max().unwrap_or_default()
    }

    /// How many segments there are, and how long they are together.
    pub(super) fn extent(&self) -> (usize, Duration) {
        (self.entries.len(), self.entries.iter().map(|entry| entry.listed.duration).sum())
    }

    /// The first of the fewest newest segments that last `span`, are `least` or last `enough`, and start with a random access point.
    /// `None` while there are none.
    pub(super) fn join(&self, span: Duration, least: u64, enough: Duration) -> Option<u64> {
        let oldest = self.recent_from.max(self.current_from);
        let wished = self.suffix_lasting(span).max(oldest);
        let is_enough = |entry: &&Entry| {
            self.next_sequence - entry.listed.sequence >= least || self.ends - entry.begins >= enough
        };
        let mut beginnings = self.from(oldest).filter(|entry| entry.independent);
        let first = beginnings.next().filter(is_enough)?;
        let others = beginnings.take_while(|entry| entry.listed.sequence <= wished);
        Some(others.take_while(is_enough).last().unwrap_or(first).listed.sequence)
    }

    /// The last segment that began at `since` at the latest and that a list may start with; else the first one after it.
    pub(super) fn join_at(&self, since: Duration) -> Option<u64> {
        let listed = self.from(self.listed_from.max(self.current_from));
        let mut beginnings = listed.filter(|entry| entry.independent).map(|entry| entry.listed);
        let first = beginnings.next()?;
        let last = beginnings.take_while(|listed| listed.date <= since).last();
        Some(last.unwrap_or(first).sequence)
    }

    pub(super) const fn is_interrupted(&self) -> bool {
        self.current_from == self.next_sequence
    }

    pub(super) const fn interrupt(&mut self) {
        self.current_from = self.next_sequence;
    }

    /// The segment that the list of a viewer who joined at `start` begins with by now, if it does not grow as far as others.
    pub(super) fn slid(&self, start: JoinPoint) -> u64 {
        let JoinPoint { sequence, target, longest, .. } = start;
        let Some(longest) = longest else { return sequence };
        let span = longest.max(target * LISTED_TARGETS);
        self.beginning_before(self.suffix_lasting(span)).max(sequence)
    }

    /// Whether a list that began with this segment still begins with it.
    pub(super) const fn reaches(&self, sequence: u64) -> bool {
        self.listed_from <= sequence
    }

    /// The segments of a list that began at `start`.
    pub(super) fn list(&self, start: u64) -> impl Iterator<Item = Listed> {
        self.from(start.max(self.listed_from)).map(|entry| entry.listed)
    }

    /// The text of that list, behind a head for its first segment.
    pub(super) fn text(&self, start: u64, head: impl FnOnce(Option<Listed>) -> String) -> ListText {
        let start = start.max(self.listed_from);
        self.text.from(start, head(self.from(start).next().map(|entry| entry.listed)))
    }

    fn from(&self, sequence: u64) -> impl Iterator<Item = &Entry> {
        let first = self.entries.front().map_or(self.next_sequence, |entry| entry.listed.sequence);
        let skipped = usize::try_from(sequence.saturating_sub(first)).unwrap_or(usize::MAX);
        self.entries.range(skipped.min(self.entries.len())..)
    }

    pub(super) const fn recent_from(&self) -> u64 {
        self.recent_from
    }

    /// The number of the first piece of the segments that new viewers may be given.
    pub(super) fn recent_from_piece(&self) -> Option<u64> {
        self.get(self.recent_from).map(|entry| entry.pieces.start)
    }

    /// The number of the oldest piece that is listed; `None` if nothing is.
    pub(super) fn listed_from_piece(&self) -> Option<u64> {
        self.get(self.listed_from).map(|entry| entry.pieces.start)
    }

    /// Forgets the segments that have lost a piece older than `piece`.
    pub(super) fn forget_before(&mut self, piece: u64) {
        while self.entries.pop_front_if(|entry| entry.pieces.start < piece).is_some() {}
        let first = self.entries.front().map_or(self.next_sequence, |entry| entry.listed.sequence);
        self.text.forget_before(first);
    }

    /// The number of the segment that starts the shortest suffix of at least `span`; the oldest one if there is none.
    fn suffix_lasting(&self, span: Duration) -> u64 {
        let end = self.ends.checked_sub(span);
        let longer = end.map_or(0, |end| self.entries.partition_point(|entry| entry.begins <= end));
        let entry = self.entries.get(longer.saturating_sub(1));
        entry.map_or(self.next_sequence, |entry| entry.listed.sequence)
    }
}
