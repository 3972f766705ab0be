//! `PlaybackInfo` and `LiveStreams`: what can be played, opened or not, and the URL to play it by (`MediaInfoController.cs`).

use serde_json::Value;

use crate::demo::origin::answer::{Answer, Refusal, json, no_content};
use crate::demo::origin::auth::Caller;
use crate::demo::origin::fields::{Fields, Query, member, number};
use crate::demo::origin::library::{Channel, new_guid};
use crate::demo::origin::live::{self, Opened};
use crate::demo::origin::lock;
use crate::demo::origin::settings::Version;
use crate::demo::origin::source::{Object, Source};
use crate::demo::origin::state::State;

/// Audio codecs the server encodes into MPEG-TS; others of a profile's list are left out of the URL.
const TS_AUDIO: [&str; 4] = ["aac", "mp3", "ac3", "eac3"];
/// Bitrate of audio nobody has probed, in bit/s.
const UNKNOWN_AUDIO: u64 = 384_000;
const NO_LIMIT: u64 = 140_000_000;

/// `POST /Items/{id}/PlaybackInfo`; with `GET` nothing is opened and no URL is given.
///
/// # Errors
/// [`Refusal::Missing`] for an unknown item or live stream, [`Refusal::Failed`] if it cannot be opened.
pub(super) async fn info(
    state: &State,
    caller: &Caller,
    item_id: &str,
    fields: &Fields,
    posted: bool,
) -> Result<Answer, Refusal> {
    let channel = state.channel(item_id).ok_or(Refusal::Missing)?;
    let play_session = new_guid();
    let other = fields.text("MediaSourceId").is_some_and(|id| id != channel.media_source_id);
    if other {
        let refused = Object::default()
            .with("MediaSources", Value::Array(Vec::new()))
            .with("PlaySessionId", play_session)
            .with("ErrorCode", "NoCompatibleStream");
        return Ok(json(&refused));
    }
    let opened = match fields.text("LiveStreamId") {
        Some(id) => Some(state.live.get(&id).ok_or(Refusal::Missing)?),
        None if posted && fields.flag("AutoOpenLiveStream") == Some(true) => {
            Some(live::open(state, channel).await?)
        }
        None => None,
    };
    let source = describe(state, caller, channel, opened.as_ref(), fields, &play_session, posted);
    let answer =
        Object::default().with_objects("MediaSources", vec![source]).with("PlaySessionId", play_session);
    Ok(json(&answer))
}

/// `POST /LiveStreams/Open`: one more consumer.
///
/// # Errors
/// [`Refusal::BadRequest`] without a body, [`Refusal::Missing`] for an unknown token, [`Refusal::Failed`] as above.
pub(super) async fn open(state: &State, caller: &Caller, fields: &Fields) -> Result<Answer, Refusal> {
    if fields.body.is_null() {
        return Err(Refusal::BadRequest);
    }
    let token = fields.text("OpenToken").ok_or(Refusal::BadRequest)?;
    let channel =
        state.channels().iter().find(|channel| channel.open_token == token).ok_or(Refusal::Missing)?;
    let opened = live::open(state, channel).await?;
    let play_session = fields.text("PlaySessionId").unwrap_or_default();
    let source = describe(state, caller, channel, Some(&opened), fields, &play_session, true);
    Ok(json(&Object::default().with_object("MediaSource", source)))
}

/// `POST /LiveStreams/Close`: always 204, also when there is nothing to close.
///
/// # Errors
/// [`Refusal::BadRequest`] if the query does not name it; a body is not looked at.
pub(super) async fn close(state: &State, query: &Query) -> Result<Answer, Refusal> {
    live::close(state, query.get("liveStreamId").ok_or(Refusal::BadRequest)?).await;
    Ok(no_content())
}

fn describe(
    state: &State,
    caller: &Caller,
    channel: &Channel,
    opened: Option<&Opened>,
    fields: &Fields,
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
    Source { channel, unique_id, profiled: profile.is_some(), transcoding_url }.describe(state)
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
    fields: &'a Fields,
    profile: &'a Value,
    play_session: &'a str,
}

impl Wish<'_> {
    /// `StreamInfo.ToUrl`: its parameters in its order, inserted unescaped.
    fn url(&self, transcoding: &Value) -> String {
        let legacy = self.state.settings.version == Version::V10_11;
        let probed = self.opened && lock(&self.state.probed).contains(&self.channel.media_source_id);
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

    /// What the probe found, and what the profile's conditions on H.264 ask.
    fn add_stream_options(&self, url: &mut Pairs) {
        url.add("h264-level", "30");
        url.add("h264-videobitdepth", "8");
        url.add("h264-profile", "constrainedbaseline");
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

/// A URL under construction.
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
