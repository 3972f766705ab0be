//! Turns incoming bytes into runs of whole packets in the ring, with clock, access points and tables.
//!
//! It does not know its readers.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;

use crate::feed::shared::Shared;
use crate::feed::tables::Tables;
use domain::mpegts::align::Align;
use domain::mpegts::clock::Ticks;
use domain::mpegts::facts::Facts;
use domain::mpegts::packet::{PACKET, Packet};
use domain::mpegts::scan::{Scan, Seen};
use domain::mpegts::track::Continuity;
use domain::mpegts::track::Role;
use domain::time::Timestamp;

/// The longest run, in bytes: about a quarter of a second of good video.
const LONGEST: usize = 348 * PACKET;

/// How long after the others an audio track may begin before it counts as listed but not sent.
const MUTE: Duration = Duration::from_secs(1);

#[derive(Debug)]
pub(super) struct Inflow {
    shared: Arc<Shared>,
    align: Align,
    scan: Scan,
    tables: Tables,
    run: Run,
    connections: u64,
    position: Duration,
    /// The position at which video and one audio track were known and other audio tracks were not.
    shown_at: Option<Duration>,
    /// Whether the next run does not continue the one before.
    splice: bool,
}

/// Packets that are not in the ring yet.
#[derive(Debug, Default)]
struct Run {
    bytes: Vec<u8>,
    /// The values of the program's clock (PCR) in it.
    clock: Vec<Ticks>,
    /// The access points, as offsets in the whole stream, with the tables in force there.
    points: Vec<(u64, Bytes)>,
    errors: u64,
}

impl Inflow {
    pub(super) fn new(shared: Arc<Shared>) -> Self {
        Self {
            shared,
            align: Align::default(),
            scan: Scan::default(),
            tables: Tables::default(),
            run: Run::default(),
            connections: 0,
            position: Duration::ZERO,
            shown_at: None,
            splice: false,
        }
    }

    /// An input was opened; its bytes do not continue those before.
    pub(super) fn connected(&mut self) {
        self.align.reset();
        self.scan.splice();
        self.splice = self.scan.packets() > 0;
        self.connections += 1;
        self.shared.lock().counts.connections = self.connections;
    }

    /// Takes the bytes that came at `now`; returns whether they contained a packet.
    pub(super) fn take(&mut self, bytes: &Bytes, now: Timestamp) -> bool {
        let before = self.scan.packets();
        self.align.push(bytes);
        while let Some(packets) = self.align.next_run() {
            let mut rest = &*packets;
            while !rest.is_empty() {
                if self.run.bytes.len() == LONGEST {
                    self.flush(now);
                }
                let room = (LONGEST - self.run.bytes.len()).min(rest.len());
                self.read(&rest[..room]);
                rest = &rest[room..];
            }
        }
        self.flush(now);
        self.scan.packets() > before
    }

    /// Bytes of whole packets that have come.
    pub(super) const fn pulled(&self) -> u64 {
        self.scan.packets() * PACKET as u64
    }

    /// The stream's position by its own clock.
    pub(super) const fn position(&self) -> Duration {
        self.position
    }

    /// The stream's facts, once every track is known or seen to be scrambled. An audio track that is listed but not sent is
    /// waited for no longer than `MUTE`.
    pub(super) fn facts(&mut self) -> Option<&Facts> {
        let facts = self.scan.facts()?;
        if facts.is_scrambled() || self.scan.is_settled() {
            return Some(facts);
        }
        let shown = facts.video.as_ref().is_none_or(|video| video.size.is_some());
        let heard = facts.audio.iter().any(|audio| audio.sample_rate.is_some());
        let since = *self.shown_at.get_or_insert(self.position);
        if !(shown && heard) {
            self.shown_at = None;
            return None;
        }
        (self.position.saturating_sub(since) >= MUTE).then_some(facts)
    }

    fn read(&mut self, packets: &[u8]) {
        self.run.bytes.extend_from_slice(packets);
        for packet in Packet::all(packets) {
            let seen = self.scan.read(packet);
            self.note(packet, seen);
        }
    }

    fn note(&mut self, packet: Packet<'_>, seen: Seen) {
        if seen.continuity == Continuity::Broken {
            self.run.errors += 1;
        }
        if seen.role == Role::Tables {
            self.tables.take(packet);
        }
        let program = self.scan.program();
        if let Some(unit) = seen.access_unit.filter(|unit| unit.random_access)
            && let Some((entry, _)) = program
        {
            self.run.points.push((unit.packet * PACKET as u64, self.tables.of(entry.pid)));
        }
        if let Some(clock) = packet.pcr()
            && program.is_some_and(|(_, map)| map.pcr_pid == packet.pid())
        {
            self.run.clock.push(clock);
        }
    }

