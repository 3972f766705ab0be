//! Writes tables of our own: a PAT with one program, and its PMT.

use crate::mpegts::facts::{AudioCodec, VideoCodec};
use crate::mpegts::packet::{PACKET, SYNC};
use crate::mpegts::section::checksum;
use crate::mpegts::tables::{Elementary, Kind, PatEntry, Pmt};

/// Longer descriptors are left out, to keep the section short.
const LONGEST: usize = 200;

/// A PAT section that lists `program`.
#[must_use]
pub fn pat(program: PatEntry) -> Vec<u8> {
    let mut section = head(0x00, 1);
    section.extend(program.number.to_be_bytes());
    section.extend((0xe000 | program.pid).to_be_bytes());
    finish(section)
}

/// A PMT section.
#[must_use]
pub fn pmt(pmt: &Pmt) -> Vec<u8> {
    let mut section = head(0x02, pmt.number);
    section.extend((0xe000 | pmt.pcr_pid).to_be_bytes());
    section.extend([0xf0, 0x00]);
    for stream in &pmt.streams {
        let descriptors = descriptors(stream);
        section.push(stream_type(stream.kind));
        section.extend((0xe000 | stream.pid).to_be_bytes());
        section.extend([0xf0, u8::try_from(descriptors.len()).unwrap_or(0)]);
        section.extend(descriptors);
    }
    finish(section)
}

/// Appends `section` to `out` as packets of `pid`, counting `continuity` on.
pub fn packets(section: &[u8], pid: u16, continuity: &mut u8, out: &mut Vec<u8>) {
    // The pointer field precedes the section.
    let mut rest: Vec<u8> = [&[0], section].concat();
    let mut starts = 0x40;
    while !rest.is_empty() {
        let [high, low] = pid.to_be_bytes();
        out.extend([SYNC, starts | high, low, 0x10 | *continuity & 0x0f]);
        *continuity = continuity.wrapping_add(1) & 0x0f;
        starts = 0;
        let taken = rest.len().min(PACKET - 4);
        out.extend(rest.drain(..taken));
        out.resize(out.len() + PACKET - 4 - taken, 0xff);
    }
}

/// The start of a section of version 0, in force and the only one; `finish` fills in the length.
fn head(table: u8, number: u16) -> Vec<u8> {
    let [high, low] = number.to_be_bytes();
    vec![table, 0xb0, 0, high, low, 0xc1, 0, 0]
}

/// Fills in the length and appends the checksum.
fn finish(mut section: Vec<u8>) -> Vec<u8> {
    let [high, low] = u16::try_from(section.len() + 1).unwrap_or(u16::MAX).to_be_bytes();
    section[1] |= high & 0x0f;
    section[2] = low;
    let checksum = checksum(&section);
    section.extend(checksum.to_be_bytes());
    section
}

/// Uses ATSC's stream types for AC-3 and E-AC-3: not all players know DVB's private type with a descriptor.
const fn stream_type(kind: Kind) -> u8 {
    match kind {
        Kind::Video(VideoCodec::H264) => 0x1b,
        Kind::Video(VideoCodec::Hevc) => 0x24,
        Kind::Video(VideoCodec::Mpeg2) => 0x02,
        Kind::Audio(AudioCodec::Aac) => 0x0f,
        Kind::Audio(AudioCodec::AacLatm) => 0x11,
        Kind::Audio(AudioCodec::Mp2 | AudioCodec::Mp3) => 0x03,
        Kind::Audio(AudioCodec::Ac3) => 0x81,
        Kind::Audio(AudioCodec::Eac3) => 0x87,
        Kind::Video(VideoCodec::Other(other)) | Kind::Audio(AudioCodec::Other(other)) => other,
        Kind::Other => 0x06,
    }
}

fn descriptors(stream: &Elementary) -> Vec<u8> {
    let registration: &[u8] = match stream.kind {
        Kind::Video(VideoCodec::Hevc) => b"HEVC",
        Kind::Audio(AudioCodec::Ac3) => b"AC-3",
        Kind::Audio(AudioCodec::Eac3) => b"EAC3",
        Kind::Video(VideoCodec::Other(_)) | Kind::Audio(AudioCodec::Other(_)) | Kind::Other => {
            return if stream.descriptors.len() <= LONGEST { stream.descriptors.clone() } else { Vec::new() };
        }
        Kind::Video(VideoCodec::H264 | VideoCodec::Mpeg2)
        | Kind::Audio(AudioCodec::Aac | AudioCodec::AacLatm | AudioCodec::Mp2 | AudioCodec::Mp3) => &[],
    };
    let mut written = Vec::new();
    if !registration.is_empty() {
        written.extend([0x05, 4]);
        written.extend(registration);
    }
    if let Some(language) = &stream.language {
        written.extend([0x0a, 4]);
        written.extend(language.bytes().take(3));
        written.push(0);
    }
    written
}
