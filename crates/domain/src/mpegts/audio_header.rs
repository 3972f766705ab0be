//! Reads the frame headers of audio codecs: ADTS, MPEG audio, AC-3 and Enhanced AC-3.
//!
//! A sync word can occur by chance inside a frame, so the caller judges a header that is not at the start of a PES
//! payload.

use crate::mpegts::bits::Bits;
use crate::mpegts::facts::AudioCodec;

/// Hertz by `sampling_frequency_index` (ISO/IEC 14496-3, table 1.18).
const AAC_RATES: [u32; 13] =
    [96000, 88200, 64000, 48000, 44100, 32000, 24000, 22050, 16000, 12000, 11025, 8000, 7350];
/// Hertz by index in MPEG-1 audio; MPEG-2 halves them, MPEG-2.5 quarters them.
const MPEG_RATES: [u32; 3] = [44100, 48000, 32000];
/// Hertz by `fscod` (ATSC A/52, table 5.6).
const AC3_RATES: [u32; 3] = [48000, 44100, 32000];
/// Kbit/s by index: MPEG-1 layer II, MPEG-1 layer III, MPEG-2 layers II and III.
const MPEG_BITRATES: [[u64; 14]; 3] = [
    [32, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 384],
    [32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320],
    [8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160],
];
/// Kbit/s by half of `frmsizecod` (ATSC A/52, table 5.18).
const AC3_BITRATES: [u64; 19] =
    [32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 384, 448, 512, 576, 640];
/// Channels by `acmod`, without the LFE channel.
const AC3_CHANNELS: [u32; 8] = [2, 1, 2, 3, 3, 4, 4, 5];

/// The fields of a header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Header {
    /// The codec, told more exactly than the PMT does: the layer of MPEG audio, and E-AC-3 that is signalled as AC-3.
    pub codec: AudioCodec,
    /// The number of channels.
    pub channels: Option<u32>,
    /// Hertz.
    pub sample_rate: Option<u32>,
    /// In bit/s.
    pub bitrate: Option<u64>,
}

impl Header {
    /// The fields that a decoder is set up for.
    pub(super) const fn format(&self) -> (AudioCodec, Option<u32>, Option<u32>) {
        (self.codec, self.channels, self.sample_rate)
    }
}

/// Whether this module can read the header of `codec`.
#[must_use]
pub(super) const fn has_header(codec: AudioCodec) -> bool {
    match codec {
        AudioCodec::Aac | AudioCodec::Mp2 | AudioCodec::Mp3 | AudioCodec::Ac3 | AudioCodec::Eac3 => true,
        AudioCodec::AacLatm | AudioCodec::Other(_) => false,
    }
}

/// Finds the first header in `bytes`, coded as `codec`, and its offset.
#[must_use]
pub(super) fn header(codec: AudioCodec, bytes: &[u8]) -> Option<(Header, usize)> {
    let read = match codec {
        AudioCodec::Aac => adts,
        AudioCodec::Mp2 | AudioCodec::Mp3 => mpeg,
        AudioCodec::Ac3 | AudioCodec::Eac3 => ac3,
        AudioCodec::AacLatm | AudioCodec::Other(_) => return None,
    };
    (0..bytes.len()).find_map(|at| Some((read(&bytes[at..])?, at)))
}

fn adts(bytes: &[u8]) -> Option<Header> {
    let mut bits = Bits::new(bytes.iter().copied());
    // A sync word of twelve bits, the version, and a layer that is always zero.
    if bits.number(12)? != 0xfff || bits.number(3)? & 3 != 0 {
        return None;
    }
    bits.skip(1 + 2)?;
    let rate = *AAC_RATES.get(usize::try_from(bits.number(4)?).ok()?)?;
    bits.skip(1)?;
    let channels = match bits.number(3)? {
        0 => None,
        7 => Some(8),
        channels => Some(channels),
    };
    bits.skip(4)?;
    // A frame is longer than its header.
    (bits.number(13)? > 7).then_some(Header {
        codec: AudioCodec::Aac,
        channels,
        sample_rate: Some(rate),
        bitrate: None,
    })
}

