//! Reads H.264 (ISO/IEC 14496-10): slice types, recovery points and sequence parameter sets.

use crate::mpegts::bits::{Bits, unescaped};
use crate::mpegts::facts::{Profile, Video, VideoCodec};
use crate::mpegts::part::Part;
use crate::mpegts::sei::message;
use crate::mpegts::vui::{aspect_ratio, crop, is_high_dynamic_range, rate, transfer};

/// Values of `profile_idc` whose parameter sets have the chroma format and the bit depth.
const HIGH: [u32; 13] = [100, 110, 122, 244, 44, 83, 86, 118, 128, 138, 139, 134, 135];
/// The payload type of the recovery point SEI message (D.1.8).
const RECOVERY_POINT: usize = 6;

/// Classifies a NAL unit; `whole` says whether its end is there.
#[must_use]
pub(super) fn part(nal: &[u8], whole: bool) -> Part {
    let Some((&header, body)) = nal.split_first() else { return Part::Incomplete };
    match header & 0x1f {
        5 => Part::Picture { random_access: true },
        1 if body.len() < 8 && !whole => Part::Incomplete,
        1 => Part::Picture { random_access: is_intra(body) },
        // Data partitioning is not used in broadcasts, and never starts decoding.
        2 => Part::Picture { random_access: false },
        6 if whole => {
            if message(body, RECOVERY_POINT).is_some() {
                Part::Recovery
            } else {
                Part::Other
            }
        }
        7 if whole => Part::Parameters,
        _ => Part::Other,
    }
}

/// Whether a slice refers to no other picture (7.4.3: slice types I and SI).
fn is_intra(slice: &[u8]) -> bool {
    let mut bits = Bits::new(unescaped(slice));
    let kind = bits.unsigned().and_then(|_| bits.unsigned());
    kind.is_some_and(|kind| matches!(kind, 2 | 4 | 7 | 9))
}

/// Reads a sequence parameter set (7.3.2.1.1).
#[must_use]
pub(super) fn parameters(nal: &[u8]) -> Option<Video> {
    let mut bits = Bits::new(unescaped(nal.get(1..)?));
    let idc = bits.number(8)?;
    let constraints = u8::try_from(bits.number(8)?).ok()?;
    let level = bits.number(8)?;
    bits.unsigned()?;
    let chroma = if HIGH.contains(&idc) { chroma(&mut bits)? } else { Chroma::default() };
    bits.unsigned()?;
    order_count(&mut bits)?;
    let reference_frames = bits.unsigned()?;
    bits.skip(1)?;
    let (columns, rows) = (bits.unsigned()?.checked_add(1)?, bits.unsigned()?.checked_add(1)?);
    let frames_only = bits.flag()?;
    if !frames_only {
        bits.skip(1)?;
    }
    bits.skip(1)?;
    let field = if frames_only { 1 } else { 2 };
    let crop = if bits.flag()? { crop(&mut bits)? } else { (0, 0) };
    let width = columns.checked_mul(16)?.checked_sub(crop.0.checked_mul(chroma.across)?)?;
    let height = rows.checked_mul(16 * field)?.checked_sub(crop.1.checked_mul(chroma.down * field)?)?;
    let usability = if bits.flag().unwrap_or(false) { usability(&mut bits) } else { Usability::default() };
    Some(Video {
        profile: Some(Profile { idc, constraints }),
        level: Some(level),
        size: Some((width, height)),
        bit_depth: Some(chroma.depth),
        interlaced: Some(!frames_only),
        square_pixels: usability.square_pixels,
        frame_rate: usability.frame_rate,
        reference_frames: Some(reference_frames),
        high_dynamic_range: usability.high_dynamic_range,
        ..Video::unknown(VideoCodec::H264)
    })
}

/// The sample format, and how many samples a cropping unit has.
struct Chroma {
    depth: u32,
    across: u32,
    down: u32,
}

impl Default for Chroma {
    fn default() -> Self {
        Self { depth: 8, across: 2, down: 2 }
    }
}

fn chroma<I: Iterator<Item = u8>>(bits: &mut Bits<I>) -> Option<Chroma> {
    let format = bits.unsigned()?;
    if format == 3 {
        bits.skip(1)?;
    }
    let depth = bits.unsigned()?.checked_add(8)?;
    bits.unsigned()?;
    bits.skip(1)?;
    if bits.flag()? {
        for list in 0..if format == 3 { 12 } else { 8 } {
            if bits.flag()? {
                scaling_list(bits, if list < 6 { 16 } else { 64 })?;
            }
        }
    }
    let (across, down) = match format {
        1 => (2, 2),
        2 => (2, 1),
        _ => (1, 1),
    };
    Some(Chroma { depth, across, down })
}

fn scaling_list<I: Iterator<Item = u8>>(bits: &mut Bits<I>, size: u32) -> Option<()> {
    let (mut last, mut next) = (8_i32, 8_i32);
    for _ in 0..size {
        if next != 0 {
            next = last.wrapping_add(bits.signed()?).rem_euclid(256);
        }
        if next != 0 {
            last = next;
        }
    }
    Some(())
}

fn order_count<I: Iterator<Item = u8>>(bits: &mut Bits<I>) -> Option<()> {
    match bits.unsigned()? {
        0 => drop(bits.unsigned()?),
        1 => {
            bits.skip(1)?;
            bits.signed()?;
            bits.signed()?;
            for _ in 0..bits.unsigned()?.min(255) {
                bits.signed()?;
            }
        }
        _ => {}
    }
    Some(())
}

/// The fields of the VUI (annex E) that were there to be read.
#[derive(Default)]
struct Usability {
    square_pixels: Option<bool>,
    high_dynamic_range: bool,
    frame_rate: Option<f64>,
}

fn usability<I: Iterator<Item = u8>>(bits: &mut Bits<I>) -> Usability {
    let mut known = Usability::default();
    // A parameter set that is cut short keeps the fields read so far.
    let _ = read_usability(bits, &mut known);
    known
}

fn read_usability<I: Iterator<Item = u8>>(bits: &mut Bits<I>, known: &mut Usability) -> Option<()> {
    known.square_pixels = aspect_ratio(bits)?;
    known.high_dynamic_range = transfer(bits)?.is_some_and(is_high_dynamic_range);
    if bits.flag()? {
        bits.unsigned()?;
        bits.unsigned()?;
    }
    if bits.flag()? {
        let (ticks, scale) = (bits.number(32)?, bits.number(32)?);
        // Two ticks make a frame: one per field.
        known.frame_rate = rate(scale, ticks).map(|rate| rate / 2.0);
    }
    Some(())
}
