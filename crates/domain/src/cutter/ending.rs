//! How a segment ends: cut before a picture, at a discontinuity, or because it must not grow.

use crate::cutter::cut::Cut;
use crate::cutter::segment::{Candidate, Segment};
use crate::cutter::{Cutter, Phase};
use crate::memory::Memory;
use crate::mpegts::clock::{Ticks, duration};
use crate::mpegts::packet::PACKET;

/// Bytes of the tables in front of a segment, at most: a PAT of one packet, a PMT of three.
const TABLES: usize = 4 * PACKET;

impl<M: Memory> Cutter<M> {
    /// Ends a segment before a picture; gives the one that begins with it.
    pub(super) fn cut(&mut self, segment: Segment, end: Candidate) -> Segment {
        self.emit(segment, end.at, end.time);
        self.boundaries.cut();
        self.mark = self.mark.map(|mark| mark - end.at);
        Segment {
            begin: end.time,
            independent: end.random_access,
            discontinuity: false,
            last: Candidate { at: 0, ..end },
        }
    }

    /// Gives the first `length` bytes of the body, which they leave.
    fn emit(&mut self, segment: Segment, length: usize, end: Ticks) {
        let next = self.body.split_off(length);
        let body = std::mem::replace(&mut self.body, next);
        let Some((_, tables)) = &mut self.kept else { return };
        let mut front = Vec::with_capacity(TABLES);
        tables.write(&mut front);
        let mut bytes = M::with_room(front.len() + length);
        bytes.extend_from_slice(&front);
        bytes.extend_from_slice(&body);
        self.ready.push_back(Cut {
            bytes: bytes.into(),
            // So that rounding never adds up.
            duration: duration(end) - duration(segment.begin),
            independent: segment.independent,
            discontinuity: segment.discontinuity,
        });
        self.has_cut = true;
    }

    /// Ends the segment under way, with all it has, at `end`.
    pub(super) fn close(&mut self, end: Option<Ticks>) {
        self.body.truncate(self.mark.unwrap_or(self.body.len()));
        if let Phase::Cutting(segment) = self.phase
            && let Some(end) = end
        {
            self.emit(segment, self.body.len(), end);
        }
        self.phase = Phase::Seeking;
        self.body.truncate(0);
        self.mark = None;
    }

    /// What comes next begins anew; what came ends at `end`.
    pub(super) fn restart(&mut self, end: Option<Ticks>) {
        self.counts.restarts += u64::from(self.is_cutting());
        self.close(end);
        self.broken = self.has_cut;
        self.timeline.restart();
        self.boundaries.restart();
        self.held_audio.restart(None);
    }

    /// Keeps segments, and what is held, from growing beyond measure.
    pub(super) fn bound(&mut self) {
        if TABLES + self.body.len() + self.held_audio.len() + PACKET <= self.largest {
            return;
        }
        match self.phase {
            Phase::Cutting(segment) if segment.last.at > 0 => {
                self.phase = Phase::Cutting(self.cut(segment, segment.last));
            }
            // One picture that is larger than a segment may be.
            Phase::Cutting(_) | Phase::Seeking => {
                self.phase = Phase::Seeking;
                self.restart(self.timeline.end());
            }
        }
    }
}
