//! Cuts a transport stream into HLS segments: one program, its video and one audio stream. Each segment starts with tables
//! of our own and, wherever the stream allows it, with a random access point.
//!
//! ```text
//!           random access point          jump · other streams · splice
//!  Seeking ─────────────────────► Cutting ─────────────────────────────► Seeking
//! ```
//!
//! Everything before the first random access point is dropped. The cutter does not know where the bytes come from, nor who
//! plays the segments.

mod boundaries;
mod cut;
mod ending;
mod held_audio;
mod segment;
mod selection;
mod timeline;

use std::collections::VecDeque;

use bytes::Bytes;

use crate::cutter::boundaries::Boundaries;
pub use crate::cutter::cut::{Counts, Cut, Rule};
use crate::cutter::held_audio::HeldAudio;
use crate::cutter::segment::{Candidate, Segment};
use crate::cutter::selection::{Selection, Tables, Use};
use crate::cutter::timeline::{Placed, Timeline};
use crate::memory::Memory;
use crate::mpegts::align::Align;
use crate::mpegts::clock::{HERTZ, Ticks};
use crate::mpegts::facts::Facts;
use crate::mpegts::packet::Packet;
use crate::mpegts::pes::Pes;
use crate::mpegts::scan::{AccessUnit, Scan, Seen};
use crate::mpegts::track::Continuity;

/// A longer gap between two pictures is a discontinuity.
const LONGEST_GAP: Ticks = 3 * HERTZ;

/// Cuts one stream.
#[derive(Debug)]
pub struct Cutter<M = Vec<u8>> {
    largest: usize,
    audio: usize,
    align: Align,
    scan: Scan,
    timeline: Timeline,
    boundaries: Boundaries,
    kept: Option<(Selection, Tables)>,
    held_audio: HeldAudio,
    /// The bytes of the current segment, or of a picture that may start one.
    body: M,
    /// Where the picture starts in `body` that is not recognised yet.
    mark: Option<usize>,
    phase: Phase,
    /// Whether the audio format changed in the current segment.
    reformed: bool,
    /// Whether the next segment does not continue the previous one.
    broken: bool,
    has_cut: bool,
    ready: VecDeque<Cut>,
    counts: Counts,
}

#[derive(Clone, Copy, Debug)]
enum Phase {
    /// Waits for a random access point.
    Seeking,
    Cutting(Segment),
}

impl Cutter {
    /// Cuts by `rule`, in memory of the allocator.
    #[must_use]
    pub fn new(rule: Rule) -> Self {
        Self::in_memory(rule)
    }
}

impl<M: Memory> Cutter<M> {
    /// Cuts by `rule`, in memory of type `M`.
    #[must_use]
    pub fn in_memory(rule: Rule) -> Self {
        let boundaries = Boundaries::new(&rule);
        Self {
            largest: rule.largest,
            audio: 0,
            align: Align::default(),
            scan: Scan::default(),
            timeline: Timeline::new(LONGEST_GAP),
            boundaries,
            kept: None,
            held_audio: HeldAudio::default(),
            body: M::default(),
            mark: None,
            phase: Phase::Seeking,
            reformed: false,
            broken: false,
            has_cut: false,
            ready: VecDeque::new(),
            counts: Counts::default(),
        }
    }

    /// Keeps the audio stream at position `audio` of the program, if there is one, instead of the first.
    #[must_use]
    pub const fn with_audio(mut self, audio: usize) -> Self {
        self.audio = audio;
        self
    }

    /// The streams of the program, as far as they are known.
    #[must_use]
    pub const fn facts(&self) -> Option<&Facts> {
        self.scan.facts()
    }

    /// Whether every stream has told its format, or is scrambled.
    #[must_use]
    pub fn is_settled(&self) -> bool {
        self.scan.is_settled()
    }

    /// The faults found so far.
    #[must_use]
    pub const fn counts(&self) -> Counts {
        Counts { skipped: self.align.skipped(), losses: self.align.losses(), ..self.counts }
    }

    /// The next finished segment.
    pub fn poll(&mut self) -> Option<Cut> {
        self.ready.pop_front()
    }

    /// Takes the next bytes of the stream.
    pub fn push(&mut self, bytes: &Bytes) {
        self.align.push(bytes);
        while let Some(run) = self.align.next_run() {
            for packet in Packet::all(&run) {
                self.take(packet);
            }
        }
    }

    /// Declares that the next bytes do not continue the last ones.
    pub fn splice(&mut self) {
        self.align.reset();
        self.scan.splice();
        if let Phase::Cutting(segment) = self.phase {
            // The last picture may be incomplete.
            if segment.last.at > 0 {
                self.emit(segment, segment.last.at, segment.last.time, true);
            }
            self.counts.restarts += 1;
            self.phase = Phase::Seeking;
        }
        self.restart(self.timeline.end());
    }

    /// Ends the stream and returns the last segment; [`poll`](Self::poll) must have returned the others.
    pub fn finish(&mut self) -> Option<Cut> {
        self.held_audio.pass(&mut self.body);
        self.close(self.timeline.end());
        self.poll()
    }

