//! Keeps the last seconds of a transport stream, and where in them a reader can start.
//!
//! It holds runs of whole packets as they arrived. It does not read packets; the caller says where random access points
//! are.

use std::collections::VecDeque;
use std::time::Duration;

use bytes::Bytes;

mod clock;
#[cfg(test)]
mod tests;

use crate::memory::Memory;
use crate::mpegts::clock::Ticks;
use crate::mpegts::packet::PACKET;
use crate::ring::clock::{Clock, Course};
use crate::time::Timestamp;

/// Bytes of a block. A block is freed together with its last run.
const BLOCK: usize = 64 << 10;
/// What a run costs beside its bytes: its entry in the ring, and the unused end of its block.
const OVERHEAD: u64 = 96;
/// A stream without a random access point for this long is read from anywhere.
const POINTLESS: Duration = Duration::from_secs(5);

/// How much a ring holds: whichever limit is reached first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Size {
    /// How much of the stream's own time.
    pub span: Duration,
    /// How many bytes of memory.
    pub bytes: u64,
}

/// Where a reader starts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Join {
    /// At the newest random access point that has this much behind it, so that a burst can be sent at once; else at the
    /// oldest.
    Burst(Duration),
    /// At the oldest random access point.
    Oldest,
}

/// Whole packets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Chunk {
    /// A multiple of 188 bytes.
    pub bytes: Bytes,
    /// Whether it does not continue the previous chunk, because the feed reconnected.
    pub splice: bool,
    /// The number of the timeline that its clock belongs to. A jump within a connection is recognised a PCR later.
    pub timeline: u32,
}

/// The position of a reader.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cursor {
    /// Bytes since the ring was created.
    at: u64,
    /// The tables to read first: those in force at `at`.
    tables: Option<Bytes>,
}

/// The result of a read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Read {
    /// The next packets.
    Chunk(Chunk),
    /// The reader has read everything.
    CaughtUp,
    /// The packets to read next have been dropped.
    Lagged,
}

#[derive(Debug)]
struct Run {
    start: u64,
    len: usize,
    position: Duration,
    splice: bool,
    timeline: u32,
}

impl Run {
    const fn end(&self) -> u64 {
        self.start + self.len as u64
    }
}

/// The memory of consecutive runs.
#[derive(Debug)]
struct Block<M> {
    start: u64,
    memory: M,
}

/// A random access point.
#[derive(Debug)]
struct Point {
    start: u64,
    position: Duration,
    tables: Bytes,
}

/// The last seconds of a stream.
///
/// Invariants: runs follow one another without a gap, each within one block; random access points lie within runs, in
/// order.
#[derive(Debug)]
pub struct Ring<M = Vec<u8>> {
    size: Size,
    clock: Clock,
    blocks: VecDeque<Block<M>>,
    runs: VecDeque<Run>,
    points: VecDeque<Point>,
    held: u64,
    end: u64,
    timeline: u32,
    /// Where the packets started whose clock does not continue the one before.
    astray: Option<u64>,
}

impl Ring {
    /// An empty ring in memory of the allocator.
    #[must_use]
    pub fn new(size: Size) -> Self {
        Self::in_memory(size)
    }
}

impl<M: Memory> Ring<M> {
    /// An empty ring in memory of type `M`.
    #[must_use]
    pub fn in_memory(size: Size) -> Self {
        Self {
            size,
            clock: Clock::default(),
            blocks: VecDeque::new(),
            runs: VecDeque::new(),
            points: VecDeque::new(),
            held: 0,
            end: 0,
            timeline: 0,
            astray: None,
        }
    }

    /// Bytes pushed since the ring was created.
    #[must_use]
    pub const fn end(&self) -> u64 {
        self.end
    }

    /// Bytes of memory in use.
    #[must_use]
    pub const fn held(&self) -> u64 {
        self.held
    }

    /// How far the stream has come.
    #[must_use]
    pub const fn position(&self) -> Duration {
        self.clock.position()
    }

    /// How much of the stream's own time the ring holds.
    #[must_use]
    pub fn span(&self) -> Duration {
        self.runs.front().map_or(Duration::ZERO, |oldest| self.clock.position() - oldest.position)
    }

    /// Bit/s, averaged over what the ring holds.
    #[must_use]
    pub fn bitrate(&self) -> Option<u64> {
        let bits = (self.end - self.runs.front()?.end()) * 8;
        u64::try_from((u128::from(bits) * 1000).checked_div(self.span().as_millis())?).ok()
    }

    /// Appends whole packets that arrived at `now`; `splice` says that they do not continue the previous ones, `told` are
    /// the PCRs in them.
    pub fn push(
        &mut self,
        packets: &[u8],
        splice: bool,
        told: impl IntoIterator<Item = Ticks>,
        now: Timestamp,
    ) {
        if packets.is_empty() {
            return;
        }
        if splice {
            self.clock.splice();
            self.astray = None;
            self.timeline += 1;
        }
        let mut told = told.into_iter();
        self.advance(told.next(), now);
        told.for_each(|told| self.advance(Some(told), now));
        let timeline = self.timeline;
        let (mut rest, mut splice) = (packets, splice);
        while !rest.is_empty() {
            let len = self.room().min(rest.len());
            if let Some(block) = self.blocks.back_mut() {
                block.memory.extend_from_slice(&rest[..len]);
            }
            let run = Run { start: self.end, len, position: self.clock.position(), splice, timeline };
            self.end = run.end();
            self.held += len as u64 + OVERHEAD;
            self.runs.push_back(run);
            (rest, splice) = (&rest[len..], false);
        }
        self.evict();
    }

