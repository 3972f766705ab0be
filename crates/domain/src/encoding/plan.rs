//! Plans which streams of a source are copied, and how the others are encoded.
//!
//! It follows `EncodingHelper.TryStreamCopy`: what Jellyfin would copy is copied. What Jellyfin would do better is an
//! [`Obstacle`], unless the operator prefers a worse result to none ([`Tolerance`]).
//!
//! It differs from Jellyfin in one point. Of several audio streams, Jellyfin judges the first and plays another
//! (`LiveStreamHelper.AddMediaInfoWithProbe`, `EncodingHelper.GetMapArgs`); here the stream that is played is judged.

use crate::encoding::abilities::{Abilities, AudioEncoder, VideoEncoder};
use crate::encoding::demand::Demand;
use crate::encoding::{bitrate, copying};
use crate::mpegts::facts::{Audio, Facts, Video, VideoCodec};
use crate::reason::Obstacle;

/// What is made of a source.
#[derive(Clone, Debug, PartialEq)]
pub struct Plan {
    /// The video; `None` if there is none.
    pub video: Option<VideoPlan>,
    /// The audio; `None` if there is none.
    pub audio: Option<AudioPlan>,
    /// The position of the audio stream among the source's.
    pub audio_index: usize,
}

/// What is made of the video.
#[derive(Clone, Debug, PartialEq)]
pub enum VideoPlan {
    /// It is copied.
    Copy,
    /// It is encoded.
    Encode(VideoEncode),
}

/// How video is encoded to 8-bit H.264.
#[derive(Clone, Debug, PartialEq)]
pub struct VideoEncode {
    /// The encoder.
    pub encoder: VideoEncoder,
    /// The profile; `None` lets the encoder choose.
    pub profile: Option<H264Profile>,
    /// `level_idc`; `None` lets the encoder choose.
    pub level: Option<u32>,
    /// The highest bitrate in bit/s.
    pub bitrate: Option<u64>,
    /// The largest width in pixels.
    pub max_width: Option<u32>,
    /// The largest height in pixels.
    pub max_height: Option<u32>,
    /// The highest frame rate.
    pub max_frame_rate: Option<f64>,
    /// Whether interlaced frames are deinterlaced.
    pub deinterlace: bool,
}

/// The profiles that every encoder has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum H264Profile {
    /// Constrained baseline.
    Baseline,
    /// Main.
    Main,
    /// High.
    High,
}

/// What is made of the audio.
#[derive(Clone, Debug, PartialEq)]
pub enum AudioPlan {
    /// It is copied.
    Copy,
    /// It is encoded.
    Encode(AudioEncode),
}

/// How audio is encoded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AudioEncode {
    /// The encoder.
    pub encoder: AudioEncoder,
    /// The number of channels; `None` keeps it.
    pub channels: Option<u32>,
    /// The bitrate in bit/s.
    pub bitrate: u64,
    /// The sample rate in hertz; `None` keeps it.
    pub sample_rate: Option<u32>,
    /// Whether surround is mixed down to stereo, which then needs more volume.
    pub downmix: bool,
}

/// The obstacles that are ignored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tolerance(&'static [Obstacle]);

impl Tolerance {
    /// Only what is as good as Jellyfin's is made.
    pub const NONE: Self = Self(&[]);
    /// Everything that can be made is made.
    pub const FORCED: Self =
        Self(&[Obstacle::UnknownSource, Obstacle::BurntInSubtitles, Obstacle::ServerHardware]);

    fn bear(self, obstacle: Obstacle) -> Result<(), Obstacle> {
        if self.0.contains(&obstacle) { Ok(()) } else { Err(obstacle) }
    }
}

impl Plan {
    /// Whether nothing is encoded.
    #[must_use]
    pub fn is_copy(&self) -> bool {
        !self.encodes_video() && !matches!(self.audio, Some(AudioPlan::Encode(_)))
    }

    /// Whether video is encoded in software.
    #[must_use]
    pub const fn encodes_in_software(&self) -> bool {
        matches!(&self.video, Some(VideoPlan::Encode(encode)) if matches!(encode.encoder, VideoEncoder::Software))
    }

    /// Whether video is encoded, which takes a processor or the hardware.
    #[must_use]
    pub const fn encodes_video(&self) -> bool {
        matches!(self.video, Some(VideoPlan::Encode(_)))
    }
}

