//! Ends segments: before a picture, at a discontinuity, or because they reach their size limit.

use crate::cutter::cut::Cut;
use crate::cutter::segment::{Candidate, Segment};
use crate::cutter::{Cutter, Phase};
use crate::memory::Memory;
use crate::mpegts::clock::{Ticks, duration};
use crate::mpegts::packet::PACKET;

/// The most bytes of the tables in front of a segment: a PAT of one packet, a PMT of three.
const TABLES: usize = 4 * PACKET;

impl<M: Memory> Cutter<M> {
    /// Ends `segment` before the picture at `end`; returns the segment that starts there.
    pub(super) fn cut(&mut self, segment: Segment, end: Candidate) -> Segment {
        self.emit(segment, end.at, end.time, end.random_access);
        self.held_audio.give_up();
        self.mark = self.mark.map(|mark| mark - end.at);
        Segment {
            begin: end.time,
            independent: end.random_access,
            discontinuity: false,
            last: Candidate { at: 0, ..end },
        }
    }

    /// Cuts the first `length` bytes off the body, as a segment that ends at `end`.
    pub(super) fn emit(&mut self, segment: Segment, length: usize, end: Ticks, ends_group: bool) {
        let next = self.body.split_off(length);
        let body = std::mem::replace(&mut self.body, next);
        let Some((_, tables)) = &mut self.kept else { return };
        let mut front = Vec::with_capacity(TABLES);
        tables.write(&mut front);
        let mut bytes = M::with_room(front.len() + length);
        bytes.extend_from_slice(&front);
        bytes.extend_from_slice(&body);
        // Rounds each moment, not the difference, so that errors never add up.
        let duration = duration(end) - duration(segment.begin);
        if !self.has_cut {
            self.boundaries.began_with(duration);
        }
        self.ready.push_back(Cut {
            bytes: bytes.into(),
            duration,
            independent: segment.independent,
            discontinuity: segment.discontinuity,
            ends_group,
        });
        self.has_cut = true;
    }

    /// Ends the current segment at `end` with all that it has.
    pub(super) fn close(&mut self, end: Option<Ticks>) {
        self.body.truncate(self.mark.unwrap_or(self.body.len()));
        if let Phase::Cutting(segment) = self.phase
            && let Some(end) = end
        {
            // How long the last picture stands is a guess, which must not make the piece longer than any may be.
            let latest = segment.begin + self.boundaries.limit(!self.has_cut);
            self.emit(segment, self.body.len(), end.min(latest), true);
        }
        self.phase = Phase::Seeking;
        self.body.truncate(0);
        self.mark = None;
    }

    /// Starts over with the next random access point; the stream so far ends at `end`.
    pub(super) fn restart(&mut self, end: Option<Ticks>) {
        self.counts.restarts += u64::from(self.is_cutting());
        self.close(end);
        self.broken = self.has_cut;
        self.timeline.restart();
        self.boundaries.restart();
        self.held_audio.restart(None);
    }

    /// Keeps the segment and the held audio within the size limit.
    pub(super) fn bound(&mut self) {
        if TABLES + self.body.len() + self.held_audio.len() + PACKET <= self.largest {
            return;
        }
        match self.phase {
            Phase::Cutting(segment) if segment.last.at > 0 => {
                self.phase = Phase::Cutting(self.cut(segment, segment.last));
            }
            // A single picture exceeds the limit.
            Phase::Cutting(_) | Phase::Seeking => {
                self.phase = Phase::Seeking;
                self.restart(self.timeline.end());
            }
        }
    }
}