    fn take(&mut self, packet: Packet<'_>) {
        let seen = self.scan.read(packet);
        self.counts.breaks += u64::from(seen.continuity == Continuity::Broken);
        self.counts.scrambled += u64::from(seen.scrambled);
        if seen.tables {
            self.choose();
        }
        if seen.continuity == Continuity::Repeated || seen.scrambled {
            return;
        }
        let Some((kept, _)) = &self.kept else { return };
        let usage = kept.use_of(packet, seen.role);
        self.reformed |= usage == Use::Audio && seen.format;
        match usage {
            Use::Leading => self.lead(packet, seen),
            Use::Audio if self.mark.is_some() || self.is_cutting() => {
                self.held_audio.take(packet, &mut self.body)
            }
            Use::Clock if self.mark.is_some() || self.is_cutting() => {
                if let Some(clock) = packet.clock_only() {
                    self.body.extend_from_slice(&clock);
                }
            }
            Use::Audio | Use::Clock | Use::Nothing => {}
        }
        self.bound();
    }

    const fn is_cutting(&self) -> bool {
        matches!(self.phase, Phase::Cutting(_))
    }

    /// Adapts to new tables.
    fn choose(&mut self) {
        let Some(program) = self.scan.program() else { return };
        let kept = Selection::of(program, self.audio);
        let continues = self.kept.as_ref().is_some_and(|(before, _)| kept.continues(before));
        let tables = match &self.kept {
            Some((_, before)) => kept.tables().after(before),
            None => kept.tables(),
        };
        if !continues && self.kept.is_some() {
            self.restart(self.timeline.end());
        }
        self.kept = Some((kept, tables));
    }

    fn lead(&mut self, packet: Packet<'_>, seen: Seen) {
        if packet.starts_unit() {
            if !self.is_cutting() {
                self.body.truncate(0);
                self.held_audio.restart(Pes::read(packet.payload()).and_then(|pes| pes.stamps.pts));
            }
            self.mark = Some(self.body.len());
        }
        if self.mark.is_some() || self.is_cutting() {
            self.body.extend_from_slice(packet.bytes());
        }
        if let Some(access_unit) = seen.access_unit
            && let Some(at) = self.mark.take()
        {
            self.understand(access_unit, at);
        }
    }

    /// Uses the picture that starts at `at`, now that it is recognised.
    fn understand(&mut self, access_unit: AccessUnit, at: usize) {
        let placed = self.timeline.place(access_unit.stamps, access_unit.random_access);
        let placed = match (self.phase, placed) {
            // A piece that bridged the gap would be longer than the others.
            (Phase::Cutting(segment), Placed::At(time))
                if time - segment.last.time > self.boundaries.limit(false)
                    && !self.may_bridge(segment, time) =>
            {
                Placed::Jumped
            }
            (Phase::Cutting(_) | Phase::Seeking, placed) => placed,
        };
        match (self.phase, placed) {
            (Phase::Seeking, Placed::At(time)) if access_unit.random_access => self.begin(time),
            (Phase::Seeking, Placed::At(_) | Placed::Jumped) => {
                self.timeline.restart();
                self.body.truncate(0);
            }
            (Phase::Cutting(_), Placed::Jumped) => self.begin_anew(access_unit, at, self.timeline.end()),
            (Phase::Cutting(segment), Placed::At(time))
                if access_unit.format || access_unit.random_access && self.reformed =>
            {
                let goes_on = time > segment.last.time;
                self.begin_anew(access_unit, at, if goes_on { Some(time) } else { self.timeline.end() });
            }
            (Phase::Cutting(segment), Placed::At(time)) => {
                self.go_on(segment, Candidate { at, time, random_access: access_unit.random_access });
            }
        }
    }

    /// Starts the first segment, or the first one behind a discontinuity.
    fn begin(&mut self, time: Ticks) {
        self.boundaries.learn(time);
        self.reformed = false;
        let first = Candidate { at: 0, time, random_access: true };
        let discontinuity = std::mem::take(&mut self.broken);
        self.phase = Phase::Cutting(Segment { begin: time, independent: true, discontinuity, last: first });
    }

    /// Starts over with the picture at `at`, which is in another format or on another timeline; the stream so far ends at
    /// `end`.
    fn begin_anew(&mut self, access_unit: AccessUnit, at: usize, end: Option<Ticks>) {
        let picture = self.body.split_off(at);
        self.restart(end);
        self.body = picture;
        self.held_audio.restart(access_unit.stamps.pts);
        if let (true, Placed::At(time)) =
            (access_unit.random_access, self.timeline.place(access_unit.stamps, true))
        {
            self.begin(time);
        } else {
            self.timeline.restart();
            self.body.truncate(0);
        }
    }

    fn go_on(&mut self, mut segment: Segment, mut here: Candidate) {
        if here.random_access {
            self.boundaries.learn(here.time);
        }
        let limit = self.boundaries.limit(!self.has_cut && !self.is_ripe());
        if here.time - segment.begin > limit && segment.last.at > 0 {
            here.at -= segment.last.at;
            segment = self.cut(segment, segment.last);
        }
        let length = here.time - segment.begin;
        let ends = self.is_ripe() && self.boundaries.ends(length, here.time, here.random_access);
        segment = if ends { self.cut(segment, here) } else { Segment { last: here, ..segment } };
        self.phase = Phase::Cutting(segment);
    }

    /// Whether the piece may go on until `time` whatever the others promise: only the very first one, within a limit of its own.
    fn may_bridge(&self, segment: Segment, time: Ticks) -> bool {
        let limit = self.boundaries.limit(!self.is_ripe());
        !self.has_cut && (segment.last.at == 0 || time - segment.begin <= limit)
    }

    /// Whether the piece may end: it contains audio if there is any.
    fn is_ripe(&self) -> bool {
        let has_audio = self.kept.as_ref().is_some_and(|(kept, _)| kept.has_audio());
        !has_audio || !self.held_audio.is_awaited()
    }
}

#[cfg(test)]
mod maker;
#[cfg(test)]
mod tests;
