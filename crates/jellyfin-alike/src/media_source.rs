//! The JSON of `MediaSourceInfo`, with the fields of the recorded server in its order.

use serde::ser::{Serialize, Serializer};
use serde_json::{Value, json};

use crate::channel::Channel;

use crate::input::PROVIDER_AGENT;
use crate::settings::{Settings, Version};
use crate::state::State;
use crate::tuner::FRAME_RATE;

/// A JSON object that keeps the order of its members.
#[derive(Clone, Debug, Default)]
pub(crate) struct Object(Vec<(&'static str, Member)>);

/// The value of a member.
#[derive(Clone, Debug)]
pub(crate) enum Member {
    Value(Value),
    Objects(Vec<Object>),
    Object(Object),
}

impl Object {
    pub(crate) fn with(mut self, name: &'static str, value: impl Into<Value>) -> Self {
        self.0.push((name, Member::Value(value.into())));
        self
    }

    pub(crate) fn with_some(self, name: &'static str, value: Option<impl Into<Value>>) -> Self {
        match value {
            Some(value) => self.with(name, value),
            None => self,
        }
    }

    pub(crate) fn with_object(mut self, name: &'static str, object: Self) -> Self {
        self.0.push((name, Member::Object(object)));
        self
    }

    pub(crate) fn with_objects(mut self, name: &'static str, objects: Vec<Self>) -> Self {
        self.0.push((name, Member::Objects(objects)));
        self
    }
}

impl Serialize for Object {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.iter().map(|(name, member)| (name, member)))
    }
}

impl Serialize for Member {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Value(value) => value.serialize(serializer),
            Self::Objects(objects) => objects.serialize(serializer),
            Self::Object(object) => object.serialize(serializer),
        }
    }
}

/// A channel's media source.
#[derive(Clone, Debug)]
pub(crate) struct MediaSource<'a> {
    pub(crate) channel: &'a Channel,
    /// The unique id of the open live stream; `None` if it was not opened.
    pub(crate) unique_id: Option<String>,
    /// Whether the request has a device profile, which rules out direct streams.
    pub(crate) profiled: bool,
    pub(crate) transcoding_url: Option<String>,
}

impl MediaSource<'_> {
    /// Its JSON.
    pub(crate) fn to_json(&self, state: &State) -> Object {
        let settings = &state.server.settings;
        let opened = self.unique_id.is_some();
        let probed = opened && state.server.is_probed(self.channel);
        let path = self
            .unique_id
            .as_ref()
            .filter(|_| settings.shares_raw_streams)
            .map_or_else(|| self.channel.url.clone(), |id| state.server.raw_stream_url(id));
        let hls = self.transcoding_url.is_some();
        Object::default()
            .with("Protocol", "Http")
            .with("Id", self.channel.media_source_id.as_str())
            .with("Path", path)
            .with("Type", "Default")
            .with_some("Container", probed.then_some("ts"))
            .with("IsRemote", false)
            .with("ReadAtNativeFramerate", false)
            .with("IgnoreDts", true)
            .with("IgnoreIndex", false)
            .with("GenPtsInput", false)
            .with("SupportsTranscoding", true)
            .with("SupportsDirectStream", !self.profiled)
            .with("SupportsDirectPlay", false)
            .with("IsInfiniteStream", true)
            .with("UseMostCompatibleTranscodingProfile", true)
            .with("RequiresOpening", true)
            .with_some("OpenToken", (!opened).then_some(self.channel.open_token.as_str()))
            .with("RequiresClosing", true)
            .with_some("LiveStreamId", opened.then_some(self.channel.live_stream_id.as_str()))
            .with_some("BufferMs", (!opened).then_some(1500))
            .with("RequiresLooping", false)
            .with("SupportsProbing", true)
            .with_objects("MediaStreams", streams(self.channel, settings, probed))
            .with("MediaAttachments", json!([]))
            .with("Formats", json!([]))
            .with_some("Bitrate", probed.then(|| self.channel.audio_bitrate()))
            .with("FallbackMaxStreamingBitrate", settings.fallback_max_bitrate)
            .with("RequiredHttpHeaders", json!({"User-Agent": PROVIDER_AGENT}))
            .with_some("TranscodingUrl", self.transcoding_url.as_deref())
            .with("TranscodingSubProtocol", if hls { "hls" } else { "http" })
            .with_some("TranscodingContainer", hls.then_some("ts"))
            .with_some("AnalyzeDurationMs", opened.then_some(3000))
            .with("DefaultAudioStreamIndex", -1)
            .with("HasSegments", false)
    }
}