    fn flush(&mut self, now: Timestamp) {
        let mut guarded = self.shared.lock();
        guarded.counts.skipped = self.align.skipped();
        guarded.counts.resyncs = self.align.losses();
        if self.run.bytes.is_empty() {
            return;
        }
        let splice = std::mem::take(&mut self.splice);
        guarded.counts.bytes += self.run.bytes.len() as u64;
        guarded.counts.continuity_errors += std::mem::take(&mut self.run.errors);
        guarded.counts.splices += u64::from(splice);
        guarded.ring.push(&self.run.bytes, splice, self.run.clock.drain(..), now);
        self.run.bytes.clear();
        for (start, tables) in self.run.points.drain(..) {
            guarded.ring.mark(start, tables);
        }
        self.position = guarded.ring.position();
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use domain::mpegts::facts::{AudioCodec, VideoCodec};
    use domain::mpegts::tables::{Elementary, Kind, PatEntry, Pmt};
    use domain::mpegts::write;
    use domain::ring::{Join, Read, Size};

    /// Packets of nobody, each of which says where it is.
    fn packets(count: usize) -> Vec<u8> {
        let packet = |nth: usize| {
            let mut packet = vec![0xff; PACKET];
            packet[..4].copy_from_slice(&[0x47, 0x01, 0x00, 0x10 | (nth % 16) as u8]);
            packet[4..12].copy_from_slice(&(nth as u64).to_be_bytes());
            packet
        };
        (0..count).flat_map(packet).collect()
    }

    /// What is in the ring after `stream` came in pieces of these sizes, the last of them for ever.
    fn held(stream: &[u8], sizes: &[usize]) -> Vec<u8> {
        let shared = Arc::new(Shared::new(Size { span: Duration::from_secs(60), bytes: u64::MAX }));
        let mut inflow = Inflow::new(Arc::clone(&shared));
        inflow.connected();
        let mut rest = Bytes::copy_from_slice(stream);
        for nth in 0.. {
            if rest.is_empty() {
                break;
            }
            let piece = rest.split_to(sizes[nth.min(sizes.len() - 1)].min(rest.len()));
            inflow.take(&piece, Timestamp::from_millis(10 * nth as u64));
        }
        let guarded = shared.lock();
        assert_eq!(guarded.counts.bytes, guarded.ring.end());
        let Some(mut cursor) = guarded.ring.join(Join::Oldest) else { return Vec::new() };
        let mut all = Vec::new();
        while let Read::Chunk(chunk) = guarded.ring.read(&mut cursor) {
            assert_eq!(chunk.bytes.len() % PACKET, 0);
            all.extend_from_slice(&chunk.bytes);
        }
        all
    }

    /// Nothing else of it needs to have come.
    #[test]
    fn what_is_scrambled_is_told_with_its_first_packet() {
        const PICTURE: u16 = 0x101;
        const SOUND: u16 = 0x102;
        let entry = PatEntry { number: 1, pid: 0x30 };
        let stream = |pid, kind| Elementary { pid, kind, language: None, descriptors: Vec::new() };
        let streams = vec![
            stream(PICTURE, Kind::Video(VideoCodec::H264)),
            stream(SOUND, Kind::Audio(AudioCodec::Aac)),
            stream(SOUND + 1, Kind::Audio(AudioCodec::Ac3)),
        ];
        for (pid, is_told) in [(PICTURE, true), (SOUND, false)] {
            let mut bytes = Vec::new();
            write::packets(&write::pat(entry), 0, &mut 0, &mut bytes);
            let map = Pmt { number: 1, pcr_pid: PICTURE, streams: streams.clone() };
            write::packets(&write::pmt(&map), entry.pid, &mut 0, &mut bytes);
            bytes.extend(packets(1));
            let [high, low] = pid.to_be_bytes();
            let last = bytes.len() - PACKET;
            bytes[last..last + 4].copy_from_slice(&[0x47, high, low, 0x90]);
            bytes.extend(packets(10));
            let mut inflow =
                Inflow::new(Arc::new(Shared::new(Size { span: Duration::MAX, bytes: u64::MAX })));
            inflow.connected();
            inflow.take(&bytes.into(), Timestamp::from_millis(0));
            assert_eq!(inflow.facts().is_some_and(Facts::is_scrambled), is_told, "{pid:x}");
        }
    }

    /// A radio's sound, which comes ten seconds at a time: its clock goes on, however few bytes that is.
    #[test]
    fn what_comes_in_bursts_goes_on() {
        const SOUND: u16 = 0x101;
        let entry = PatEntry { number: 1, pid: 0x30 };
        let streams = vec![Elementary {
            pid: SOUND,
            kind: Kind::Audio(AudioCodec::Mp2),
            language: None,
            descriptors: Vec::new(),
        }];
        let mut stream = Vec::new();
        write::packets(&write::pat(entry), 0, &mut 0, &mut stream);
        write::packets(
            &write::pmt(&Pmt { number: 1, pcr_pid: SOUND, streams }),
            entry.pid,
            &mut 0,
            &mut stream,
        );
        for tenth in 0..300_u32 {
            let mut clock = packets(1);
            let [high, low] = SOUND.to_be_bytes();
            clock[..6].copy_from_slice(&[0x47, high, low, 0x20, 183, 0x10]);
            // The base's lowest bit, which is always even here, stands in the next byte.
            clock[6..10].copy_from_slice(&(tenth * 9000 / 2).to_be_bytes());
            clock[10..12].fill(0);
            stream.extend(clock);
            stream.extend(packets(7));
        }
        let shared = Arc::new(Shared::new(Size { span: Duration::from_secs(60), bytes: u64::MAX }));
        let mut inflow = Inflow::new(Arc::clone(&shared));
        inflow.connected();
        for (nth, piece) in stream.chunks(801 * PACKET).enumerate() {
            inflow.take(&Bytes::copy_from_slice(piece), Timestamp::from_millis(10_000 * nth as u64));
        }
        let guarded = shared.lock();
        let mut cursor = guarded.ring.join(Join::Oldest).unwrap();
        while let Read::Chunk(chunk) = guarded.ring.read(&mut cursor) {
            assert_eq!(chunk.timeline, 0);
        }
        assert_eq!(inflow.position(), Duration::from_millis(29_900));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(12))]
        #[test]
        fn pieces_of_any_size_are_all_kept(sizes in prop::collection::vec(1_usize..100_000, 1..40)) {
            let stream = packets(2500);
            let sizes: Vec<_> = std::iter::repeat_n(1, 1000).chain(sizes).collect();
            let held = held(&stream, &sizes);
            let differs = held.iter().zip(&stream).position(|(held, given)| held != given);
            prop_assert!(held == stream, "{} of {}, {differs:?}", held.len(), stream.len());
        }
    }
}
