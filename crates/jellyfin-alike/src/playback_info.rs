//! `PlaybackInfo`, `LiveStreams/Open` and `LiveStreams/Close` (`MediaInfoController.cs`): a channel's media source, opened or
//! not, and the URL that transcodes it.

use serde_json::Value;

use crate::caller::Caller;
use crate::channel::Channel;
use crate::guid;
use crate::live_stream::OpenStream;
use crate::parameters::{Parameters, Query, member, number};
use crate::response::{Refusal, Response, json, no_content};

use crate::media_source::{MediaSource, Object};
use crate::settings::Version;
use crate::state::State;

/// The audio codecs that the server puts into MPEG-TS; the URL leaves out the others of a profile's list.
const TS_AUDIO: [&str; 4] = ["aac", "mp3", "ac3", "eac3"];
/// The bitrate assumed for audio that was never probed, in bit/s.
const UNKNOWN_AUDIO: u64 = 384_000;
/// The bitrate limit of a request and a profile that name none, in bit/s.
const NO_LIMIT: u64 = 140_000_000;

/// `GET|POST /Items/{id}/PlaybackInfo`. A `GET` opens nothing, and its response has no URL.
///
/// # Errors
/// [`Refusal::Missing`] for an unknown item, [`Refusal::Failed`] if it cannot be opened; either, depending on the version, for a
/// live stream that is not open.
pub(crate) async fn info(
    state: &State,
    caller: &Caller,
    item_id: &str,
    fields: &Parameters,
    posted: bool,
) -> Result<Response, Refusal> {
    let channel = state.server.channel(item_id).ok_or(Refusal::Missing)?;
    let play_session = guid::random();
    let other = fields.text("MediaSourceId").is_some_and(|id| id != channel.media_source_id);
    if other {
        let refused = Object::default()
            .with("MediaSources", Value::Array(Vec::new()))
            .with("PlaySessionId", play_session)
            .with("ErrorCode", "NoCompatibleStream");
        return Ok(json(&refused));
    }
    let opened = match fields.text("LiveStreamId") {
        Some(id) => Some(state.live_streams.get(&id)?),
        None if posted && fields.flag("AutoOpenLiveStream") == Some(true) => {
            Some(state.live_streams.open(channel, &caller.consumer(&play_session)).await?)
        }
        None => None,
    };
    let source = describe(state, caller, channel, opened.as_ref(), fields, &play_session, posted);
    let response =
        Object::default().with_objects("MediaSources", vec![source]).with("PlaySessionId", play_session);
    Ok(json(&response))
}

/// `POST /LiveStreams/Open`: opens a channel for one more consumer.
///
/// # Errors
/// [`Refusal::BadRequest`] without a body, [`Refusal::Missing`] for an unknown token, [`Refusal::Failed`]
/// if the channel cannot be opened.
pub(crate) async fn open(state: &State, caller: &Caller, fields: &Parameters) -> Result<Response, Refusal> {
    if fields.body.is_null() {
        return Err(Refusal::BadRequest);
    }
    let token = fields.text("OpenToken").ok_or(Refusal::BadRequest)?;
    let channel =
        state.server.channels().iter().find(|channel| channel.open_token == token).ok_or(Refusal::Missing)?;
    let play_session = fields.text("PlaySessionId").unwrap_or_default();
    let opened = state.live_streams.open(channel, &caller.consumer(&play_session)).await?;
    let source = describe(state, caller, channel, Some(&opened), fields, &play_session, true);
    Ok(json(&Object::default().with_object("MediaSource", source)))
}

/// `POST /LiveStreams/Close`: gives one consumer back. An unknown live stream is 204 as well.
///
/// # Errors
/// [`Refusal::BadRequest`] if the query names no live stream; a body is ignored.
pub(crate) async fn close(state: &State, caller: &Caller, query: &Query) -> Result<Response, Refusal> {
    let id = query.get("liveStreamId").ok_or(Refusal::BadRequest)?;
    state.live_streams.close(id, &caller.consumer("")).await;
    Ok(no_content())
}

fn describe(
    state: &State,
    caller: &Caller,
    channel: &Channel,
    opened: Option<&OpenStream>,
    fields: &Parameters,
    play_session: &str,
    posted: bool,
) -> Object {
    let profile = member(&fields.body, "DeviceProfile").filter(|profile| profile.is_object());
    let wished = posted && fields.flag("EnableTranscoding").unwrap_or(true);
    let transcoding_url = profile.filter(|_| wished).and_then(|profile| {
        Some(
            Wish { state, caller, channel, opened: opened.is_some(), fields, profile, play_session }
                .url(hls(profile)?),
        )
    });
    let unique_id = opened.map(|opened| opened.unique_id.clone());
    MediaSource { channel, unique_id, profiled: profile.is_some(), transcoding_url }.to_json(state)
}

