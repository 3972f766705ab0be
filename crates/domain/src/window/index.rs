//! One listing of a window: its segments in order, each a run of pieces, and which of them are listed.
//!
//! It holds no content, and does not know when a piece may be dropped.

use std::collections::VecDeque;
use std::ops::Range;
use std::time::Duration;

use crate::playlist::Listed;

/// A playlist is longer than it should be by this much at most, so that it starts with a random access point.
pub(super) const FARTHEST_BACK: Duration = Duration::from_secs(12);

/// A segment of a listing.
#[derive(Clone, Debug)]
pub(super) struct Entry {
    pub(super) listed: Listed,
    /// The numbers of its pieces.
    pub(super) pieces: Range<u64>,
    /// Whether a playlist may start with it.
    independent: bool,
}

/// The segments of one listing.
///
/// Invariant: sequence numbers are consecutive and never reused.
#[derive(Clone, Debug)]
pub(super) struct Index {
    entries: VecDeque<Entry>,
    next_sequence: u64,
    discontinuities: u64,
    listed_from: u64,
    /// New viewers get no older segment.
    current_from: u64,
}

/// What is known of a segment before it is numbered.
#[derive(Clone, Debug)]
pub(super) struct Run {
    pub(super) duration: Duration,
    pub(super) discontinuity: bool,
    pub(super) independent: bool,
    pub(super) pieces: Range<u64>,
}

impl Index {
    pub(super) const fn new(first: u64) -> Self {
        Self {
            entries: VecDeque::new(),
            next_sequence: first,
            discontinuities: first,
            listed_from: first,
            current_from: first,
        }
    }

    pub(super) fn push(&mut self, run: Run, length: Duration) {
        let discontinuity = run.discontinuity && !self.entries.is_empty();
        let listed = Listed {
            sequence: self.next_sequence,
            duration: run.duration,
            discontinuity,
            discontinuity_sequence: self.discontinuities,
        };
        self.discontinuities += u64::from(discontinuity);
        self.next_sequence += 1;
        self.entries.push_back(Entry { listed, pieces: run.pieces, independent: run.independent });
        self.listed_from = self.beginning_before(self.suffix_lasting(length));
    }

    /// The last segment at or before `sequence` that a playlist may start with, of those that are listed; or `sequence` if the last one
    /// is too far away.
    fn beginning_before(&self, sequence: u64) -> u64 {
        let listed = self.entries.iter().rev().skip_while(|entry| entry.listed.sequence > sequence);
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

    /// The first of the fewest newest segments that last `span` and start with a random access point, of at least `least` segments
    /// or `enough`. `None` while there are none.
    pub(super) fn join(&self, span: Duration, least: usize, enough: Duration) -> Option<u64> {
        let oldest = self.listed_from.max(self.current_from);
        let wished = self.suffix_lasting(span).max(oldest);
        let beginnings = self.entries.iter().filter(|entry| entry.independent);
        let mut beginnings =
            beginnings.map(|entry| entry.listed.sequence).skip_while(|&sequence| sequence < oldest);
        let first = beginnings.next()?;
        let start = beginnings.take_while(|&sequence| sequence <= wished).last().unwrap_or(first);
        let listed = self.list(start);
        let (count, total) =
            listed.fold((0, Duration::ZERO), |(count, total), listed| (count + 1, total + listed.duration));
        (count >= least || total >= enough).then_some(start)
    }

    pub(super) const fn is_interrupted(&self) -> bool {
        self.current_from == self.next_sequence
    }

    pub(super) const fn interrupt(&mut self) {
        self.current_from = self.next_sequence;
    }

    pub(super) fn list(&self, start: u64) -> impl Iterator<Item = Listed> {
        let start = start.max(self.listed_from);
        self.entries.iter().map(|entry| entry.listed).skip_while(move |listed| listed.sequence < start)
    }

    /// The number of the oldest piece that is listed; `None` if nothing is.
    pub(super) fn listed_from_piece(&self) -> Option<u64> {
        self.get(self.listed_from).map(|entry| entry.pieces.start)
    }

    /// Forgets the segments that have lost a piece older than `piece`.
    pub(super) fn forget_before(&mut self, piece: u64) {
        while self.entries.front().is_some_and(|entry| entry.pieces.start < piece) {
            self.entries.pop_front();
        }
    }

    /// The number of the segment that starts the shortest suffix of at least `span`; the oldest one if there is none.
    fn suffix_lasting(&self, span: Duration) -> u64 {
        let mut total = Duration::ZERO;
        for entry in self.entries.iter().rev() {
            total += entry.listed.duration;
            if total >= span {
                return entry.listed.sequence;
            }
        }
        self.entries.front().map_or(self.next_sequence, |entry| entry.listed.sequence)
    }
}
