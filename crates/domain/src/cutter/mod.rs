//! Cuts a transport stream into segments for HLS: one program, its picture and one sound, each segment with tables
//! of our own and, wherever the stream allows it, a picture in front that decoding may begin with.
//!
//! ```text
//!             decoding may begin             jump · other streams · splice
//!  Seeking ────────────────────► Cutting ─────────────────────────────────► Seeking
//! ```
//!
//! Everything before the first such picture is dropped. It does not know where the bytes come from, nor who plays.

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
use crate::mpegts::clock::{HERTZ, Ticks, ticks};
use crate::mpegts::facts::Facts;
use crate::mpegts::packet::Packet;
use crate::mpegts::pes::Pes;
use crate::mpegts::scan::{AccessUnit, Scan, Seen};
use crate::mpegts::track::Continuity;

/// A longer way from one picture to the next is a discontinuity.
const LONGEST_GAP: Ticks = 3 * HERTZ;

/// Cuts one stream.
#[derive(Debug)]
pub struct Cutter<M = Vec<u8>> {
    largest: usize,
    sound: usize,
    align: Align,
    scan: Scan,
    timeline: Timeline,
    boundaries: Boundaries,
    kept: Option<(Selection, Tables)>,
    held_audio: HeldAudio,
    /// What will be cut, from the beginning of a segment (or of what may become one) on.
    body: M,
    /// Where in `body` the picture begins that is not understood yet.
    mark: Option<usize>,
    phase: Phase,
    /// Whether the sound is another than in the segment under way.
    reformed: bool,
    /// Whether the next segment does not continue the one before.
    broken: bool,
    has_cut: bool,
    ready: VecDeque<Cut>,
    counts: Counts,
}

#[derive(Clone, Copy, Debug)]
enum Phase {
    /// For a picture that decoding may begin with.
    Seeking,
    Cutting(Segment),
}

impl Cutter {
    /// Cuts by `rule`, in memory of the allocator's.
    #[must_use]
    pub fn new(rule: Rule) -> Self {
        Self::in_memory(rule)
    }
}

impl<M: Memory> Cutter<M> {
    /// Cuts by `rule`, in memory of the kind `M`.
    #[must_use]
    pub fn in_memory(rule: Rule) -> Self {
        let boundaries = Boundaries::new(&rule);
        Self {
            largest: rule.largest,
            sound: 0,
            align: Align::default(),
            scan: Scan::default(),
            timeline: Timeline::new(LONGEST_GAP.min(ticks(rule.target))),
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

    /// Keeps the sound at this place among the program's, where there is one, instead of the first.
    #[must_use]
    pub const fn with_audio(mut self, sound: usize) -> Self {
        self.sound = sound;
        self
    }

    /// What the stream carries, as far as it has shown.
    #[must_use]
    pub const fn facts(&self) -> Option<&Facts> {
        self.scan.facts()
    }

    /// Whether all of it has shown what it is.
    #[must_use]
    pub fn is_settled(&self) -> bool {
        self.scan.is_settled()
    }

    /// What was wrong with it.
    #[must_use]
    pub const fn counts(&self) -> Counts {
        Counts { skipped: self.align.skipped(), losses: self.align.losses(), ..self.counts }
    }

    /// The next segment that is complete.
    pub fn poll(&mut self) -> Option<Cut> {
        self.ready.pop_front()
    }

    /// Takes what came next of the stream.
    pub fn push(&mut self, bytes: &Bytes) {
        self.align.push(bytes);
        while let Some(run) = self.align.next_run() {
            for packet in Packet::all(&run) {
                self.take(packet);
            }
        }
    }

    /// What comes next does not continue what came.
    pub fn splice(&mut self) {
        self.align.reset();
        self.scan.splice();
        if let Phase::Cutting(segment) = self.phase {
            // The last picture may be half there.
            if segment.last.at > 0 {
                self.cut(segment, segment.last);
            }
            self.counts.restarts += 1;
            self.phase = Phase::Seeking;
        }
        self.restart(self.timeline.end());
    }

    /// The last segment, when nothing comes any more and [`poll`](Self::poll) has given all others.
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
        self.reformed |= usage == Use::Sound && seen.format;
        match usage {
            Use::Leading => self.lead(packet, seen),
            Use::Sound if self.mark.is_some() || self.is_cutting() => {
                self.held_audio.take(packet, &mut self.body)
            }
            Use::Clock if self.mark.is_some() || self.is_cutting() => {
                if let Some(clock) = packet.clock_only() {
                    self.body.extend_from_slice(&clock);
                }
            }
            Use::Sound | Use::Clock | Use::Nothing => {}
        }
        self.bound();
    }

    const fn is_cutting(&self) -> bool {
        matches!(self.phase, Phase::Cutting(_))
    }

    /// The tables are others than before.
    fn choose(&mut self) {
        let Some(program) = self.scan.program() else { return };
        let kept = Selection::of(program, self.sound);
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

    /// The picture that begins at `at` is understood.
    fn understand(&mut self, access_unit: AccessUnit, at: usize) {
        let placed = self.timeline.place(access_unit.stamps, access_unit.random_access);
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

    /// The first segment begins, or the first behind a discontinuity.
    fn begin(&mut self, time: Ticks) {
        self.boundaries.learn(time);
        self.reformed = false;
        let first = Candidate { at: 0, time, random_access: true };
        let discontinuity = std::mem::take(&mut self.broken);
        self.phase = Phase::Cutting(Segment { begin: time, independent: true, discontinuity, last: first });
    }

    /// The picture at `at` does not continue what came, which ends at `end`.
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
        if here.time - segment.begin > self.boundaries.limit() && segment.last.at > 0 {
            here.at -= segment.last.at;
            segment = self.cut(segment, segment.last);
        }
        let length = here.time - segment.begin;
        segment = if self.is_ripe(length) && self.boundaries.ends(length, here.time, here.random_access) {
            self.cut(segment, here)
        } else {
            Segment { last: here, ..segment }
        };
        self.phase = Phase::Cutting(segment);
    }

    /// Whether a segment may end: players set up only what the first one has, so it has sound if there is any.
    fn is_ripe(&self, length: Ticks) -> bool {
        let has_sound = self.kept.as_ref().is_some_and(|(kept, _)| kept.has_sound());
        !has_sound || self.held_audio.is_heard() || length > self.boundaries.limit() / 2
    }
}

#[cfg(test)]
mod maker;
#[cfg(test)]
mod tests;
