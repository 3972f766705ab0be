//! Whether a source meets a demand as it is: Jellyfin's `CanStreamCopyVideo` and `CanStreamCopyAudio`, line by line.
//!
//! Where a stream does not say what a line asks, Jellyfin's probe, which looks into the frames, mostly knows all the
//! same; then there is no answer here. The bitrate is no line: a live source does not say it, and is copied then.

use crate::domain::encoding::demand::{Demand, VideoLimits};
use crate::domain::mpegts::facts::{Audio, Profile, Video, VideoCodec};

/// How much a frame rate may exceed its limit: some streams say 25.0001.
const FRAME_RATE_TOLERANCE: f64 = 0.05;
/// Profiles, the simpler first: a simpler one is good where a richer one is wished for.
const H264_PROFILES: [&str; 8] = [
    "constrainedbaseline",
    "baseline",
    "extended",
    "main",
    "high",
    "progressivehigh",
    "constrainedhigh",
    "high10",
];
const HEVC_PROFILES: [&str; 2] = ["main", "main10"];

/// Whether the picture may be copied; `None` if it does not say enough of itself.
pub(super) fn video(demand: &Demand, video: &Video) -> Option<bool> {
    let limits = demand.video_limits(video.codec.as_str());
    let (width, height) = video.size.unzip();
    all([
        Some(demand.may_copy_video),
        Some(codec(demand, video.codec)),
        if limits.progressive { video.interlaced.map(|interlaced| !interlaced) } else { Some(true) },
        Some(!demand.require_square_pixels || video.square_pixels != Some(false)),
        Some(!demand.require_avc || video.codec != VideoCodec::H264),
        profile(&limits, video),
        Some(range(&limits, video)),
        within(width, demand.max_width),
        within(height, demand.max_height),
        within(video.frame_rate, demand.max_frame_rate.map(|rate| rate + FRAME_RATE_TOLERANCE)),
        Some(within(video.bit_depth, limits.bit_depth) != Some(false)),
        Some(within(video.reference_frames, limits.reference_frames) != Some(false)),
        Some(within(video.level, limits.level) != Some(false)),
    ])
}

/// Whether the sound may be copied; `None` if it does not say enough of itself.
pub(super) fn audio(demand: &Demand, audio: &Audio) -> Option<bool> {
    let codec = audio.codec.as_str();
    all([
        Some(demand.may_copy_audio),
        Some(demand.audio_codec.as_deref() == Some(codec)),
        within(audio.channels, demand.max_channels(codec)),
        within(audio.sample_rate, demand.sample_rate),
    ])
}

/// A no of any is a no, whatever is not known.
fn all<const N: usize>(lines: [Option<bool>; N]) -> Option<bool> {
    if lines.contains(&Some(false)) { Some(false) } else { (!lines.contains(&None)).then_some(true) }
}

fn within<T: PartialOrd>(value: Option<T>, limit: Option<T>) -> Option<bool> {
    limit.map_or(Some(true), |limit| value.map(|value| value <= limit))
}

fn codec(demand: &Demand, codec: VideoCodec) -> bool {
    let names = &demand.video_codecs;
    let aliased = |name: &String| name == codec.as_str() || (codec == VideoCodec::Hevc && name == "h265");
    names.is_empty() || names.iter().any(aliased)
}

fn profile(limits: &VideoLimits, video: &Video) -> Option<bool> {
    let Some(first) = limits.profiles.first() else { return Some(true) };
    let name = profile_name(video.codec, video.profile?);
    if limits.profiles.iter().any(|wished| wished == name) {
        return Some(true);
    }
    let known: &[&str] = match video.codec {
        VideoCodec::H264 => &H264_PROFILES,
        VideoCodec::Hevc => &HEVC_PROFILES,
        VideoCodec::Mpeg2 | VideoCodec::Other(_) => &[],
    };
    let rank = |name: &str| known.iter().position(|known| *known == name);
    Some(rank(name).is_some_and(|own| rank(first).is_some_and(|wished| own <= wished)))
}

/// The profile as FFmpeg names it, in lower case and without spaces.
fn profile_name(codec: VideoCodec, profile: Profile) -> &'static str {
    const SET1: u8 = 0x40;
    match (codec, profile.idc) {
        (VideoCodec::H264, 66) if profile.constraints & SET1 != 0 => "constrainedbaseline",
        (VideoCodec::H264, 66) => "baseline",
        (VideoCodec::H264, 77) | (VideoCodec::Hevc, 1) => "main",
        (VideoCodec::H264, 88) => "extended",
        (VideoCodec::H264, 100) => "high",
        (VideoCodec::H264, 110) => "high10",
        (VideoCodec::H264, 122) => "high4:2:2",
        (VideoCodec::H264, 244) => "high4:4:4predictive",
        (VideoCodec::Hevc, 2) => "main10",
        (VideoCodec::H264 | VideoCodec::Hevc | VideoCodec::Mpeg2 | VideoCodec::Other(_), _) => "unknown",
    }
}

/// A high dynamic range is one of two here, so both must do.
fn range(limits: &VideoLimits, video: &Video) -> bool {
    let does = |name: &str| limits.ranges.iter().any(|range| range == name);
    limits.ranges.is_empty()
        || if video.high_dynamic_range { does("hdr10") && does("hlg") } else { does("sdr") }
}
