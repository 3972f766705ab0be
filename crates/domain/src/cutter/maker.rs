//! Makes transport streams for the tests: H.264 pictures of a few bytes, and audio beside them.

use crate::mpegts::clock::{HERTZ, Ticks};
use crate::mpegts::facts::{AudioCodec, VideoCodec};
use crate::mpegts::packet::PACKET;
use crate::mpegts::tables::{Elementary, Kind, PatEntry, Pmt};
use crate::mpegts::write;

/// By FFmpeg: baseline profile, 320×180, 25 frames per second.
pub(super) const SPS: &[u8] = &[
    0x67, 0x42, 0xc0, 0x0c, 0xda, 5, 6, 0x7e, 0x7c, 4, 0x40, 0, 0, 3, 0, 0x40, 0, 0, 0x0c, 0x83, 0xc5, 0x0a,
    0xa8,
];
/// The same, one macroblock narrower.
pub(super) const OTHER_SPS: &[u8] = &[
    0x67, 0x42, 0xc0, 0x0c, 0xda, 5, 5, 0x7e, 0x7c, 4, 0x40, 0, 0, 3, 0, 0x40, 0, 0, 0x0c, 0x83, 0xc5, 0x0a,
    0xa8,
];
const ADTS: &[u8] = &[0xff, 0xf1, 0x4c, 0x40, 0x02, 0x1f, 0xfc, 0, 0, 0, 0, 0, 0, 0, 0, 0];

pub(super) const VIDEO: u16 = 0x100;
pub(super) const AUDIO: u16 = 0x101;
pub(super) const CLOCK: u16 = 0x1ff;
pub(super) const FRAME: Ticks = HERTZ / 25;

/// A stream under construction.
pub(super) struct Maker {
    pub(super) out: Vec<u8>,
    pub(super) sps: &'static [u8],
    pub(super) map: Pmt,
    /// Extra bytes of each picture.
    pub(super) filling: usize,
    /// Whether the audio has two channels instead of one.
    pub(super) stereo: bool,
    counters: [u8; 0x2000],
    /// When the next picture is decoded.
    pub(super) now: Ticks,
}

impl Default for Maker {
    fn default() -> Self {
        let stream = |pid, kind| Elementary { pid, kind, language: None, descriptors: Vec::new() };
        let streams = vec![
            stream(VIDEO, Kind::Video(VideoCodec::H264)),
            stream(AUDIO, Kind::Audio(AudioCodec::Aac)),
            stream(AUDIO + 1, Kind::Audio(AudioCodec::Aac)),
            stream(0x110, Kind::Other),
        ];
        let map = Pmt { number: 5, pcr_pid: CLOCK, streams };
        Self {
            out: Vec::new(),
            sps: SPS,
            map,
            filling: 10,
            stereo: false,
            counters: [0; 0x2000],
            now: 10 * HERTZ,
        }
    }
}

impl Maker {
    pub(super) fn tables(&mut self) -> &mut Self {
        let entry = PatEntry { number: self.map.number, pid: 0x1000 };
        write::packets(&write::pat(entry), 0, &mut self.counters[0], &mut self.out);
        write::packets(&write::pmt(&self.map), entry.pid, &mut self.counters[0x1000], &mut self.out);
        self
    }

    /// Adds `frames` pictures, every `group`th a random access point, with audio, PCR and data.
    pub(super) fn pictures(&mut self, frames: usize, group: usize) -> &mut Self {
        for frame in 0..frames {
            if frame % 10 == 0 {
                self.tables();
                self.clock();
            }
            self.picture(frame % group == 0);
            self.audio(AUDIO, self.now);
            self.audio(AUDIO + 1, self.now);
            self.packet(0x110, true, &[0, 0, 1, 0xbd, 0, 0]);
            self.now += FRAME;
        }
        self
    }

    pub(super) fn picture(&mut self, random_access: bool) {
        let mut content = vec![0, 0, 0, 1, 9, 0xf0];
        if random_access {
            content.extend([&[0, 0, 0, 1], self.sps, &[0, 0, 0, 1, 0x68, 0xce, 0x0f, 0xc8]].concat());
        }
        content.extend([0, 0, 1, if random_access { 0x65 } else { 0x41 }, 0x9a, 1, 2, 3, 4, 5, 6, 7, 8]);
        content.resize(content.len() + self.filling, 0xaa);
        self.pes(VIDEO, 0xe0, self.now, &content);
    }

    pub(super) fn audio(&mut self, pid: u16, shown: Ticks) {
        let mut content = ADTS.repeat(20);
        content[3] = if self.stereo { 0x80 } else { 0x40 };
        self.pes(pid, 0xc0, shown, &content);
    }

    pub(super) fn clock(&mut self) {
        let [.., a, b, c, d] = (self.now >> 1).to_be_bytes();
        let mut bytes = [0xff; PACKET];
        bytes[..12].copy_from_slice(&[0x47, 0x01, 0xff, 0x20, 183, 0x10, a, b, c, d, 0, 0]);
        self.out.extend(bytes);
    }

    pub(super) fn pes(&mut self, pid: u16, id: u8, stamp: Ticks, content: &[u8]) {
        let stamp = stamp.rem_euclid(1 << 33);
        let length = u16::try_from(content.len() + 8).unwrap_or(0).to_be_bytes();
        let [.., high, low] = ((stamp >> 15 & 0x7fff) << 1 | 1).to_be_bytes();
        let [.., higher, lower] = ((stamp & 0x7fff) << 1 | 1).to_be_bytes();
        let top = u8::try_from(stamp >> 30 << 1).unwrap() | 0x21;
        let header = [0, 0, 1, id, length[0], length[1], 0x80, 0x80, 5, top, high, low, higher, lower];
        let mut starts = true;
        for payload in [&header, content].concat().chunks(184) {
            self.packet(pid, starts, payload);
            starts = false;
        }
    }

    pub(super) fn packet(&mut self, pid: u16, starts: bool, payload: &[u8]) {
        let counter = &mut self.counters[usize::from(pid)];
        let [high, low] = pid.to_be_bytes();
        let stuffing = 184 - payload.len();
        let control = if stuffing > 0 { 0x30 } else { 0x10 };
        self.out.extend([0x47, if starts { 0x40 } else { 0 } | high, low, control | *counter]);
        *counter = (*counter + 1) & 15;
        if stuffing > 0 {
            self.out.push(u8::try_from(stuffing - 1).unwrap());
            self.out.resize(self.out.len() + stuffing - 1, 0xff);
            let flags = self.out.len() - (stuffing - 1);
            if stuffing > 1 {
                self.out[flags] = 0;
            }
        }
        self.out.extend(payload);
    }
}
