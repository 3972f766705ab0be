//! Program association and map tables (13818-1, 2.4.4): what is in the stream, and where.

use crate::mpegts::facts::{AudioCodec, VideoCodec};

/// A program of the PAT.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PatEntry {
    /// Its number.
    pub number: u16,
    /// Where its map is.
    pub pid: u16,
}

/// A PMT.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pmt {
    /// The number of its program.
    pub number: u16,
    /// Where its clock is.
    pub pcr_pid: u16,
    /// What belongs to it.
    pub streams: Vec<Elementary>,
}

/// An elementary stream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Elementary {
    /// Where it is.
    pub pid: u16,
    /// What it is.
    pub kind: Kind,
    /// ISO 639-2.
    pub language: Option<String>,
    /// What else is said of it, as it was said.
    pub descriptors: Vec<u8>,
}

/// What an elementary stream is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A picture.
    Video(VideoCodec),
    /// A sound.
    Audio(AudioCodec),
    /// Subtitles, data.
    Other,
}

impl Pmt {
    /// Its picture.
    #[must_use]
    pub fn video(&self) -> Option<(u16, VideoCodec)> {
        self.streams.iter().find_map(|stream| match stream.kind {
            Kind::Video(codec) => Some((stream.pid, codec)),
            Kind::Audio(_) | Kind::Other => None,
        })
    }

    /// Its sounds.
    pub fn audio(&self) -> impl Iterator<Item = (&Elementary, AudioCodec)> {
        self.streams.iter().filter_map(|stream| match stream.kind {
            Kind::Audio(codec) => Some((stream, codec)),
            Kind::Video(_) | Kind::Other => None,
        })
    }
}

/// A section that is in force, of this table: its number and what lies behind its header.
fn content(section: &[u8], table: u8) -> Option<(u16, &[u8])> {
    let [id, _, _, high, low, version, _, _, content @ ..] = section else { return None };
    (*id == table && version & 1 == 1).then_some((u16::from_be_bytes([*high, *low]), content))
}

/// The programs in a section of the PAT.
#[must_use]
pub fn pat(section: &[u8]) -> Option<impl Iterator<Item = PatEntry>> {
    let (_, content) = content(section, 0)?;
    let entries = content.as_chunks::<4>().0.iter().map(|&[a, b, c, d]| PatEntry {
        number: u16::from_be_bytes([a, b]),
        pid: u16::from_be_bytes([c & 0x1f, d]),
    });
    // Number 0 is the network's.
    Some(entries.filter(|entry| entry.number != 0))
}

/// A section of a PMT; there is never more than one.
#[must_use]
pub fn pmt(section: &[u8]) -> Option<Pmt> {
    let (number, content) = content(section, 2)?;
    let [pcr_high, pcr_low, high, low, rest @ ..] = content else { return None };
    let pcr_pid = u16::from_be_bytes([pcr_high & 0x1f, *pcr_low]);
    let mut rest = rest.get(usize::from(u16::from_be_bytes([high & 0x0f, *low]))..)?;
    let mut streams = Vec::new();
    while let [kind, pid_high, pid_low, high, low, behind @ ..] = rest {
        let length = usize::from(u16::from_be_bytes([high & 0x0f, *low]));
        let (descriptors, behind) = behind.split_at_checked(length)?;
        streams.push(Elementary {
            pid: u16::from_be_bytes([pid_high & 0x1f, *pid_low]),
            kind: kind_of(*kind, descriptors),
            language: language(descriptors),
            descriptors: descriptors.to_vec(),
        });
        rest = behind;
    }
    Some(Pmt { number, pcr_pid, streams })
}

/// Descriptors with their tags.
fn each(mut descriptors: &[u8]) -> impl Iterator<Item = (u8, &[u8])> {
    std::iter::from_fn(move || {
        let [tag, length, rest @ ..] = descriptors else { return None };
        let (content, rest) = rest.split_at_checked(usize::from(*length))?;
        descriptors = rest;
        Some((*tag, content))
    })
}

fn language(descriptors: &[u8]) -> Option<String> {
    let (_, content) = each(descriptors).find(|(tag, _)| *tag == 0x0a)?;
    let code = std::str::from_utf8(content.get(..3)?).ok()?;
    code.bytes().all(|byte| byte.is_ascii_alphanumeric()).then(|| code.to_ascii_lowercase())
}

fn kind_of(stream_type: u8, descriptors: &[u8]) -> Kind {
    match stream_type {
        0x01 | 0x02 => Kind::Video(VideoCodec::Mpeg2),
        0x1b => Kind::Video(VideoCodec::H264),
        0x24 => Kind::Video(VideoCodec::Hevc),
        // MPEG-4 part 2, scalable and stereo H.264, JPEG 2000, AVS, VVC, VC-1, Dirac.
        0x10 | 0x1f..=0x21 | 0x33 | 0x42 | 0xd1 | 0xea => Kind::Video(VideoCodec::Other(stream_type)),
        0x03 | 0x04 => Kind::Audio(AudioCodec::Mp2),
        0x0f => Kind::Audio(AudioCodec::Aac),
        0x11 => Kind::Audio(AudioCodec::AacLatm),
        0x81 => Kind::Audio(AudioCodec::Ac3),
        0x84 | 0x87 => Kind::Audio(AudioCodec::Eac3),
        0x1c | 0x82 | 0x83 | 0x85 | 0x86 if !is_splice_information(descriptors) => {
            Kind::Audio(AudioCodec::Other(stream_type))
        }
        0x06 | 0x80 | 0x88..=0xff => private(stream_type, descriptors),
        _ => Kind::Other,
    }
}

/// SCTE 35 has a stream type that others use for sound.
fn is_splice_information(descriptors: &[u8]) -> bool {
    each(descriptors).any(|(tag, content)| tag == 0x8a || tag == 0x05 && content.starts_with(b"CUEI"))
}

/// What only its descriptors tell (EN 300 468; registrations of SMPTE).
fn private(stream_type: u8, descriptors: &[u8]) -> Kind {
    each(descriptors)
        .find_map(|(tag, content)| match (tag, content.get(..4)) {
            (0x6a, _) | (0x05, Some(b"AC-3")) => Some(Kind::Audio(AudioCodec::Ac3)),
            (0x7a, _) | (0x05, Some(b"EAC3")) => Some(Kind::Audio(AudioCodec::Eac3)),
            (0x7c, _) => Some(Kind::Audio(AudioCodec::AacLatm)),
            (0x7b, _) | (0x05, Some(b"DTS1" | b"DTS2" | b"DTS3" | b"Opus" | b"BSSD")) => {
                Some(Kind::Audio(AudioCodec::Other(stream_type)))
            }
            (0x05, Some(b"HEVC")) => Some(Kind::Video(VideoCodec::Hevc)),
            _ => None,
        })
        .unwrap_or(Kind::Other)
}