/// Plans how `demand` is made from a source of `facts`.
///
/// # Errors
///
/// The obstacle that keeps the gateway from making it.
pub fn plan(
    demand: &Demand,
    facts: &Facts,
    abilities: &Abilities,
    tolerance: Tolerance,
) -> Result<Plan, Obstacle> {
    made(demand, facts, abilities, tolerance, None)
}

/// Plans again for a stream that has viewers and was made by `before`: what can be made is made, and the audio stream
/// stays the same while it is not scrambled.
///
/// # Errors
///
/// The obstacle that keeps the gateway from continuing.
pub fn replan(
    demand: &Demand,
    facts: &Facts,
    abilities: &Abilities,
    before: &Plan,
) -> Result<Plan, Obstacle> {
    let played = before.audio.as_ref().map(|_| before.audio_index);
    made(demand, facts, abilities, Tolerance::FORCED, played)
}

fn made(
    demand: &Demand,
    facts: &Facts,
    abilities: &Abilities,
    tolerance: Tolerance,
    played: Option<usize>,
) -> Result<Plan, Obstacle> {
    if facts.is_scrambled() {
        return Err(Obstacle::Scrambled);
    }
    if demand.burns_in_subtitles {
        tolerance.bear(Obstacle::BurntInSubtitles)?;
    }
    if demand.names_audio && facts.audio.len() > 1 {
        tolerance.bear(Obstacle::UnknownSource)?;
    }
    let video =
        facts.video.as_ref().map(|video| of_video(demand, video, abilities, tolerance)).transpose()?;
    let chosen = chosen_audio(&facts.audio, played);
    let audio = chosen.map(|(_, audio)| of_audio(demand, audio, abilities, tolerance)).transpose()?;
    let plan = Plan { video, audio, audio_index: chosen.map_or(0, |(index, _)| index) };
    match (&plan.video, &plan.audio) {
        (None, None) => Err(Obstacle::NothingToPlay),
        _ if plan.encodes_video() && abilities.encodes_left == 0 => Err(Obstacle::EncodesTaken),
        _ if !plan.is_copy() && abilities.processes_left == 0 => Err(Obstacle::ProcessesTaken),
        (Some(_), _) | (_, Some(_)) => Ok(plan),
    }
}

fn of_video(
    demand: &Demand,
    video: &Video,
    abilities: &Abilities,
    tolerance: Tolerance,
) -> Result<VideoPlan, Obstacle> {
    if let VideoCodec::Other(_) = video.codec {
        return Err(Obstacle::UnknownSource);
    }
    if demand.forces_video_copy() {
        return Ok(VideoPlan::Copy);
    }
    match copying::video(demand, video) {
        Some(true) => return Ok(VideoPlan::Copy),
        Some(false) => {}
        None => {
            tolerance.bear(Obstacle::UnknownSource)?;
            return Ok(VideoPlan::Copy);
        }
    }
    if video.high_dynamic_range {
        return Err(Obstacle::HighDynamicRange);
    }
    if video.interlaced.is_none() {
        tolerance.bear(Obstacle::UnknownSource)?;
    }
    if !abilities.video_decoders.contains(&video.codec) {
        return Err(Obstacle::DecoderMissing);
    }
    let encode = encode_video(demand, video, abilities)?;
    if encode.encoder == VideoEncoder::Software && abilities.server_hardware {
        tolerance.bear(Obstacle::ServerHardware)?;
    }
    Ok(VideoPlan::Encode(encode))
}

fn encode_video(demand: &Demand, video: &Video, abilities: &Abilities) -> Result<VideoEncode, Obstacle> {
    let wished = demand.video_codecs.is_empty() || demand.video_codecs.iter().any(|codec| codec == "h264");
    let encoder = abilities.video_encoders.first().filter(|_| wished).ok_or(Obstacle::EncoderMissing)?;
    let limits = demand.video_limits("h264");
    let (bitrate, max_width) = bitrate::of(demand, video);
    Ok(VideoEncode {
        encoder: *encoder,
        profile: limits.profiles.first().and_then(|profile| encoded_profile(profile)),
        // NVENC does not raise a level that is too low, it fails (`EncodingHelper.GetVideoQualityParam`).
        level: limits.level.filter(|_| *encoder != VideoEncoder::Nvenc).and_then(encoded_level),
        bitrate,
        max_width,
        max_height: demand.max_height,
        max_frame_rate: demand.max_frame_rate,
        deinterlace: video.interlaced != Some(false),
    })
}

