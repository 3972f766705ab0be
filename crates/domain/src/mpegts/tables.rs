//! Reads the PAT and PMT (ISO/IEC 13818-1, 2.4.4): which streams there are, and on which PIDs.

use crate::mpegts::facts::{AudioCodec, VideoCodec};

/// A program in the PAT.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PatEntry {
    /// The program number.
    pub number: u16,
    /// The PID of its PMT.
    pub pid: u16,
}

/// A program map table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pmt {
    /// The program number.
    pub number: u16,
    /// The PID of the program clock reference.
    pub pcr_pid: u16,
    /// The elementary streams.
    pub streams: Vec<Elementary>,
}

/// An elementary stream in the PMT.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Elementary {
    /// The PID.
    pub pid: u16,
    /// The codec.
    pub kind: Kind,
    /// The ISO 639-2 code.
    pub language: Option<String>,
    /// The descriptors, as received.
    pub descriptors: Vec<u8>,
}

/// The type of an elementary stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Video.
    Video(VideoCodec),
    /// Audio.
    Audio(AudioCodec),
    /// Subtitles or data.
    Other,
}

impl Pmt {
    /// The PID and codec of the first video stream.
    #[must_use]
    pub fn video(&self) -> Option<(u16, VideoCodec)> {
        self.streams.iter().find_map(|stream| match stream.kind {
            Kind::Video(codec) => Some((stream.pid, codec)),
            Kind::Audio(_) | Kind::Other => None,
        })
    }

    /// The audio streams.
    pub fn audio(&self) -> impl Iterator<Item = (&Elementary, AudioCodec)> {
        self.streams.iter().filter_map(|stream| match stream.kind {
            Kind::Audio(codec) => Some((stream, codec)),
            Kind::Video(_) | Kind::Other => None,
        })
    }
}

/// The number and the content of a section that is in force and belongs to `table`.
fn content(section: &[u8], table: u8) -> Option<(u16, &[u8])> {
    let [id, _, _, high, low, version, _, _, content @ ..] = section else { return None };
    (*id == table && version & 1 == 1).then_some((u16::from_be_bytes([*high, *low]), content))
}

/// The programs in a section of the PAT; `None` for another section.
#[must_use]
pub fn pat(section: &[u8]) -> Option<impl Iterator<Item = PatEntry>> {
    let (_, content) = content(section, 0)?;
    let entries = content.as_chunks::<4>().0.iter().map(|&[a, b, c, d]| PatEntry {
        number: u16::from_be_bytes([a, b]),
        pid: u16::from_be_bytes([c & 0x1f, d]),
    });
    // Number 0 points to the network information table.
    Some(entries.filter(|entry| entry.number != 0))
}

/// Reads a section of the PMT, which never has more than one.
#[must_use]
pub fn pmt(section: &[u8]) -> Option<Pmt> {
    let (number, content) = content(section, 2)?;
    let [pcr_high, pcr_low, high, low, rest @ ..] = content else { return None };
    let pcr_pid = u16::from_be_bytes([pcr_high & 0x1f, *pcr_low]);
    let (of_program, mut rest) =
        rest.split_at_checked(usize::from(u16::from_be_bytes([high & 0x0f, *low])))?;
    let has_splices = is_splice_information(of_program);
    let mut streams = Vec::new();
    while let [kind, pid_high, pid_low, high, low, behind @ ..] = rest {
        let length = usize::from(u16::from_be_bytes([high & 0x0f, *low]));
        let (descriptors, behind) = behind.split_at_checked(length)?;
        streams.push(Elementary {
            pid: u16::from_be_bytes([pid_high & 0x1f, *pid_low]),
            kind: match kind {
                0x86 if has_splices => Kind::Other,
                _ => kind_of(*kind, descriptors),
            },
            language: language(descriptors),
            descriptors: descriptors.to_vec(),
        });
        rest = behind;
    }
    Some(Pmt { number, pcr_pid, streams })
}

/// The tag and content of each descriptor.
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
        // MPEG-4 part 2, SVC and MVC, JPEG 2000, AVS, VVC, VC-1, Dirac.
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

/// SCTE 35 uses a stream type that DTS uses as well, and registers itself for the stream or for the whole program (SCTE 35, 8.1).
fn is_splice_information(descriptors: &[u8]) -> bool {
    each(descriptors).any(|(tag, content)| tag == 0x8a || tag == 0x05 && content.starts_with(b"CUEI"))
}

/// The codec of a private stream, by its descriptors (EN 300 468) and registrations (SMPTE).
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_with_splice_information_has_no_sound_of_its_type() {
        const CUEI: [u8; 6] = [0x05, 4, b'C', b'U', b'E', b'I'];
        let kinds = |of_program: &[u8], of_stream: &[u8]| {
            let length = |descriptors: &[u8]| [0xf0, u8::try_from(descriptors.len()).unwrap()];
            let head = [2, 0xb0, 0, 0, 1, 0xc1, 0, 0, 0xe1, 0];
            let streams =
                [&[0x0f, 0xe1, 1, 0xf0, 0, 0x86, 0xe1, 2], &length(of_stream)[..], of_stream].concat();
            let section = [&head[..], &length(of_program), of_program, &streams, &[0; 4]].concat();
            pmt(&section).unwrap().streams.iter().map(|stream| stream.kind).collect::<Vec<_>>()
        };
        let aac = Kind::Audio(AudioCodec::Aac);
        assert_eq!(kinds(&[], &[]), [aac, Kind::Audio(AudioCodec::Other(0x86))]);
        assert_eq!(kinds(&[], &CUEI), [aac, Kind::Other]);
        assert_eq!(kinds(&CUEI, &[]), [aac, Kind::Other]);
    }
}
