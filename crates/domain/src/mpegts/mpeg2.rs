//! Reads MPEG-1 and MPEG-2 video (ISO/IEC 11172-2 and 13818-2): sequence headers and picture types.

use crate::mpegts::bits::Bits;
use crate::mpegts::facts::{Profile, Video, VideoCodec};
use crate::mpegts::part::Part;
use crate::mpegts::vui::is_square;

const SEQUENCE: u8 = 0xb3;
/// The start code of an extension; the first four bits behind it tell which one.
const EXTENSION: [u8; 4] = [0, 0, 1, 0xb5];
/// Frame rates as fractions, by `frame_rate_code` (table 6-4).
const RATES: [(u32, u32); 9] =
    [(0, 1), (24000, 1001), (24, 1), (25, 1), (30000, 1001), (30, 1), (50, 1), (60000, 1001), (60, 1)];

/// Display aspect ratios by `aspect_ratio_information` of MPEG-2 (table 6-3).
const ASPECTS: [(u32, f64); 3] = [(2, 4.0 / 3.0), (3, 16.0 / 9.0), (4, 2.21)];
/// The unit of `bit_rate` in bit/s.
const BITRATE: u64 = 400;

/// Classifies the bytes behind a start code.
#[must_use]
pub(super) fn part(bytes: &[u8]) -> Part {
    match bytes {
        [] | [0] | [0, _] => Part::Incomplete,
        [SEQUENCE, ..] => Part::Parameters,
        // Ten bits of temporal reference precede the type; type 1 is intra-coded.
        [0, _, kind, ..] => Part::Picture { random_access: kind >> 3 & 7 == 1 },
        [_, ..] => Part::Other,
    }
}

/// Reads a sequence header and the sequence extension behind it.
#[must_use]
pub(super) fn parameters(header: &[u8]) -> Option<Video> {
    let mut bits = Bits::new(header.get(1..)?.iter().copied());
    let (width, height) = (bits.number(12)?, bits.number(12)?);
    let aspect = bits.number(4)?;
    let (scale, ticks) = *RATES.get(usize::try_from(bits.number(4)?).ok()?)?;
    let bitrate = bits.number(18)?;
    let mut video = Video {
        size: Some((width, height)),
        bit_depth: Some(8),
        interlaced: Some(false),
        // MPEG-1 gives the shape of a pixel, MPEG-2 that of the picture; 1 means square pixels in both.
        square_pixels: Some(aspect == 1),
        bitrate: Some(u64::from(bitrate) * BITRATE),
        frame_rate: (scale > 0).then(|| f64::from(scale) / f64::from(ticks)),
        ..Video::unknown(VideoCodec::Mpeg2)
    };
    // MPEG-1 has no extension.
    let extension = header.windows(4).position(|window| window == EXTENSION);
    extension.and_then(|at| extend(&mut video, aspect, header.get(at + 4..)?));
    Some(video)
}

/// Reads a sequence extension (6.2.2.3).
fn extend(video: &mut Video, aspect: u32, extension: &[u8]) -> Option<()> {
    let mut bits = Bits::new(extension.iter().copied());
    if bits.number(4)? != 1 {
        return None;
    }
    bits.skip(1)?;
    let (profile, level) = (bits.number(3)?, bits.number(4)?);
    let progressive = bits.flag()?;
    bits.skip(2)?;
    let (wider, higher) = (bits.number(2)?, bits.number(2)?);
    let bitrate = u64::from(bits.number(12)?) << 18;
    bits.skip(1 + 8 + 1)?;
    let (more, fewer) = (bits.number(2)? + 1, bits.number(5)? + 1);
    video.profile = Some(Profile { idc: profile, constraints: 0 });
    video.level = Some(level);
    video.interlaced = Some(!progressive);
    video.size = video.size.map(|(width, height)| (wider << 12 | width, higher << 12 | height));
    let shape = ASPECTS.iter().find(|(number, _)| *number == aspect).map(|(_, shape)| *shape);
    if let (Some(shape), Some((width, height))) = (shape, video.size) {
        video.square_pixels = is_square(shape * f64::from(height), f64::from(width));
    }
    video.bitrate = video.bitrate.map(|lower| bitrate * BITRATE + lower);
    video.frame_rate = video.frame_rate.map(|rate| rate * f64::from(more) / f64::from(fewer));
    Some(())
}