/// The profile to encode to where `wished` is asked for (`EncodingHelper.GetVideoQualityParam`).
fn encoded_profile(wished: &str) -> Option<H264Profile> {
    match wished {
        "constrainedbaseline" | "baseline" => Some(H264Profile::Baseline),
        "main" | "extended" => Some(H264Profile::Main),
        "high" | "progressivehigh" | "constrainedhigh" | "high10" => Some(H264Profile::High),
        _ => None,
    }
}

/// The level to encode to where `wished` is asked for (`EncodingHelper.NormalizeTranscodingLevel`); `None` below the
/// lowest.
fn encoded_level(wished: f64) -> Option<u32> {
    const HIGHEST: u32 = 51;
    const LOWEST: u32 = 9;
    let is_lower = wished >= 0.0 && wished < f64::from(HIGHEST);
    let level = if is_lower { wished as u32 } else { HIGHEST };
    (level >= LOWEST).then_some(level)
}

/// The audio stream that FFmpeg chooses by itself: the one with the most channels, the first of several, and none that is
/// scrambled. Jellyfin leaves the choice to FFmpeg, because the streams of a source it has probed have no numbers
/// (`EncodingHelper.GetMapArgs`). A running FFmpeg does not choose again, so a stream that is `played` stays.
fn chosen_audio(streams: &[Audio], played: Option<usize>) -> Option<(usize, &Audio)> {
    let clear = || streams.iter().enumerate().filter(|(_, audio)| !audio.scrambled);
    let goes_on = clear().find(|(index, _)| Some(*index) == played);
    goes_on.or_else(|| clear().rev().max_by_key(|(_, audio)| audio.channels))
}

fn of_audio(
    demand: &Demand,
    audio: &Audio,
    abilities: &Abilities,
    tolerance: Tolerance,
) -> Result<AudioPlan, Obstacle> {
    if demand.forces_audio_copy() {
        return Ok(AudioPlan::Copy);
    }
    match copying::audio(demand, audio) {
        Some(true) => return Ok(AudioPlan::Copy),
        Some(false) => {}
        None => {
            tolerance.bear(Obstacle::UnknownSource)?;
            return Ok(AudioPlan::Copy);
        }
    }
    if !abilities.audio_decoders.contains(&audio.codec) {
        return Err(Obstacle::DecoderMissing);
    }
    let named = |wished: &str| abilities.audio_encoders.iter().find(|encoder| encoder.as_str() == wished);
    let encoder = demand.audio_codecs_to_encode(audio.channels).find_map(named);
    let encoder = *encoder.ok_or(Obstacle::EncoderMissing)?;
    if audio.channels.is_none() && most_channels(demand, encoder) > 2 {
        // Whether two channels meet the demand depends on how many the source has.
        tolerance.bear(Obstacle::UnknownSource)?;
    }
    Ok(AudioPlan::Encode(encode_audio(demand, audio, encoder)))
}

/// See `EncodingHelper.GetNumAudioChannelsParam`, `EncodingHelper.GetAudioBitrateParam` and
/// `EncodingHelper.GetAudioFilterParam`.
fn encode_audio(demand: &Demand, audio: &Audio, encoder: AudioEncoder) -> AudioEncode {
    /// The highest bitrates in bit/s: per channel, and for six or more channels.
    const EACH: u64 = 128_000;
    const SURROUND: u64 = 640_000;
    let limit = most_channels(demand, encoder);
    let channels = layout(audio.channels.unwrap_or(2).min(limit).max(1));
    let is_surround = channels >= 6 && audio.channels.is_some_and(|channels| channels >= 6);
    let most = if is_surround { SURROUND } else { u64::from(channels) * EACH };
    AudioEncode {
        encoder,
        channels: (audio.channels != Some(channels)).then_some(channels),
        bitrate: demand.audio_bitrate.unwrap_or(most).min(most),
        sample_rate: demand.sample_rate.filter(|_| audio.sample_rate != demand.sample_rate),
        downmix: channels == 2 && audio.channels.is_some_and(|channels| channels > 2),
    }
}

/// The most channels that the demand and the encoder allow.
fn most_channels(demand: &Demand, encoder: AudioEncoder) -> u32 {
    let limits = [demand.max_channels(encoder.as_str()), demand.transcoding_max_channels()];
    limits.into_iter().flatten().fold(encoder.most_channels(), u32::min)
}

/// The channel layouts that players support: mono, stereo, 5.1 and 7.1. Missing channels are silent.
const fn layout(channels: u32) -> u32 {
    match channels {
        0 | 1 => 1,
        2..=4 => 2,
        5 | 6 => 6,
        7.. => 8,
    }
}