fn mpeg(bytes: &[u8]) -> Option<Header> {
    let mut bits = Bits::new(bytes.iter().copied());
    if bits.number(11)? != 0x7ff {
        return None;
    }
    let (version, layer) = (bits.number(2)?, bits.number(2)?);
    bits.skip(1)?;
    let bitrate = bits.number(4)?;
    let rate = *MPEG_RATES.get(usize::try_from(bits.number(2)?).ok()?)?;
    bits.skip(2)?;
    let mono = bits.number(2)? == 3;
    let divisor = match version {
        3 => 1,
        2 => 2,
        0 => 4,
        _ => return None,
    };
    let codec = match layer {
        1 => AudioCodec::Mp3,
        2 | 3 => AudioCodec::Mp2,
        _ => return None,
    };
    let bitrates = match (version, layer) {
        (_, 3) => None,
        (3, 2) => Some(MPEG_BITRATES[0]),
        (3, _) => Some(MPEG_BITRATES[1]),
        (_, _) => Some(MPEG_BITRATES[2]),
    };
    let kilobits = bitrates.zip(bitrate.checked_sub(1)).and_then(|(bitrates, at)| pick(&bitrates, at));
    (bitrate != 15).then_some(Header {
        codec,
        channels: Some(if mono { 1 } else { 2 }),
        sample_rate: Some(rate / divisor),
        bitrate: kilobits.map(|kilobits| kilobits * 1000),
    })
}

fn ac3(bytes: &[u8]) -> Option<Header> {
    let mut bits = Bits::new(bytes.iter().copied());
    if bits.number(16)? != 0x0b77 {
        return None;
    }
    // AC-3 and E-AC-3 both have `bsid` in the sixth byte.
    match bytes.get(5)? >> 3 {
        0..=8 => {
            bits.skip(16)?;
            let rate = *AC3_RATES.get(usize::try_from(bits.number(2)?).ok()?)?;
            let kilobits = pick(&AC3_BITRATES, bits.number(6)? >> 1);
            bits.skip(5 + 3)?;
            let mode = bits.number(3)?;
            // Mix levels stand between `acmod` and `lfeon` where the mode has channels to mix.
            bits.skip(if mode & 1 != 0 && mode != 1 { 2 } else { 0 })?;
            bits.skip(if mode & 4 != 0 { 2 } else { 0 })?;
            bits.skip(if mode == 2 { 2 } else { 0 })?;
            Some(Header {
                codec: AudioCodec::Ac3,
                channels: channels(mode, bits.bit()?),
                sample_rate: Some(rate),
                bitrate: kilobits.map(|kilobits| kilobits * 1000),
            })
        }
        11..=16 => {
            bits.skip(2 + 3 + 11)?;
            let code = bits.number(2)?;
            let half = bits.number(2)?;
            let rate = if code == 3 {
                AC3_RATES.get(usize::try_from(half).ok()?)? / 2
            } else {
                *AC3_RATES.get(usize::try_from(code).ok()?)?
            };
            let mode = bits.number(3)?;
            Some(Header {
                codec: AudioCodec::Eac3,
                channels: channels(mode, bits.bit()?),
                sample_rate: Some(rate),
                bitrate: None,
            })
        }
        _ => None,
    }
}

fn pick(table: &[u64], at: u32) -> Option<u64> {
    table.get(usize::try_from(at).ok()?).copied()
}

fn channels(mode: u32, subwoofer: u32) -> Option<u32> {
    Some(AC3_CHANNELS.get(usize::try_from(mode).ok()?)? + subwoofer)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_tell_channels_and_rate() {
        use AudioCodec::{Aac, Ac3, Eac3, Mp2, Mp3};
        type Case = (AudioCodec, &'static [u8], AudioCodec, (u32, u32, Option<u64>));
        let cases: [Case; 6] = [
            (Aac, &[0xff, 0xf1, 0x4c, 0x80, 0x17, 0xff, 0xfc], Aac, (2, 48_000, None)),
            (Mp2, &[0xff, 0xfd, 0xa4, 0xc0], Mp2, (1, 48_000, Some(192_000))),
            (Mp2, &[0xff, 0xfb, 0x90, 0x00], Mp3, (2, 44_100, Some(128_000))),
            (Mp2, &[0xff, 0xf5, 0x84, 0x00], Mp2, (2, 24_000, Some(64_000))),
            (Mp2, &[0xff, 0xfd, 0x04, 0xc0], Mp2, (1, 48_000, None)),
            (Ac3, &[0x0b, 0x77, 0, 0, 0x1e, 0x40, 0xe1, 0], Ac3, (6, 48_000, Some(448_000))),
        ];
        for (given, bytes, codec, (channels, rate, bitrate)) in cases {
            let header = Header { codec, channels: Some(channels), sample_rate: Some(rate), bitrate };
            assert_eq!(super::header(given, bytes), Some((header, 0)), "{bytes:x?}");
            assert!((0..4).all(|end| super::header(given, &bytes[..end]).is_none()), "{bytes:x?}");
            assert_eq!(super::header(given, &[&[1, 2], bytes].concat()), Some((header, 2)));
        }
        assert!(header(Eac3, &[0x0b, 0x77, 0, 0, 0x14, 0xff]).is_none());
    }
}
