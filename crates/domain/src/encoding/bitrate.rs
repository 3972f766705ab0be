//! Computes the bitrate of encoded video, and the width that it suffices for (`EncodingHelper.GetVideoBitrateParamValue`,
//! `StreamingHelpers.GetStreamingState`, `ResolutionNormalizer.Normalize`).

use crate::encoding::copying::usual_bitrate;
use crate::encoding::demand::Demand;
use crate::mpegts::facts::{Video, VideoCodec};

/// The frame rate that the widths below assume.
const USUAL_FRAME_RATE: f64 = 30.0;

/// The highest bitrate in bit/s and the largest width in pixels of H.264 encoded from `video`. Jellyfin drops a height
/// limit where it reduces the width; here it stays.
pub(super) fn of(demand: &Demand, video: &Video) -> (Option<u64>, Option<u32>) {
    let Some(limit) = demand.video_bitrate else { return (None, demand.max_width) };
    let source = video.size.and_then(|(width, _)| usual_bitrate(width));
    let enough = source.map_or(limit, |source| limit.min(generous(source)));
    let bitrate = scaled(enough, video.codec).min(limit);
    let is_sized = demand.max_width.is_some() || demand.max_height.is_some();
    let is_enough = source.is_some_and(|source| if is_sized { bitrate } else { limit } >= source);
    let widest =
        if is_enough { None } else { widest(scaled(bitrate, VideoCodec::H264), demand.max_frame_rate) };
    (Some(bitrate), demand.max_width.into_iter().chain(widest).min())
}

/// The bitrate that a source of few bit/s may have when it is encoded (`EncodingHelper.GetMinBitrate`).
const fn generous(source: u64) -> u64 {
    match source {
        0..=2_000_000 => source * 5 / 2,
        2_000_001..=3_000_000 => source * 2,
        3_000_001.. => source,
    }
}

/// The H.264 bitrate that equals `bitrate` of `codec` in quality (`EncodingHelper.ScaleBitrate`).
fn scaled(bitrate: u64, codec: VideoCodec) -> u64 {
    let by_codec = match codec {
        VideoCodec::Hevc => 1.0 / 0.6,
        VideoCodec::H264 | VideoCodec::Mpeg2 | VideoCodec::Other(_) => 1.0,
    };
    let factor = match bitrate {
        0..=500_000 => 4.0,
        500_001..=1_000_000 => 3.0,
        1_000_001..=2_000_000 => 2.5,
        2_000_001..=3_000_000 => 2.0,
        3_000_001..30_000_000 => by_codec,
        30_000_000.. => 1.0,
    };
    (bitrate as f64 * factor).round() as u64
}

/// The largest width that `bitrate` suffices for; `None` if it suffices for any.
fn widest(bitrate: u64, frame_rate: Option<f64>) -> Option<u32> {
    const WIDTHS: [(f64, u32); 8] = [
        (365_000.0, 416),
        (730_000.0, 640),
        (1_100_000.0, 768),
        (3_000_000.0, 960),
        (6_000_000.0, 1280),
        (13_500_000.0, 1920),
        (28_000_000.0, 2560),
        (50_000_000.0, 3840),
    ];
    let slowness = USUAL_FRAME_RATE / frame_rate.unwrap_or(USUAL_FRAME_RATE);
    let factor = if slowness >= 1.0 { slowness } else { slowness.sqrt() };
    let reckoned = (bitrate as f64 * factor).round();
    WIDTHS.iter().find(|(enough, _)| reckoned <= *enough).map(|(_, width)| *width)
}