    /// Moves the clock on by one PCR, or by the arrival alone.
    fn advance(&mut self, told: Option<Ticks>, now: Timestamp) {
        match self.clock.advance(told, now) {
            Course::Even => {}
            Course::Astray => {
                self.astray.get_or_insert(self.end);
            }
            Course::Back => self.astray = None,
            Course::Elsewhere => {
                self.timeline += 1;
                let since = self.astray.take().unwrap_or(self.end);
                let later = self.runs.iter_mut().rev().take_while(|run| run.start >= since);
                later.for_each(|run| run.timeline = self.timeline);
            }
        }
    }

    /// How many bytes of whole packets fit into the newest block.
    fn room(&mut self) -> usize {
        let room = self.blocks.back().map_or(0, |block| block.memory.room());
        if room >= PACKET {
            return room - room % PACKET;
        }
        self.blocks.push_back(Block { start: self.end, memory: M::with_room(BLOCK) });
        BLOCK - BLOCK % PACKET
    }

    /// Marks the packet at `start`, which was pushed before, as a random access point with `tables` in force.
    pub fn mark(&mut self, start: u64, tables: Bytes) {
        let in_order = self.points.back().is_none_or(|last| last.start < start);
        if let Some(run) = self.find(start).filter(|_| in_order) {
            let position = run.position;
            self.held += tables.len() as u64 + OVERHEAD;
            self.points.push_back(Point { start, position, tables });
        }
    }

    /// Where a reader starts; `None` if it has to wait for a random access point.
    #[must_use]
    pub fn join(&self, join: Join) -> Option<Cursor> {
        let point = match join {
            Join::Burst(burst) => {
                // A burst must be continuous, so it starts within the newest timeline.
                let older = self.runs.partition_point(|run| run.timeline != self.timeline);
                let begins = self.runs.get(older).map_or(0, |run| run.start);
                let mut current = self.points.iter().filter(|point| point.start >= begins);
                let leaves = |point: &&Point| self.clock.position() - point.position >= burst;
                current.clone().rev().find(leaves).or_else(|| current.next())
            }
            Join::Oldest => self.points.front(),
        };
        match point {
            Some(point) => Some(Cursor { at: point.start, tables: Some(point.tables.clone()) }),
            None if !self.points.is_empty() => None,
            None if self.span() < POINTLESS && self.held < self.size.bytes / 2 => None,
            None => self.runs.front().map(|oldest| Cursor { at: oldest.start, tables: None }),
        }
    }

    /// Reads the next packets and moves `cursor` on.
    pub fn read(&self, cursor: &mut Cursor) -> Read {
        if cursor.at == self.end {
            return Read::CaughtUp;
        }
        let Some((run, block)) = self.find(cursor.at).zip(self.block(cursor.at)) else { return Read::Lagged };
        if let Some(tables) = cursor.tables.take().filter(|tables| !tables.is_empty()) {
            return Read::Chunk(Chunk { bytes: tables, splice: false, timeline: run.timeline });
        }
        let splice = run.splice && cursor.at == run.start;
        let within = |at: u64| usize::try_from(at - block.start).unwrap_or(usize::MAX);
        let bytes = &block.memory[within(cursor.at)..within(run.end())];
        cursor.at = run.end();
        // A copy, so that a slow reader keeps no block alive.
        Read::Chunk(Chunk { bytes: Bytes::copy_from_slice(bytes), splice, timeline: run.timeline })
    }

    /// The block that holds the byte at `at`.
    fn block(&self, at: u64) -> Option<&Block<M>> {
        self.blocks.get(self.blocks.partition_point(|block| block.start <= at).checked_sub(1)?)
    }

    /// The run that holds the byte at `at`.
    fn find(&self, at: u64) -> Option<&Run> {
        let run = self.runs.get(self.runs.partition_point(|run| run.end() <= at))?;
        (run.start <= at).then_some(run)
    }

    fn evict(&mut self) {
        while self.runs.len() > 1 && (self.held > self.size.bytes || self.span() > self.size.span) {
            if let Some(oldest) = self.runs.pop_front() {
                self.held -= oldest.len as u64 + OVERHEAD;
            }
            let start = self.runs.front().map_or(self.end, |oldest| oldest.start);
            while let Some(point) = self.points.pop_front_if(|point| point.start < start) {
                self.held -= point.tables.len() as u64 + OVERHEAD;
            }
            while self.blocks.get(1).is_some_and(|next| next.start <= start) {
                self.blocks.pop_front();
            }
        }
    }
}
