//! Reads HEVC (ISO/IEC 23008-2): NAL unit types and sequence parameter sets.

use crate::mpegts::bits::{Bits, unescaped};
use crate::mpegts::facts::{Profile, Video, VideoCodec};
use crate::mpegts::part::Part;
use crate::mpegts::sei::message;
use crate::mpegts::vui::{aspect_ratio, crop, is_high_dynamic_range, rate, transfer};

/// The most short-term reference picture sets that a parameter set may have (7.4.3.2.1).
const REFERENCE_SETS: u32 = 64;
/// The payload type of the alternative transfer characteristics SEI message (D.3.38). HLG broadcasts use it, so that
/// players without HLG find an SDR transfer in the VUI.
const TRANSFER: usize = 147;

/// Classifies a NAL unit; `whole` says whether its end is there.
#[must_use]
pub(super) fn part(nal: &[u8], whole: bool) -> Part {
    let Some(&header) = nal.first() else { return Part::Incomplete };
    match header >> 1 & 0x3f {
        // BLA, IDR, CRA, and the reserved IRAP types.
        16..=23 => Part::Picture { random_access: true },
        0..=15 => Part::Picture { random_access: false },
        33 if whole => Part::Parameters,
        39 if whole => {
            let transfer = message(nal.get(2..).unwrap_or_default(), TRANSFER);
            if transfer.is_some_and(|transfer| is_high_dynamic_range(u32::from(transfer))) {
                Part::HighDynamicRange
            } else {
                Part::Other
            }
        }
        _ => Part::Other,
    }
}

/// Reads a sequence parameter set (7.3.2.2.1).
#[must_use]
pub(super) fn parameters(nal: &[u8]) -> Option<Video> {
    let mut bits = Bits::new(unescaped(nal.get(2..)?));
    bits.skip(4)?;
    let sub_layers = bits.number(3)?;
    bits.skip(1)?;
    let tier = profile_tier_level(&mut bits, sub_layers)?;
    bits.unsigned()?;
    let format = bits.unsigned()?;
    if format == 3 {
        bits.skip(1)?;
    }
    let (width, height) = (bits.unsigned()?, bits.unsigned()?);
    let crop = if bits.flag()? { crop(&mut bits)? } else { (0, 0) };
    let (across, down) = match format {
        1 => (2, 2),
        2 => (2, 1),
        _ => (1, 1),
    };
    let depth = bits.unsigned()?.checked_add(8)?;
    let mut video = Video {
        profile: Some(Profile { idc: tier.profile, constraints: 0 }),
        level: Some(tier.level),
        size: Some((
            width.checked_sub(crop.0.checked_mul(across)?)?,
            height.checked_sub(crop.1.checked_mul(down)?)?,
        )),
        bit_depth: Some(depth),
        interlaced: Some(!tier.progressive),
        ..Video::unknown(VideoCodec::Hevc)
    };
    // A parameter set that is cut short keeps the fields read so far.
    let _ = read_rest(&mut bits, sub_layers, &mut video);
    Some(video)
}

struct Tier {
    profile: u32,
    level: u32,
    progressive: bool,
}

fn profile_tier_level<I: Iterator<Item = u8>>(bits: &mut Bits<I>, sub_layers: u32) -> Option<Tier> {
    bits.skip(3)?;
    let profile = bits.number(5)?;
    bits.skip(32)?;
    let progressive = bits.flag()?;
    let interlaced = bits.flag()?;
    bits.skip(46)?;
    let level = bits.number(8)?;
    let present: Vec<_> =
        (0..sub_layers).map(|_| Some((bits.flag()?, bits.flag()?))).collect::<Option<_>>()?;
    if sub_layers > 0 {
        bits.skip(2 * (8 - sub_layers))?;
    }
    for (profile, level) in present {
        bits.skip(if profile { 88 } else { 0 } + if level { 8 } else { 0 })?;
    }
    Some(Tier { profile, level, progressive: progressive || !interlaced })
}

/// Reads the fields behind the bit depth: reference frames and the VUI.
fn read_rest<I: Iterator<Item = u8>>(bits: &mut Bits<I>, sub_layers: u32, video: &mut Video) -> Option<()> {
    bits.unsigned()?;
    let order_bits = bits.unsigned()?.checked_add(4)?;
    let all = bits.flag()?;
    for _ in if all { 0 } else { sub_layers }..=sub_layers {
        video.reference_frames = Some(bits.unsigned()?);
        bits.unsigned()?;
        bits.unsigned()?;
    }
    for _ in 0..6 {
        bits.unsigned()?;
    }
    if bits.flag()? && bits.flag()? {
        scaling_lists(bits)?;
    }
    bits.skip(2)?;
    if bits.flag()? {
        bits.skip(8)?;
        bits.unsigned()?;
        bits.unsigned()?;
        bits.skip(1)?;
    }
    reference_sets(bits)?;
    if bits.flag()? {
        for _ in 0..bits.unsigned()?.min(32) {
            bits.skip(order_bits + 1)?;
        }
    }
    bits.skip(2)?;
    if bits.flag()? { usability(bits, video) } else { Some(()) }
}

fn scaling_lists<I: Iterator<Item = u8>>(bits: &mut Bits<I>) -> Option<()> {
    for size in 0..4_u32 {
        for _ in 0..if size == 3 { 2 } else { 6 } {
            if !bits.flag()? {
                bits.unsigned()?;
                continue;
            }
            if size > 1 {
                bits.signed()?;
            }
            for _ in 0..64.min(1 << (4 + 2 * size)) {
                bits.signed()?;
            }
        }
    }
    Some(())
}

/// Skips the short-term reference picture sets (7.3.7), each of which may be predicted from the one before it.
fn reference_sets<I: Iterator<Item = u8>>(bits: &mut Bits<I>) -> Option<()> {
    let mut pictures = 0_u32;
    for set in 0..bits.unsigned().filter(|sets| *sets <= REFERENCE_SETS)? {
        if set > 0 && bits.flag()? {
            bits.skip(1)?;
            bits.unsigned()?;
            let mut kept = 0;
            for _ in 0..=pictures {
                let used = bits.flag()?;
                kept += u32::from(used || bits.flag()?);
            }
            pictures = kept;
        } else {
            let (before, behind) = (bits.unsigned()?, bits.unsigned()?);
            pictures = before.checked_add(behind).filter(|pictures| *pictures <= 32)?;
            for _ in 0..pictures {
                bits.unsigned()?;
                bits.skip(1)?;
            }
        }
    }
    Some(())
}

fn usability<I: Iterator<Item = u8>>(bits: &mut Bits<I>, video: &mut Video) -> Option<()> {
    video.square_pixels = aspect_ratio(bits)?;
    video.high_dynamic_range = transfer(bits)?.is_some_and(is_high_dynamic_range);
    if bits.flag()? {
        bits.unsigned()?;
        bits.unsigned()?;
    }
    bits.skip(1)?;
    let fields = bits.flag()?;
    bits.skip(1)?;
    if bits.flag()? {
        crop(bits)?;
    }
    video.interlaced = Some(fields || video.interlaced == Some(true));
    if bits.flag()? {
        let (ticks, scale) = (bits.number(32)?, bits.number(32)?);
        video.frame_rate = rate(scale, ticks).map(|rate| if fields { rate / 2.0 } else { rate });
    }
    Some(())
}
