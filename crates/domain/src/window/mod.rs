//! The live window of one stream: the segments that are listed, and those still promised to whoever read an older list.
//!
//! It knows the rules of RFC 8216bis 6.2.1 and 6.2.2, not where segments come from nor who watches. Each viewer's
//! list begins where that viewer joined and ends at the newest segment, so lists differ only in their head.

use std::collections::VecDeque;
use std::time::Duration;

use crate::playlist::Listed;
use crate::time::Timestamp;

/// A live list is never shorter than this many target durations once it has been that long (6.2.2).
const LISTED_TARGETS: u32 = 3;

/// What is known of a segment that arrives.
#[derive(Clone, Copy, Debug)]
pub struct Arrival {
    /// How long it lasts.
    pub duration: Duration,
    /// Whether it does not continue the one before (another generation, a splice).
    pub discontinuity: bool,
    /// Whether it can be decoded without the one before.
    pub independent: bool,
}

/// A segment and what it carries.
#[derive(Clone, Debug)]
pub struct Segment<P> {
    /// Its place in the playlist.
    pub listed: Listed,
    /// What is served for it.
    pub payload: P,
    /// Bytes of `payload`, for the memory budget.
    pub size: u64,
    /// Whether a list may begin with it.
    independent: bool,
    /// When every list has dropped it; `None` while it may be listed.
    unlisted_at: Option<Timestamp>,
}

/// The window of a stream; `P` is a segment's payload.
///
/// Invariants: sequence numbers are consecutive and never reused; the target duration never changes.
#[derive(Clone, Debug)]
pub struct Window<P> {
    target: Duration,
    length: Duration,
    segments: VecDeque<Segment<P>>,
    next_sequence: u64,
    discontinuities: u64,
    listed_from: u64,
    /// Newcomers are handed nothing older.
    current_from: u64,
    bytes: u64,
}

impl<P> Window<P> {
    /// An empty window that lists about `length`, for a stream whose target duration is `target` for good.
    ///
    /// Its numbers begin at `first`, which must be beyond all that a player may have seen under the same URI before: of
    /// a stream that was given back meanwhile, or of another life of the gateway.
    #[must_use]
    pub fn new(first: u64, target: Duration, length: Duration) -> Self {
        Self {
            target,
            length: length.max(target * LISTED_TARGETS),
            segments: VecDeque::new(),
            next_sequence: first,
            discontinuities: first,
            listed_from: first,
            current_from: first,
            bytes: 0,
        }
    }

    /// EXT-X-TARGETDURATION.
    #[must_use]
    pub const fn target(&self) -> Duration {
        self.target
    }

    /// Bytes held.
    #[must_use]
    pub const fn bytes(&self) -> u64 {
        self.bytes
    }

    /// The segment with this number, as long as it is held.
    #[must_use]
    pub fn get(&self, sequence: u64) -> Option<&Segment<P>> {
        let first = self.segments.front()?.listed.sequence;
        self.segments.get(usize::try_from(sequence.checked_sub(first)?).ok()?)
    }

    /// The number of the newest segment; of no segment before the first.
    #[must_use]
    pub const fn newest(&self) -> u64 {
        self.next_sequence.saturating_sub(1)
    }

    /// Appends a segment.
    pub fn push(&mut self, arrival: Arrival, payload: P, size: u64, now: Timestamp) {
        let discontinuity = arrival.discontinuity && !self.segments.is_empty();
        let listed = Listed {
            sequence: self.next_sequence,
            duration: arrival.duration,
            discontinuity,
            discontinuity_sequence: self.discontinuities,
        };
        self.discontinuities += u64::from(discontinuity);
        self.next_sequence += 1;
        self.bytes += size;
        let independent = arrival.independent;
        self.segments.push_back(Segment { listed, payload, size, independent, unlisted_at: None });
        self.slide(now);
    }

    /// Where the list of a viewer begins who joins at this moment: the fewest newest segments that last `join` and can be
    /// decoded from the first one on. `None` while there is nothing current to begin with.
    #[must_use]
    pub fn join(&self, join: Duration) -> Option<u64> {
        let oldest = self.listed_from.max(self.current_from);
        let wished = self.suffix_lasting(join).max(oldest);
        let beginnings = self.segments.iter().filter(|segment| segment.independent);
        let mut beginnings =
            beginnings.map(|segment| segment.listed.sequence).skip_while(|&sequence| sequence < oldest);
        let first = beginnings.next()?;
        Some(beginnings.take_while(|&sequence| sequence <= wished).last().unwrap_or(first))
    }

    /// What is held is over: whoever joins from now on begins with what is still to come.
    pub const fn interrupt(&mut self) {
        self.current_from = self.next_sequence;
    }

    /// The list of a viewer who joined at segment `start`.
    pub fn list(&self, start: u64) -> impl Iterator<Item = Listed> {
        let start = start.max(self.listed_from);
        self.segments.iter().map(|segment| segment.listed).skip_while(move |listed| listed.sequence < start)
    }

    /// Drops what no list names any more, ahead of its time: when memory is short.
    pub fn shed(&mut self) {
        while self.segments.front().is_some_and(|segment| segment.unlisted_at.is_some()) {
            self.drop_first();
        }
    }

    fn slide(&mut self, now: Timestamp) {
        self.listed_from = self.suffix_lasting(self.length);
        for segment in &mut self.segments {
            if segment.listed.sequence >= self.listed_from {
                break;
            }
            segment.unlisted_at.get_or_insert(now);
        }
        while self.segments.front().is_some_and(|segment| self.promise_is_over(segment, now)) {
            self.drop_first();
        }
    }

    /// Availability Duration (6.2.2): a segment outlives its listing by its own duration and that of the longest list.
    fn promise_is_over(&self, segment: &Segment<P>, now: Timestamp) -> bool {
        segment
            .unlisted_at
            .is_some_and(|unlisted| now.since(unlisted) > segment.listed.duration + self.length + self.target)
    }

    fn drop_first(&mut self) {
        if let Some(segment) = self.segments.pop_front() {
            self.bytes -= segment.size;
        }
    }

    /// The number at which the shortest suffix begins that lasts at least `span`; the oldest held if none does.
    fn suffix_lasting(&self, span: Duration) -> u64 {
        let mut total = Duration::ZERO;
        for segment in self.segments.iter().rev() {
            total += segment.listed.duration;
            if total >= span {
                return segment.listed.sequence;
            }
        }
        self.segments.front().map_or(self.next_sequence, |segment| segment.listed.sequence)
    }
}

#[cfg(test)]
mod tests;
