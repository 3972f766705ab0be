//! Reads what a `live.m3u8` request asks of the encoding.
//!
//! It reads the same values as [`ProfileKey`](crate::profile::ProfileKey), so equal keys are equal demands. The segment
//! length is part of [`Profile`](crate::profile::Profile).

use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::profile::Policy;
use crate::profile::bitrate;
use crate::profile::values::Values;
use crate::reason::Obstacle;

/// The codec name that asks for a copy of the source.
const COPY: &str = "copy";

/// What a request asks for.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Demand {
    /// The accepted video codecs, the preferred one first; empty accepts any.
    pub video_codecs: Vec<String>,
    /// The accepted audio codecs, the preferred one first; empty accepts any.
    pub audio_codecs: Vec<String>,
    /// Whether it names one of several audio streams by its number. The streams of a source that Jellyfin has probed have
    /// no numbers (`LiveStreamHelper.AddMediaInfoWithProbe`).
    pub names_audio: bool,
    /// The highest video bitrate in bit/s.
    pub video_bitrate: Option<u64>,
    /// The highest audio bitrate in bit/s.
    pub audio_bitrate: Option<u64>,
    /// The largest width in pixels. `Width` is a limit as well (`EncodingHelper.EnforceResolutionLimit`).
    pub max_width: Option<u32>,
    /// The largest height in pixels, likewise.
    pub max_height: Option<u32>,
    /// The highest frame rate.
    pub max_frame_rate: Option<f64>,
    /// The highest sample rate in hertz.
    pub sample_rate: Option<u32>,
    /// Whether pixels must be square.
    pub require_square_pixels: bool,
    /// Whether video may be copied.
    pub may_copy_video: bool,
    /// Whether audio may be copied; `EnableAutoStreamCopy` concerns audio alone.
    pub may_copy_audio: bool,
    /// Whether subtitles are drawn into the video.
    pub burns_in_subtitles: bool,
    /// What the user may have transcoded.
    pub policy: Policy,
    values: Values,
}

/// The limits of video in one codec.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct VideoLimits {
    /// The accepted profiles in lower case; empty accepts any.
    pub(super) profiles: Vec<String>,
    /// The accepted dynamic ranges in lower case; empty accepts any.
    pub(super) ranges: Vec<String>,
    /// The highest level, in the codec's numbers.
    pub(super) level: Option<f64>,
    pub(super) bit_depth: Option<u32>,
    pub(super) reference_frames: Option<u32>,
    /// Whether it must be progressive.
    pub(super) progressive: bool,
}

