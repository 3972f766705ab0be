//! What a `live.m3u8` request asks of the encoding, typed.
//!
//! It reads the very values a [`ProfileKey`](crate::domain::profile::ProfileKey) is made of, so that equal keys are equal
//! demands. Two things are read elsewhere or not at all: the length of a segment is the profile's
//! (`Profile::segment_length`), and of several sounds Jellyfin plays FFmpeg's choice whatever `AudioStreamIndex` says.

use std::str::FromStr;

use crate::domain::profile::Policy;
use crate::domain::profile::bitrate;
use crate::domain::profile::values::Values;
use crate::domain::reason::Obstacle;

/// A codec that asks for the source as it is.
const COPY: &str = "copy";

/// A wish.
#[derive(Clone, Debug, PartialEq)]
pub struct Demand {
    /// Codecs of the picture that would do, the preferred first; empty if any would.
    pub video_codecs: Vec<String>,
    /// The codec of the sound; `None` if any would do.
    pub audio_codec: Option<String>,
    /// Bit/s of the picture at most.
    pub video_bitrate: Option<u64>,
    /// Bit/s of the sound at most.
    pub audio_bitrate: Option<u64>,
    /// Pixels in a line at most.
    pub max_width: Option<u32>,
    /// Lines at most.
    pub max_height: Option<u32>,
    /// Pixels in a line of an encoded picture; a copied one may have fewer or more.
    pub width: Option<u32>,
    /// Lines of an encoded picture, likewise.
    pub height: Option<u32>,
    /// Frames in a second at most.
    pub max_frame_rate: Option<f64>,
    /// Hertz at most.
    pub sample_rate: Option<u32>,
    /// Whether H.264 must be of the kind with length prefixes, which no transport stream carries.
    pub require_avc: bool,
    /// Whether pixels must be square.
    pub require_square_pixels: bool,
    /// Whether the picture may be copied.
    pub may_copy_video: bool,
    /// Whether the sound may be copied.
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
    pub(super) level: Option<u32>,
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
        let frame_rate = number(&values, "framerate")?;
        let auto_copy = flag(&values, "enableautostreamcopy", true);
        Ok(Self {
            video_codecs: words(values.text("videocodec")),
            audio_codec: values.text("audiocodec").filter(|codec| *codec != COPY).map(str::to_owned),
            video_bitrate,
            audio_bitrate,
            max_width: number(&values, "maxwidth")?,
            max_height: number(&values, "maxheight")?,
            width: number(&values, "width")?,
            height: number(&values, "height")?,
            max_frame_rate: number(&values, "maxframerate")?.or(frame_rate),
            sample_rate: number(&values, "audiosamplerate")?,
            require_avc: flag(&values, "requireavc", false),
            require_square_pixels: flag(&values, "requirenonanamorphic", false),
            may_copy_video: auto_copy && flag(&values, "allowvideostreamcopy", true),
            may_copy_audio: auto_copy && flag(&values, "allowaudiostreamcopy", true),
            burns_in_subtitles: burns_in_subtitles(&values)?,
            policy,
            values,
        })
    }

    /// Whether the picture is to be copied whatever it is.
    pub(super) fn forces_video_copy(&self) -> bool {
        self.video_codecs.first().is_some_and(|codec| codec == COPY) || !self.policy.video_transcoding
    }

    /// Whether the sound is to be copied whatever it is: Jellyfin encodes to nothing where nothing is named.
    pub(super) fn forces_audio_copy(&self) -> bool {
        self.audio_codec.is_none() || !self.policy.audio_transcoding
    }

    /// What a picture of `codec` may be. A general parameter wins over one for the codec
    /// (`EncodingJobInfo.GetRequestedLevel` and its like).
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
        let option = self.option(codec, "audiochannels").and_then(|channels| channels.parse().ok());
        option
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
    fn limit(&self, general: &str, codec: &str, name: &str) -> Option<u32> {
        let read = |text: &str| text.trim().parse::<f64>().ok().filter(|number| *number >= 0.0);
        let number = self.values.text(general).and_then(read);
        number.or_else(|| self.option(codec, name).and_then(read)).map(|number| number as u32)
    }
}

/// A parameter that Jellyfin binds as a number, and refuses where it is none.
fn number<T: FromStr>(values: &Values, name: &str) -> Result<Option<T>, Obstacle> {
    values.text(name).map(str::parse).transpose().map_err(|_| Obstacle::UnreadableWish)
}

fn flag(values: &Values, name: &str, default: bool) -> bool {
    values.text(name).map_or(default, |text| text == "true")
}

/// Live sources of built-in tuners have no subtitles, but a wish for them is Jellyfin's to meet.
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
