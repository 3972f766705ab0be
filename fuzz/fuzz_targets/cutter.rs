//! Anything at all as a transport stream: the cutter must bear it, keep to its bounds, and cut the same however the
//! bytes came in pieces. The first byte says whether the rest is a stream, or what a picture's and a sound's PES
//! packets carry: random bytes would never come by the checksum of a table.
#![no_main]

use std::time::Duration;

use bytes::Bytes;
use domain::cutter::{Cut, Cutter, Rule};
use domain::mpegts::facts::{AudioCodec, VideoCodec};
use domain::mpegts::tables::{Elementary, PatEntry, Kind, Pmt};
use domain::mpegts::write;
use libfuzzer_sys::fuzz_target;

const RULE: Rule = Rule {
    piece: Duration::from_millis(500),
    target: Duration::from_secs(1),
    first: Duration::from_millis(2200),
    largest: 40 * 188,
};

fuzz_target!(|data: &[u8]| {
    let Some((&mode, data)) = data.split_first() else { return };
    let stream = if mode & 1 == 0 { data.to_vec() } else { wrapped(mode >> 1, data) };
    let whole = cut(&stream, usize::MAX);
    for cut in &whole {
        assert!(cut.bytes.len() <= RULE.largest && cut.bytes.len() % 188 == 0);
        assert!(cut.bytes.starts_with(&[0x47, 0x40, 0x00]));
    }
    assert!(whole == cut(&stream, 17 + usize::from(mode) * 7), "pieces make a difference");
});

fn cut(stream: &[u8], piece: usize) -> Vec<Cut> {
    let mut cutter = Cutter::new(RULE);
    let mut cuts = Vec::new();
    for piece in stream.chunks(piece) {
        cutter.push(&Bytes::copy_from_slice(piece));
        cuts.extend(std::iter::from_fn(|| cutter.poll()));
    }
    cuts.extend(cutter.finish());
    cuts
}

/// A stream with tables, and `data` as what its PIDs carry: 24 bytes a packet, the rest stuffing.
fn wrapped(mode: u8, data: &[u8]) -> Vec<u8> {
    let video = [VideoCodec::H264, VideoCodec::Hevc, VideoCodec::Mpeg2, VideoCodec::Other(0x33)];
    let audio = [AudioCodec::Aac, AudioCodec::Mp2, AudioCodec::Ac3, AudioCodec::Eac3];
    let stream = |pid, kind| Elementary { pid, kind, language: None, descriptors: Vec::new() };
    let mut streams = vec![stream(0x101, Kind::Audio(audio[usize::from(mode >> 2 & 3)]))];
    if mode & 16 == 0 {
        streams.push(stream(0x100, Kind::Video(video[usize::from(mode & 3)])));
    }
    let map = Pmt { number: 1, pcr_pid: 0x100, streams };
    let mut out = Vec::new();
    write::packets(&write::pat(PatEntry { number: 1, pid: 0x1000 }), 0, &mut 0, &mut out);
    write::packets(&write::pmt(&map), 0x1000, &mut 0, &mut out);
    for (count, content) in data.chunks(24).enumerate() {
        let kind = content[0];
        let mut payload = Vec::new();
        if kind & 1 == 1 {
            // A header with a stamp: half a second at most behind the one before, or anything.
            let pts = if kind & 32 == 0 { count as u64 * u64::from(kind >> 2) * 100 } else { u64::from(kind) << 24 };
            payload.extend([0, 0, 1, 0xe0, 0, 0, 0x80, 0x80, 5, 0x21 | (pts >> 29 & 0xe) as u8, (pts >> 22) as u8]);
            payload.extend([(pts >> 14) as u8 | 1, (pts >> 7) as u8, (pts << 1) as u8 | 1]);
        }
        payload.extend(&content[1..]);
        let pid = if kind & 2 == 0 { 0 } else { 1 };
        out.extend([0x47, if kind & 1 == 1 { 0x41 } else { 0x01 }, pid, 0x30 | count as u8 & 15]);
        let stuffing = 183 - payload.len();
        out.push(stuffing as u8);
        out.push(if kind & 16 == 0 { 0 } else { 0x40 });
        out.resize(out.len() + stuffing - 1, 0xff);
        out.extend(payload);
    }
    out
}