impl Demand {
    /// Reads the percent-decoded pairs of a request.
    ///
    /// # Errors
    ///
    /// [`Obstacle::UnreadableWish`] if a number cannot be read, or if the request cannot share a stream.
    pub fn from_query<'a>(
        pairs: impl Iterator<Item = (&'a str, &'a str)>,
        policy: Policy,
    ) -> Result<Self, Obstacle> {
        let values = Values::read(pairs).map_err(|_| Obstacle::UnreadableWish)?;
        let audio_bitrate = number(&values, "audiobitrate")?;
        let video_bitrate = number(&values, "videobitrate")?
            .map(|video| bitrate::step(video, audio_bitrate.unwrap_or(0)).video.unwrap_or(video));
        let (width, height) = (number(&values, "width")?, number(&values, "height")?);
        let frame_rate = frame_rate(&values, "framerate")?;
        let audio: Option<i64> = number(&values, "audiostreamindex")?;
        Ok(Self {
            video_codecs: words(values.text("videocodec")),
            audio_codecs: words(values.text("audiocodec")),
            names_audio: audio.is_some_and(|index| index >= 0),
            video_bitrate,
            audio_bitrate,
            max_width: number(&values, "maxwidth")?.or(width),
            max_height: number(&values, "maxheight")?.or(height),
            max_frame_rate: self::frame_rate(&values, "maxframerate")?.or(frame_rate),
            sample_rate: number(&values, "audiosamplerate")?,
            require_square_pixels: flag(&values, "requirenonanamorphic", false),
            may_copy_video: flag(&values, "allowvideostreamcopy", true),
            may_copy_audio: flag(&values, "enableautostreamcopy", true)
                && flag(&values, "allowaudiostreamcopy", true),
            burns_in_subtitles: burns_in_subtitles(&values)?,
            policy,
            values,
        })
    }

    /// Whether video must be copied, whatever it is.
    pub(crate) fn forces_video_copy(&self) -> bool {
        self.video_codecs.first().is_some_and(|codec| codec == COPY) || !self.policy.video_transcoding
    }

    /// Whether audio must be copied, whatever it is. If no codec is named, Jellyfin copies up to 10.9, and later versions
    /// know no codec to encode to (`EncodingHelper.InferAudioCodec`).
    pub(crate) fn forces_audio_copy(&self) -> bool {
        self.audio_codecs.iter().all(|codec| codec == COPY) || !self.policy.audio_transcoding
    }

    /// The audio codecs to encode to, the first to try first, for a source with this many channels.
    ///
    /// Stereo is encoded to AC-3 or E-AC-3 only if no other codec is accepted
    /// (`EncodingHelper.ShiftAudioCodecsIfNeeded`).
    pub(super) fn audio_codecs_to_encode(&self, channels: Option<u32>) -> impl Iterator<Item = &str> {
        const SURROUND: [&str; 2] = ["ac3", "eac3"];
        let is_stereo = channels.is_some_and(|channels| channels < 6);
        let shifted =
            self.audio_codecs.iter().take_while(|codec| is_stereo && SURROUND.contains(&codec.as_str()));
        let (first, rest) = self.audio_codecs.split_at(shifted.count());
        rest.iter().chain(first).map(String::as_str)
    }

    /// The limits of video in `codec`. A general parameter overrides the codec's option
    /// (`EncodingJobInfo.GetRequestedLevel` and others); ranges have no general parameter.
    pub(super) fn video_limits(&self, codec: &str) -> VideoLimits {
        let values = &self.values;
        let deinterlace = self.option(codec, "deinterlace") == Some("true");
        VideoLimits {
            profiles: words(values.text("profile").or_else(|| self.option(codec, "profile"))),
            ranges: words(self.option(codec, "rangetype")),
            level: self.limit("level", codec, "level"),
            bit_depth: self.limit("maxvideobitdepth", codec, "videobitdepth"),
            reference_frames: self.limit("maxrefframes", codec, "maxrefframes"),
            progressive: deinterlace || flag(values, "deinterlace", false),
        }
    }

    /// The most channels of audio in `codec`. Here the codec's option overrides the general parameter
    /// (`EncodingJobInfo.GetRequestedAudioChannels`).
    pub(super) fn max_channels(&self, codec: &str) -> Option<u32> {
        self.values
            .number(&format!("{codec}-audiochannels"))
            .or_else(|| self.values.number("maxaudiochannels"))
            .or_else(|| self.values.number("audiochannels"))
            .or_else(|| self.transcoding_max_channels())
    }

    /// The most channels of encoded audio.
    pub(super) fn transcoding_max_channels(&self) -> Option<u32> {
        self.values.number("transcodingmaxaudiochannels")
    }

    fn option(&self, codec: &str, name: &str) -> Option<&str> {
        self.values.text(&format!("{codec}-{name}")).or_else(|| self.values.text(name))
    }

    /// A general parameter, else the codec's option. A value that cannot be read is no limit, as in Jellyfin.
    fn limit<T: FromStr>(&self, general: &str, codec: &str, name: &str) -> Option<T> {
        let read = |text: &str| text.trim().parse().ok();
        self.values.text(general).and_then(read).or_else(|| self.option(codec, name).and_then(read))
    }
}

/// A parameter that Jellyfin binds as a number, and refuses if it is none.
fn number<T: FromStr>(values: &Values, name: &str) -> Result<Option<T>, Obstacle> {
    values.text(name).map(str::parse).transpose().map_err(|_| Obstacle::UnreadableWish)
}

/// A frame rate that Jellyfin binds as a number; it must be positive.
fn frame_rate(values: &Values, name: &str) -> Result<Option<f64>, Obstacle> {
    let read: Option<f64> = number(values, name)?;
    let is_one = read.is_none_or(|rate| rate.is_finite() && rate > 0.0);
    is_one.then_some(read).ok_or(Obstacle::UnreadableWish)
}

fn flag(values: &Values, name: &str, default: bool) -> bool {
    values.text(name).map_or(default, |text| text == "true")
}

/// Live sources of the built-in tuners have no subtitles, but a request for them is left to Jellyfin. Up to 10.9 it draws
/// them where no method is named.
fn burns_in_subtitles(values: &Values) -> Result<bool, Obstacle> {
    let index: Option<i64> = number(values, "subtitlestreamindex")?;
    let drawn = matches!(values.text("subtitlemethod"), None | Some("encode" | "embed"));
    Ok(index.is_some_and(|index| index >= 0) && drawn)
}

/// The words of a list, in lower case.
fn words(list: Option<&str>) -> Vec<String> {
    let words = list.unwrap_or_default().split([',', '|']).map(|word| word.trim().to_ascii_lowercase());
    words.filter(|word| !word.is_empty()).collect()
}
