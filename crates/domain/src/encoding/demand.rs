//! What a `live.m3u8` request asks of the encoding, typed.
//!
//! It reads the very values a [`ProfileKey`](crate::profile::ProfileKey) is made of, so that equal keys are equal
//! demands. The length of a segment is read elsewhere (`Profile::segment_length`).

use std::str::FromStr;

use crate::profile::Policy;
use crate::profile::bitrate;
use crate::profile::values::Values;
use crate::reason::Obstacle;

/// A codec that asks for the source as it is.
const COPY: &str = "copy";

/// A wish.
#[derive(Clone, Debug, PartialEq)]
pub struct Demand {
    /// Codecs of the picture that would do, the preferred first; empty if any would.
    pub video_codecs: Vec<String>,
    /// Codecs of the sound that would do, the preferred first; empty if any would.
    pub audio_codecs: Vec<String>,
    /// Whether it names one of several sounds. Those of a source that Jellyfin has probed have no numbers
    /// (`LiveStreamHelper.AddMediaInfoWithProbe`).
    pub names_audio: bool,
    /// Bit/s of the picture at most.
    pub video_bitrate: Option<u64>,
    /// Bit/s of the sound at most.
    pub audio_bitrate: Option<u64>,
    /// Pixels in a line at most. `Width` is no more than that either (`EncodingHelper.EnforceResolutionLimit`).
    pub max_width: Option<u32>,
    /// Lines at most, likewise.
    pub max_height: Option<u32>,
    /// Frames in a second at most.
    pub max_frame_rate: Option<f64>,
    /// Hertz at most.
    pub sample_rate: Option<u32>,
    /// Whether pixels must be square.
    pub require_square_pixels: bool,
    /// Whether the picture may be copied.
    pub may_copy_video: bool,
    /// Whether the sound may be copied; `EnableAutoStreamCopy` is a wish for it alone.
    pub may_copy_audio: bool,
    /// Whether subtitles are to be drawn into the picture.
    pub burns_in_subtitles: bool,
    /// What the user may have encoded.
    pub policy: Policy,
    values: Values,
}

/// What a picture of one codec may be at most.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct VideoLimits {
    /// Profiles that would do, in lower case; empty if any would.
    pub(super) profiles: Vec<String>,
    /// Ranges that would do, in lower case; empty if any would.
    pub(super) ranges: Vec<String>,
    /// The level, as the codec counts it.
    pub(super) level: Option<f64>,
    pub(super) bit_depth: Option<u32>,
    pub(super) reference_frames: Option<u32>,
    /// Whether it must not be interlaced.
    pub(super) progressive: bool,
}

impl Demand {
    /// Reads a request's percent-decoded pairs.
    ///
    /// # Errors
    /// [`Obstacle::UnreadableWish`] where a number is none, or the request is one that nobody else can share.
    pub fn from_query<'a>(
        pairs: impl Iterator<Item = (&'a str, &'a str)>,
        policy: Policy,
    ) -> Result<Self, Obstacle> {
        let values = Values::read(pairs).map_err(|_| Obstacle::UnreadableWish)?;
        let audio_bitrate = number(&values, "audiobitrate")?;
        let video_bitrate = number(&values, "videobitrate")?
            .map(|video| bitrate::bucket(video, audio_bitrate.unwrap_or(0)).video.unwrap_or(video));
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

    /// Whether the picture is to be copied whatever it is.
    pub(super) fn forces_video_copy(&self) -> bool {
        self.video_codecs.first().is_some_and(|codec| codec == COPY) || !self.policy.video_transcoding
    }

    /// Whether the sound is to be copied whatever it is. Where nothing is named, Jellyfin up to 10.9 copies, and later
    /// ones know of nothing to encode to (`EncodingHelper.InferAudioCodec`).
    pub(super) fn forces_audio_copy(&self) -> bool {
        self.audio_codecs.iter().all(|codec| codec == COPY) || !self.policy.audio_transcoding
    }

    /// The codecs of the sound in the order in which they are encoded to, where the source has so many loudspeakers.
    ///
    /// In AC-3 and its successor stereo is not encoded if anything else would do
    /// (`EncodingHelper.ShiftAudioCodecsIfNeeded`).
    pub(super) fn audio_codecs_to_encode(&self, channels: Option<u32>) -> impl Iterator<Item = &str> {
        const SURROUND: [&str; 2] = ["ac3", "eac3"];
        let is_stereo = channels.is_some_and(|channels| channels < 6);
        let shifted =
            self.audio_codecs.iter().take_while(|codec| is_stereo && SURROUND.contains(&codec.as_str()));
        let (first, rest) = self.audio_codecs.split_at(shifted.count());
        rest.iter().chain(first).map(String::as_str)
    }

    /// What a picture of `codec` may be. A general parameter wins over one for the codec
    /// (`EncodingJobInfo.GetRequestedLevel` and its like); ranges have none.
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

    /// Loudspeakers at most, for a sound of `codec`. Here the codec's own option wins (`GetRequestedAudioChannels`).
    pub(super) fn max_channels(&self, codec: &str) -> Option<u32> {
        self.values
            .number(&format!("{codec}-audiochannels"))
            .or_else(|| self.values.number("maxaudiochannels"))
            .or_else(|| self.values.number("audiochannels"))
            .or_else(|| self.transcoding_max_channels())
    }

    /// Loudspeakers at most, for a sound that is encoded.
    pub(super) fn transcoding_max_channels(&self) -> Option<u32> {
        self.values.number("transcodingmaxaudiochannels")
    }

    fn option(&self, codec: &str, name: &str) -> Option<&str> {
        self.values.text(&format!("{codec}-{name}")).or_else(|| self.values.text(name))
    }

    /// A general parameter, else a codec's option. What cannot be read limits nothing, as in Jellyfin.
    fn limit<T: FromStr>(&self, general: &str, codec: &str, name: &str) -> Option<T> {
        let read = |text: &str| text.trim().parse().ok();
        self.values.text(general).and_then(read).or_else(|| self.option(codec, name).and_then(read))
    }
}

/// A parameter that Jellyfin binds as a number, and refuses where it is none.
fn number<T: FromStr>(values: &Values, name: &str) -> Result<Option<T>, Obstacle> {
    values.text(name).map(str::parse).transpose().map_err(|_| Obstacle::UnreadableWish)
}

/// The same, where that is one that pictures can have.
fn frame_rate(values: &Values, name: &str) -> Result<Option<f64>, Obstacle> {
    let read: Option<f64> = number(values, name)?;
    let is_one = read.is_none_or(|rate| rate.is_finite() && rate > 0.0);
    is_one.then_some(read).ok_or(Obstacle::UnreadableWish)
}

fn flag(values: &Values, name: &str, default: bool) -> bool {
    values.text(name).map_or(default, |text| text == "true")
}

/// Live sources of built-in tuners have no subtitles, but a wish for them is Jellyfin's to meet. Up to 10.9 it draws them
/// where no method is named.
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
