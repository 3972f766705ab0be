//! What of a source is copied and what is encoded, and how.
//!
//! It mirrors `EncodingHelper.TryStreamCopy`: what Jellyfin would copy is copied. What Jellyfin would do better is an
//! [`Obstacle`], unless the operator would rather have it worse than not at all ([`Tolerance`]).
//!
//! One thing is Jellyfin's that is not done here: of several sounds it judges the first and plays another
//! (`LiveStreamHelper.AddMediaInfoWithProbe`, `EncodingHelper.GetMapArgs`). What is played here is what is judged.

use crate::encoding::abilities::{Abilities, AudioEncoder, VideoEncoder};
use crate::encoding::demand::Demand;
use crate::encoding::{bitrate, copying};
use crate::mpegts::facts::{Audio, Facts, Video, VideoCodec};
use crate::reason::Obstacle;

/// What is made.
#[derive(Clone, Debug, PartialEq)]
pub struct Plan {
    /// Of the picture; `None` if there is none.
    pub video: Option<VideoPlan>,
    /// Of the sound; `None` if there is none.
    pub audio: Option<AudioPlan>,
    /// Which of the source's sounds it is, counted from 0.
    pub audio_index: usize,
}

/// What is made of a picture.
#[derive(Clone, Debug, PartialEq)]
pub enum VideoPlan {
    /// It stays as it is.
    Copy,
    /// It is encoded anew.
    Encode(VideoEncode),
}

/// How a picture is encoded to H.264 of 8 bits.
#[derive(Clone, Debug, PartialEq)]
pub struct VideoEncode {
    /// With what.
    pub encoder: VideoEncoder,
    /// The profile; `None` leaves it to the encoder.
    pub profile: Option<H264Profile>,
    /// `level_idc`; `None` leaves it to the encoder.
    pub level: Option<u32>,
    /// Bit/s at most.
    pub bitrate: Option<u64>,
    /// Pixels in a line at most.
    pub max_width: Option<u32>,
    /// Lines at most.
    pub max_height: Option<u32>,
    /// Frames in a second at most.
    pub max_frame_rate: Option<f64>,
    /// Whether frames that say they are interlaced are to be woven out.
    pub deinterlace: bool,
}

/// The profiles that every encoder has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum H264Profile {
    /// Baseline, in practice the constrained one.
    Baseline,
    /// Main.
    Main,
    /// High.
    High,
}

/// What is made of a sound.
#[derive(Clone, Debug, PartialEq)]
pub enum AudioPlan {
    /// It stays as it is.
    Copy,
    /// It is encoded anew.
    Encode(AudioEncode),
}

/// How a sound is encoded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AudioEncode {
    /// With what.
    pub encoder: AudioEncoder,
    /// Loudspeakers; `None` leaves them as they are.
    pub channels: Option<u32>,
    /// Bit/s.
    pub bitrate: u64,
    /// Hertz; `None` leaves it as it is.
    pub sample_rate: Option<u32>,
    /// Whether many loudspeakers become two, which is quieter unless it is made up for.
    pub downmix: bool,
}

/// The obstacles that do not keep the gateway from trying.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tolerance(&'static [Obstacle]);

impl Tolerance {
    /// What is made is as good as Jellyfin's, or left to it.
    pub const NONE: Self = Self(&[]);
    /// What can be made is made.
    pub const FORCED: Self = Self(&[
        Obstacle::Interlaced,
        Obstacle::UnknownSource,
        Obstacle::BurntInSubtitles,
        Obstacle::ServerHardware,
    ]);

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

    /// Whether a picture is encoded by the processor.
    #[must_use]
    pub const fn encodes_in_software(&self) -> bool {
        matches!(&self.video, Some(VideoPlan::Encode(encode)) if matches!(encode.encoder, VideoEncoder::Software))
    }

    /// Whether a picture is encoded, which is what takes a processor.
    #[must_use]
    pub const fn encodes_video(&self) -> bool {
        matches!(self.video, Some(VideoPlan::Encode(_)))
    }
}

/// Decides how `demand` is made from a source of `facts`.
///
/// # Errors
/// What keeps the gateway from making it.
pub fn plan(
    demand: &Demand,
    facts: &Facts,
    abilities: &Abilities,
    tolerance: Tolerance,
) -> Result<Plan, Obstacle> {
    made(demand, facts, abilities, tolerance, None)
}

/// The same where what was made `before` is watched: what can be made is made, and the sound stays the one it is, as long as
/// it can be heard.
///
/// # Errors
/// What keeps the gateway from going on.
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
    match video.interlaced {
        Some(false) => {}
        Some(true) => tolerance.bear(Obstacle::Interlaced)?,
        None => tolerance.bear(Obstacle::UnknownSource)?,
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

/// The profile that is encoded to for the one wished for (`EncodingHelper.GetVideoQualityParam`).
fn encoded_profile(wished: &str) -> Option<H264Profile> {
    match wished {
        "constrainedbaseline" | "baseline" => Some(H264Profile::Baseline),
        "main" | "extended" => Some(H264Profile::Main),
        "high" | "progressivehigh" | "constrainedhigh" | "high10" => Some(H264Profile::High),
        _ => None,
    }
}

/// The level that is encoded to for the one wished for (`EncodingHelper.NormalizeTranscodingLevel`). Below the lowest there
/// is none to encode to.
fn encoded_level(wished: f64) -> Option<u32> {
    const HIGHEST: u32 = 51;
    const LOWEST: u32 = 9;
    let is_lower = wished >= 0.0 && wished < f64::from(HIGHEST);
    let level = if is_lower { wished as u32 } else { HIGHEST };
    (level >= LOWEST).then_some(level)
}

/// The sound that FFmpeg would choose: the one with the most loudspeakers, the first of several, and none that it cannot
/// hear. Jellyfin leaves the choice to it, since the sounds of a source it has probed have no numbers
/// (`EncodingHelper.GetMapArgs`). An FFmpeg that runs does not choose again, whatever becomes of what is `played`.
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
        // Whether two are enough is for whoever knows how many there are.
        tolerance.bear(Obstacle::UnknownSource)?;
    }
    Ok(AudioPlan::Encode(encode_audio(demand, audio, encoder)))
}

/// `EncodingHelper.GetNumAudioChannelsParam`, `EncodingHelper.GetAudioBitrateParam` and
/// `EncodingHelper.GetAudioFilterParam`.
fn encode_audio(demand: &Demand, audio: &Audio, encoder: AudioEncoder) -> AudioEncode {
    /// Bit/s at most: for each loudspeaker, and for six or more of them.
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

/// Loudspeakers at most.
fn most_channels(demand: &Demand, encoder: AudioEncoder) -> u32 {
    let limits = [demand.max_channels(encoder.as_str()), demand.transcoding_max_channels()];
    limits.into_iter().flatten().fold(encoder.most_channels(), u32::min)
}

/// The loudspeakers that players know how to place: one, two, six or eight. What lacks one is given a silent one.
const fn layout(channels: u32) -> u32 {
    match channels {
        0 | 1 => 1,
        2..=4 => 2,
        5 | 6 => 6,
        7.. => 8,
    }
}
