//! Fields that H.264 and HEVC share in their video usability information (annex E of both) and cropping windows.

use crate::mpegts::bits::Bits;

/// Transfer characteristics of a high dynamic range: PQ and HLG.
const HDR_TRANSFERS: [u32; 2] = [16, 18];
/// Numbers of sample aspect ratios (table E-1); those between these two are wide or narrow.
const SQUARE: u32 = 1;
const LAST_SAR: u32 = 16;
const EXTENDED_SAR: u32 = 255;

/// Units to crop, across and down.
pub(super) fn crop<I: Iterator<Item = u8>>(bits: &mut Bits<I>) -> Option<(u32, u32)> {
    let (left, right) = (bits.unsigned()?, bits.unsigned()?);
    let (top, bottom) = (bits.unsigned()?, bits.unsigned()?);
    Some((left.checked_add(right)?, top.checked_add(bottom)?))
}

/// Whether pixels are square, as far as it is told.
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

/// Whether these are as good as equal, if they are a ratio at all.
pub(super) fn is_square(across: f64, down: f64) -> Option<bool> {
    (across > 0.0 && down > 0.0).then(|| (across / down - 1.0).abs() < 0.01)
}

/// Whether `transfer`, the transfer characteristics, are those of a high dynamic range.
pub(super) fn is_high_dynamic_range(transfer: u32) -> bool {
    HDR_TRANSFERS.contains(&transfer)
}

/// The transfer characteristics, from the overscan flags on.
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

/// Events in a second, if that makes sense.
pub(super) fn rate(scale: u32, ticks: u32) -> Option<f64> {
    let rate = f64::from(scale) / f64::from(ticks);
    (ticks > 0 && rate.is_finite() && rate > 0.0 && rate <= 1000.0).then_some(rate)
}
