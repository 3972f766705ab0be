//! Decides whether a source meets a demand as it is, line by line as Jellyfin's `EncodingHelper.CanStreamCopyVideo` and
//! `EncodingHelper.CanStreamCopyAudio` do.
//!
//! Where a stream does not tell what a line asks, Jellyfin's probe, which decodes frames
//! (`ProbeResultNormalizer.GetMediaStream`), mostly knows it; such a line has no answer here. Three lines are left out: a
//! transport stream tells neither rotation nor the bit depth of audio, and of a live source Jellyfin does not know
//! whether it is AVC, which `RequireAvc` asks (`LiveStreamHelper.AddMediaInfoWithProbe`).

use crate::encoding::demand::{Demand, VideoLimits};
use crate::mpegts::facts::{Audio, Profile, Video, VideoCodec};

/// How much a frame rate may exceed its limit: some streams say 25.0001.
const FRAME_RATE_TOLERANCE: f64 = 0.05;
/// Profiles, the simplest first. A simpler profile than the one asked for will do
/// (`EncodingHelper.GetVideoProfileScore`).
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

/// Whether the video may be copied; `None` if the stream does not tell enough.
pub(super) fn video(demand: &Demand, video: &Video) -> Option<bool> {
    let limits = demand.video_limits(video.codec.as_str());
    let (width, height) = video.size.unzip();
    let level = video.level.map(f64::from);
    all([
        Some(demand.may_copy_video),
        Some(codec(demand, video.codec)),
        if limits.progressive { video.interlaced.map(|interlaced| !interlaced) } else { Some(true) },
        Some(!demand.require_square_pixels || video.square_pixels != Some(false)),
        profile(&limits, video),
        Some(range(&limits, video)),
        within(width, demand.max_width),
        within(height, demand.max_height),
        within(video.frame_rate, demand.max_frame_rate.map(|rate| rate + FRAME_RATE_TOLERANCE)),
        bitrate(demand, video),
        within(video.bit_depth, limits.bit_depth),
        reference_frames(&limits, video),
        within(level, limits.level),
    ])
}

/// Whether the audio may be copied; `None` if the stream does not tell enough.
///
/// Codecs whose bitrate is not told (AAC, E-AC-3) count as within the limit, which mostly comes from Jellyfin's probe of
/// the same source (`StreamBuilder.GetAudioBitrate`).
pub(super) fn audio(demand: &Demand, audio: &Audio) -> Option<bool> {
    let codec = audio.codec.as_str();
    all([
        Some(demand.may_copy_audio),
        Some(demand.audio_codecs.iter().any(|wished| wished == codec)),
        within(audio.channels, demand.max_channels(codec)),
        within(audio.sample_rate, demand.sample_rate),
        Some(within(audio.bitrate, demand.audio_bitrate) != Some(false)),
    ])
}

/// No if any line says no, even if others are unknown; unknown if any line is.
fn all<const N: usize>(lines: [Option<bool>; N]) -> Option<bool> {
    if lines.contains(&Some(false)) { Some(false) } else { (!lines.contains(&None)).then_some(true) }
}

fn within<T: PartialOrd>(value: Option<T>, limit: Option<T>) -> Option<bool> {
    limit.map_or(Some(true), |limit| value.map(|value| value <= limit))
}

fn codec(demand: &Demand, codec: VideoCodec) -> bool {
    demand.video_codecs.is_empty() || demand.video_codecs.iter().any(|name| name == codec.as_str())
}

/// The bitrate that Jellyfin assumes for live video of this width, since few streams tell theirs
/// (`LiveStreamHelper.AddMediaInfoWithProbe`). It assumes none for narrower video, which then meets any limit.
pub(super) fn usual_bitrate(width: u32) -> Option<u64> {
    const BITRATES: [(u32, u64); 4] =
        [(3000, 30_000_000), (1900, 20_000_000), (1200, 8_000_000), (700, 2_000_000)];
    BITRATES.iter().find(|(least, _)| width >= *least).map(|(_, bitrate)| *bitrate)
}

/// FFprobe believes the declared bitrate of some streams and not of others, so it decides only where the assumed one
/// agrees.
fn bitrate(demand: &Demand, video: &Video) -> Option<bool> {
    let Some(limit) = demand.video_bitrate else { return Some(true) };
    let keeps = |bitrate: Option<u64>| bitrate.is_none_or(|bitrate| bitrate <= limit);
    let usual = keeps(usual_bitrate(video.size?.0));
    (video.bitrate.is_none() || keeps(video.bitrate) == usual).then_some(usual)
}

/// FFprobe counts the reference frames of H.264, and reports one for any other codec.
fn reference_frames(limits: &VideoLimits, video: &Video) -> Option<bool> {
    match video.codec {
        VideoCodec::H264 => within(video.reference_frames, limits.reference_frames),
        VideoCodec::Hevc | VideoCodec::Mpeg2 | VideoCodec::Other(_) => {
            within(Some(1), limits.reference_frames)
        }
    }
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

/// FFmpeg's name of the profile, in lower case and without spaces.
fn profile_name(codec: VideoCodec, profile: Profile) -> &'static str {
    const SET1: u8 = 0x40;
    const SET3: u8 = 0x10;
    match (codec, profile.idc) {
        (VideoCodec::H264, 66) if profile.constraints & SET1 != 0 => "constrainedbaseline",
        (VideoCodec::H264, 66) => "baseline",
        (VideoCodec::H264, 77) | (VideoCodec::Hevc, 1) | (VideoCodec::Mpeg2, 4) => "main",
        (VideoCodec::H264, 88) => "extended",
        (VideoCodec::H264, 100) | (VideoCodec::Mpeg2, 1) => "high",
        (VideoCodec::H264, 110) if profile.constraints & SET3 != 0 => "high10intra",
        (VideoCodec::H264, 110) => "high10",
        (VideoCodec::H264, 122) => "high4:2:2",
        (VideoCodec::H264, 244) => "high4:4:4predictive",
        (VideoCodec::Hevc, 2) => "main10",
        (VideoCodec::H264 | VideoCodec::Hevc | VideoCodec::Mpeg2 | VideoCodec::Other(_), _) => "unknown",
    }
}

/// The standard range always meets the demand. A high one may be HDR10 or HLG, so both must be accepted.
fn range(limits: &VideoLimits, video: &Video) -> bool {
    let does = |name: &str| limits.ranges.iter().any(|range| range == name);
    limits.ranges.is_empty() || !video.high_dynamic_range || does("hdr10") && does("hlg")
}
