//! Reads fields of the video usability information that H.264 and HEVC share (annex E of both), and cropping windows.

use crate::mpegts::bits::Bits;

/// Transfer characteristics with a high dynamic range: PQ and HLG.
const HDR_TRANSFERS: [u32; 2] = [16, 18];
/// Values of `aspect_ratio_idc` (table E-1); those between `SQUARE` and `LAST_SAR` are not square.
const SQUARE: u32 = 1;
const LAST_SAR: u32 = 16;
const EXTENDED_SAR: u32 = 255;

/// Reads the cropping offsets: the units to crop from the width and from the height.
pub(super) fn crop<I: Iterator<Item = u8>>(bits: &mut Bits<I>) -> Option<(u32, u32)> {
    let (left, right) = (bits.unsigned()?, bits.unsigned()?);
    let (top, bottom) = (bits.unsigned()?, bits.unsigned()?);
    Some((left.checked_add(right)?, top.checked_add(bottom)?))
}

/// Reads the sample aspect ratio: whether pixels are square, if it is told.
pub(super) fn aspect_ratio<I: Iterator<Item = u8>>(bits: &mut Bits<I>) -> Option<Option<bool>> {
    if !bits.flag()? {
        return Some(None);
    }
    Some(match bits.number(8)? {
        SQUARE => Some(true),
        2..=LAST_SAR => Some(false),
        EXTENDED_SAR => is_square(f64::from(bits.number(16)?), f64::from(bits.number(16)?)),
        _ => None,
    })
}

/// Whether `across` equals `down` within one percent; `None` unless both are positive.
pub(super) fn is_square(across: f64, down: f64) -> Option<bool> {
    (across > 0.0 && down > 0.0).then(|| (across / down - 1.0).abs() < 0.01)
}

/// Whether these transfer characteristics have a high dynamic range.
pub(super) fn is_high_dynamic_range(transfer: u32) -> bool {
    HDR_TRANSFERS.contains(&transfer)
}

/// Reads the transfer characteristics, starting at the overscan flags.
pub(super) fn transfer<I: Iterator<Item = u8>>(bits: &mut Bits<I>) -> Option<Option<u32>> {
    if bits.flag()? {
        bits.skip(1)?;
    }
    if !bits.flag()? {
        return Some(None);
    }
    bits.skip(4)?;
    if !bits.flag()? {
        return Some(None);
    }
    bits.skip(8)?;
    let transfer = bits.number(8)?;
    bits.skip(8)?;
    Some(Some(transfer))
}

/// Frames or fields per second; `None` for an implausible rate.
pub(super) fn rate(scale: u32, ticks: u32) -> Option<f64> {
    let rate = f64::from(scale) / f64::from(ticks);
    (ticks > 0 && rate.is_finite() && rate > 0.0 && rate <= 1000.0).then_some(rate)
}