fn streams(channel: &Channel, settings: &Settings, probed: bool) -> Vec<Object> {
    if probed { vec![video(settings), audio(channel, settings.version)] } else { unknown(settings.version) }
}

fn unknown(version: Version) -> Vec<Object> {
    let stream = |range: &str, title: &str, interlaced: bool, kind: &str| {
        let object = Object::default()
            .with("VideoRange", range)
            .with("VideoRangeType", range)
            .with("AudioSpatialFormat", "None")
            .with("DisplayTitle", title)
            .with("IsInterlaced", interlaced);
        flags(object, version)
            .with("Type", kind)
            .with("Index", -1)
            .with("IsExternal", false)
            .with("IsTextSubtitleStream", false)
            .with("SupportsExternalStream", false)
    };
    vec![stream("SDR", "SDR", true, "Video"), stream("Unknown", "", false, "Audio")]
}

fn flags(object: Object, version: Version) -> Object {
    let original = match version {
        Version::V12 => Some(false),
        Version::V10_11 => None,
    };
    object
        .with("IsDefault", false)
        .with("IsForced", false)
        .with("IsHearingImpaired", false)
        .with_some("IsOriginal", original)
}

fn video(settings: &Settings) -> Object {
    let object = Object::default()
        .with("Codec", "h264")
        .with("TimeBase", "1/90000")
        .with("VideoRange", "SDR")
        .with("VideoRangeType", "SDR")
        .with("AudioSpatialFormat", "None")
        .with("DisplayTitle", format!("{} H264 SDR", resolution(settings.height)))
        .with("NalLengthSize", "0")
        .with("IsInterlaced", settings.interlaced)
        .with("BitDepth", 8)
        .with("RefFrames", 1);
    flags(object, settings.version)
        .with("Height", settings.height)
        .with("Width", settings.width)
        .with("AverageFrameRate", FRAME_RATE)
        .with("RealFrameRate", FRAME_RATE)
        .with("ReferenceFrameRate", FRAME_RATE)
        .with("Profile", if settings.interlaced { "Main" } else { "Constrained Baseline" })
        .with("Type", "Video")
        .with("AspectRatio", "16:9")
        .with("Index", -1)
        .with("IsExternal", false)
        .with("IsTextSubtitleStream", false)
        .with("SupportsExternalStream", false)
        .with("PixelFormat", "yuv420p")
        .with("Level", 30)
        .with("IsAnamorphic", false)
}

fn audio(channel: &Channel, version: Version) -> Object {
    let legacy = version == Version::V10_11;
    let object = Object::default()
        .with("Codec", "aac")
        .with("TimeBase", "1/90000")
        .with("VideoRange", "Unknown")
        .with("VideoRangeType", "Unknown")
        .with("AudioSpatialFormat", "None")
        .with("LocalizedDefault", "Default")
        .with("LocalizedExternal", "External")
        .with_some("LocalizedOriginal", (!legacy).then_some("Original"))
        .with("DisplayTitle", "AAC - Mono")
        .with("IsInterlaced", false)
        .with_some("IsAVC", legacy.then_some(false))
        .with("ChannelLayout", "mono")
        .with("BitRate", channel.audio_bitrate())
        .with("Channels", 1)
        .with("SampleRate", 48_000);
    flags(object, version)
        .with("Profile", "LC")
        .with("Type", "Audio")
        .with("Index", -1)
        .with("IsExternal", false)
        .with("IsTextSubtitleStream", false)
        .with("SupportsExternalStream", false)
        .with_some("Level", legacy.then_some(0))
}

fn resolution(height: u32) -> &'static str {
    match height {
        0..=144 => "144p",
        145..=240 => "240p",
        241..=360 => "360p",
        361..=480 => "480p",
        481..=720 => "720p",
        _ => "1080p",
    }
}