/// The transcoding profile live TV is made by: HLS in MPEG-TS, the most compatible one.
fn hls(profile: &Value) -> Option<&Value> {
    let has = |entry: &Value, name: &str, wanted: &str| {
        member(entry, name).and_then(Value::as_str).is_some_and(|value| value.eq_ignore_ascii_case(wanted))
    };
    member(profile, "TranscodingProfiles")?.as_array()?.iter().find(|entry| {
        has(entry, "Type", "Video") && has(entry, "Container", "ts") && has(entry, "Protocol", "hls")
    })
}

/// What a TranscodingUrl is made from.
struct Wish<'a> {
    state: &'a State,
    caller: &'a Caller,
    channel: &'a Channel,
    opened: bool,
    fields: &'a Parameters,
    profile: &'a Value,
    play_session: &'a str,
}

impl Wish<'_> {
    /// `StreamInfo.ToUrl`: its parameters in its order, inserted unescaped.
    fn url(&self, transcoding: &Value) -> String {
        let legacy = self.state.server.settings.version == Version::V10_11;
        let probed = self.opened && self.state.server.is_probed(self.channel);
        let audio_bitrate = if probed { self.channel.audio_bitrate() } else { UNKNOWN_AUDIO };
        let text = |name: &str| member(transcoding, name).and_then(Value::as_str).unwrap_or_default();
        let audio: Vec<&str> =
            text("AudioCodec").split(',').filter(|codec| TS_AUDIO.contains(codec)).collect();
        let count = |name: &str| member(transcoding, name).and_then(number).filter(|count| *count > 0);
        let mut url = Pairs::new(&self.channel.dashed_item_id(), legacy);
        url.add("DeviceId", &self.caller.device_id);
        url.add("MediaSourceId", &self.channel.media_source_id);
        url.add("VideoCodec", text("VideoCodec"));
        url.add("AudioCodec", &audio.join(","));
        url.add("AudioStreamIndex", "-1");
        url.add("VideoBitrate", &self.max_bitrate().saturating_sub(audio_bitrate).to_string());
        url.add("AudioBitrate", &audio_bitrate.to_string());
        url.add_if(probed, "MaxFramerate", "25");
        url.add("SegmentContainer", "ts");
        url.add_some("SegmentLength", count("SegmentLength"));
        url.add_some("MinSegments", count("MinSegments"));
        url.add_if(legacy, "BreakOnNonKeyFrames", "True");
        url.add("PlaySessionId", self.play_session);
        url.add("ApiKey", &self.caller.token);
        url.add_if(self.opened, "LiveStreamId", &self.channel.live_stream_id);
        url.add_some("TranscodingMaxAudioChannels", count("MaxAudioChannels"));
        url.add("RequireAvc", "false");
        url.add("EnableAudioVbrEncoding", "true");
        if probed {
            self.add_stream_options(&mut url);
        }
        url.add(
            "TranscodeReasons",
            if legacy { "ContainerNotSupported" } else { "ContainerNotSupported,AudioCodecNotSupported" },
        );
        for name in ["allowVideoStreamCopy", "allowAudioStreamCopy"] {
            url.add_if(self.fields.flag(name) == Some(false), name, "false");
        }
        url.0
    }

    fn max_bitrate(&self) -> u64 {
        let own = || member(self.profile, "MaxStreamingBitrate").and_then(number);
        self.fields.number("MaxStreamingBitrate").or_else(own).unwrap_or(NO_LIMIT)
    }

    /// Adds the `h264-*` parameters: what the probe found, and what the profile's conditions on H.264 ask for.
    fn add_stream_options(&self, url: &mut Pairs) {
        url.add("h264-level", "30");
        url.add("h264-videobitdepth", "8");
        url.add(
            "h264-profile",
            if self.state.server.settings.interlaced { "main" } else { "constrainedbaseline" },
        );
        url.add_if(self.has_condition("VideoRangeType"), "h264-rangetype", "SDR");
        url.add_if(self.has_condition("IsInterlaced"), "h264-deinterlace", "true");
    }

    fn has_condition(&self, property: &str) -> bool {
        let entries = |value: &Value, name: &str| {
            member(value, name).and_then(Value::as_array).cloned().unwrap_or_default()
        };
        let is = |value: &Value, name: &str, wanted: &str| {
            member(value, name).and_then(Value::as_str) == Some(wanted)
        };
        entries(self.profile, "CodecProfiles").iter().filter(|codec| is(codec, "Codec", "h264")).any(
            |codec| entries(codec, "Conditions").iter().any(|condition| is(condition, "Property", property)),
        )
    }
}

/// A URL to which parameters are added.
struct Pairs(String);

impl Pairs {
    fn new(item: &str, legacy: bool) -> Self {
        Self(format!("/videos/{item}/master.m3u8?{}", if legacy { "&" } else { "" }))
    }

    fn add(&mut self, name: &str, value: &str) {
        if !self.0.ends_with(['?', '&']) {
            self.0.push('&');
        }
        self.0.push_str(name);
        self.0.push('=');
        self.0.push_str(value);
    }

    fn add_if(&mut self, condition: bool, name: &str, value: &str) {
        if condition {
            self.add(name, value);
        }
    }

    fn add_some(&mut self, name: &str, value: Option<u64>) {
        if let Some(value) = value {
            self.add(name, &value.to_string());
        }
    }
}
