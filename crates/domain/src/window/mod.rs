//! Keeps the live window of one stream: the segments that are listed, and those that an older playlist has promised.
//!
//! It follows RFC 8216bis, sections 6.2.1 and 6.2.2, and does not know where segments come from nor who watches. The
//! playlist of each viewer starts where that viewer joined and ends with the newest segment, so playlists differ at their
//! start only.

use std::collections::VecDeque;
use std::time::Duration;

use crate::playlist::Listed;
use crate::time::Timestamp;

/// The least length of a live playlist, in target durations, once it has been that long (6.2.2).
const LISTED_TARGETS: u32 = 3;

/// The facts about a segment that arrives.
#[derive(Clone, Copy, Debug)]
pub struct Arrival {
    /// Its duration.
    pub duration: Duration,
    /// Whether it does not continue the previous segment (another generation, a splice).
    pub discontinuity: bool,
    /// Whether it starts with a random access point.
    pub independent: bool,
}

/// A segment in the window.
#[derive(Clone, Debug)]
pub struct Segment<P> {
    /// Its entry in playlists.
    pub listed: Listed,
    /// The content to serve.
    pub payload: P,
    /// Bytes of `payload`, for the memory budget.
    pub size: u64,
    /// Whether a playlist may start with it.
    independent: bool,
    /// When the last playlist dropped it; `None` while it may be listed.
    unlisted_at: Option<Timestamp>,
}

/// The window of a stream; `P` is the payload of a segment.
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
    /// New viewers get no older segment.
    current_from: u64,
    bytes: u64,
}

impl<P> Window<P> {
    /// An empty window that lists about `length`, of a stream with the target duration `target`.
    ///
    /// Its sequence numbers start at `first`. That must be higher than any number a player may have seen under the same
    /// URI: of an earlier stream, or before a restart of the gateway.
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

    /// The segment with this number, while it is held.
    #[must_use]
    pub fn get(&self, sequence: u64) -> Option<&Segment<P>> {
        let first = self.segments.front()?.listed.sequence;
        self.segments.get(usize::try_from(sequence.checked_sub(first)?).ok()?)
    }

    /// The number of the newest segment; one less than the first before there is any.
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

    /// Where the playlist of a new viewer starts: the fewest newest segments that last `join` and start with a random
    /// access point. `None` while there is no such segment.
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

    /// Declares that the stream is interrupted: new viewers start with segments still to come.
    pub const fn interrupt(&mut self) {
        self.current_from = self.next_sequence;
    }

    /// The playlist of a viewer who joined at segment `start`.
    pub fn list(&self, start: u64) -> impl Iterator<Item = Listed> {
        let start = start.max(self.listed_from);
        self.segments.iter().map(|segment| segment.listed).skip_while(move |listed| listed.sequence < start)
    }

    /// Drops the segments that no playlist lists, before their time, because memory is short.
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

    /// Whether the segment has been available for long enough (6.2.2): for its own duration and that of the longest
    /// playlist since it was last listed.
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

    /// The number of the segment that starts the shortest suffix of at least `span`; the oldest one if there is none.
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
