//! A viewer that behaves as jellyfin-web does (`fixtures/jellyfin/web-12.0-zap.ndjson`), as far as it needs no picture:
//! PlaybackInfo, the multivariant playlist, the media playlist, segments, reports. Shows zaps, and tries the gateway in
//! the tests.

use std::time::Duration;

use bytes::Bytes;
use http::header::{AUTHORIZATION, CONTENT_TYPE};
use http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode};
use http_body_util::BodyExt;
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use serde_json::{Value, json};
use tokio::time::Instant;

use crate::body::{self, BoxError};

/// A viewer on one device.
#[derive(Clone, Debug)]
pub struct Viewer {
    client: Client<HttpConnector, body::Body>,
    base: String,
    token: String,
    device: String,
    user: String,
    /// What it says it can receive; jellyfin-web measures it anew, so two zaps differ.
    pub bitrate: u64,
}

/// A playback that has begun.
#[derive(Clone, Debug)]
pub struct Playback {
    /// What is watched.
    pub item: String,
    /// Jellyfin's name for it.
    pub play_session: String,
    /// The open live stream.
    pub live_stream: String,
    /// Its media source.
    pub source: String,
    /// Path and query of the media playlist.
    pub playlist: String,
    /// How long `PlaybackInfo` took.
    pub info_took: Duration,
}

/// A media playlist as it was answered.
#[derive(Clone, Debug)]
pub struct Answer {
    /// The status.
    pub status: StatusCode,
    /// The fields.
    pub headers: HeaderMap,
    /// The body.
    pub body: Bytes,
    /// From the first byte sent to the last byte read.
    pub took: Duration,
}

impl Answer {
    /// The body as text.
    #[must_use]
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// A field as text; empty if it is not there.
    #[must_use]
    pub fn field(&self, name: &str) -> &str {
        self.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
    }

    /// The value of a playlist tag such as `EXT-X-MEDIA-SEQUENCE`.
    #[must_use]
    pub fn tag(&self, name: &str) -> Option<u64> {
        let text = self.text();
        let line = text.lines().find_map(|line| line.strip_prefix(&format!("#{name}:")))?;
        line.parse().ok()
    }

    /// The segment URIs of a playlist.
    #[must_use]
    pub fn segments(&self) -> Vec<String> {
        self.text()
            .lines()
            .filter(|line| !line.is_empty() && !line.starts_with('#'))
            .map(str::to_owned)
            .collect()
    }
}

impl Viewer {
    /// A viewer at `base` (`http://host:port`, perhaps with a base path), logged in with `token` on `device`.
    #[must_use]
    pub fn new(base: impl Into<String>, token: &str, user: &str, device: &str) -> Self {
        Self {
            client: Client::builder(TokioExecutor::new()).build_http(),
            base: base.into(),
            token: token.to_owned(),
            device: device.to_owned(),
            user: user.to_owned(),
            bitrate: 1_973_790_118,
        }
    }

    /// Opens a channel: PlaybackInfo, then the multivariant playlist, which names the media playlist.
    ///
    /// # Errors
    /// No answer, or not the one that was to be expected.
    pub async fn open(&self, item: &str) -> Result<Playback, BoxError> {
        let wish = json!({
            "UserId": self.user, "StartTimeTicks": 0, "IsPlayback": true, "AutoOpenLiveStream": true,
            "SubtitleStreamIndex": "", "MaxStreamingBitrate": self.bitrate, "DeviceProfile": device_profile(),
        });
        let info = self.post(&format!("/Items/{item}/PlaybackInfo"), &wish).await?;
        if info.status != StatusCode::OK {
            return Err(format!("PlaybackInfo answered {}", info.status).into());
        }
        let answer: Value = serde_json::from_slice(&info.body)?;
        let source = &answer["MediaSources"][0];
        let text = |value: &Value| value.as_str().map(str::to_owned).ok_or("a field is missing");
        let master_path = text(&source["TranscodingUrl"])?;
        let master = self.get(&master_path).await?;
        let variant = master.segments().into_iter().next().ok_or("no variant")?;
        let folder =
            master_path.split('?').next().and_then(|path| path.rsplit_once('/')).ok_or("no folder")?.0;
        Ok(Playback {
            item: item.to_owned(),
            play_session: text(&answer["PlaySessionId"])?,
            live_stream: text(&source["LiveStreamId"])?,
            source: text(&source["Id"])?,
            playlist: format!("{folder}/{variant}"),
            info_took: info.took,
        })
    }

    /// Asks for the media playlist.
    ///
    /// # Errors
    /// No answer.
    pub async fn poll(&self, playback: &Playback) -> Result<Answer, BoxError> {
        self.get(&playback.playlist).await
    }

    /// Asks for a segment that the media playlist lists.
    ///
    /// # Errors
    /// No answer.
    pub async fn segment(&self, playback: &Playback, uri: &str) -> Result<Answer, BoxError> {
        self.get(&resolve(&playback.playlist, uri)).await
    }

    /// Reports `Playing`, `Playing/Progress` or `Playing/Stopped`.
    ///
    /// # Errors
    /// No answer.
    pub async fn report(&self, playback: &Playback, moment: &str) -> Result<Answer, BoxError> {
        let report = json!({
            "ItemId": playback.item, "MediaSourceId": playback.source, "PlaySessionId": playback.play_session,
            "LiveStreamId": playback.live_stream, "PositionTicks": 0, "IsPaused": false, "PlayMethod": "Transcode",
        });
        self.post(&format!("/Sessions/{moment}"), &report).await
    }

    /// Leaves as the most thorough clients do: Stopped, then ActiveEncodings; Stopped gives the live stream back.
    ///
    /// # Errors
    /// No answer.
    pub async fn leave(&self, playback: &Playback) -> Result<(), BoxError> {
        self.report(playback, "Playing/Stopped").await?;
        let query = format!("deviceId={}&playSessionId={}", self.device, playback.play_session);
        self.send(Method::DELETE, &format!("/Videos/ActiveEncodings?{query}"), None).await?;
        Ok(())
    }

    /// Gets a path.
    ///
    /// # Errors
    /// No answer.
    pub async fn get(&self, path: &str) -> Result<Answer, BoxError> {
        self.send(Method::GET, path, None).await
    }

    /// Posts JSON.
    ///
    /// # Errors
    /// No answer.
    pub async fn post(&self, path: &str, wish: &Value) -> Result<Answer, BoxError> {
        self.send(Method::POST, path, Some(wish)).await
    }

    async fn send(&self, method: Method, path: &str, wish: Option<&Value>) -> Result<Answer, BoxError> {
        let mut request = Request::builder().method(method).uri(format!("{}{path}", self.base));
        // A player asks for media with what the URL holds; only the app's own calls carry the header.
        if !path.contains("ApiKey=") {
            request = request.header(AUTHORIZATION, self.authorization()?);
        }
        if wish.is_some() {
            request = request.header(CONTENT_TYPE, "application/json");
        }
        let body = wish.map_or_else(body::empty, |wish| body::full(wish.to_string()));
        let asked = Instant::now();
        let response = self.client.request(request.body(body)?).await?;
        read(response, asked).await
    }

    fn authorization(&self) -> Result<HeaderValue, BoxError> {
        let text = format!(
            "MediaBrowser Client=\"Warmgate\", Device=\"Demo\", DeviceId=\"{}\", Version=\"1\", Token=\"{}\"",
            self.device, self.token
        );
        Ok(HeaderValue::try_from(text)?)
    }
}

async fn read<B>(response: Response<B>, asked: Instant) -> Result<Answer, BoxError>
where
    B: http_body::Body,
    B::Error: Into<BoxError>,
{
    let (parts, body) = response.into_parts();
    let body = body.collect().await.map_err(Into::into)?.to_bytes();
    Ok(Answer { status: parts.status, headers: parts.headers, body, took: asked.elapsed() })
}

/// A relative URI against the path that named it.
fn resolve(base: &str, uri: &str) -> String {
    let folder =
        base.split('?').next().and_then(|path| path.rsplit_once('/')).map_or("", |(folder, _)| folder);
    format!("{folder}/{uri}")
}

/// The part of jellyfin-web's that decides about live TV.
fn device_profile() -> Value {
    json!({
        "MaxStreamingBitrate": 120_000_000, "DirectPlayProfiles": [], "ContainerProfiles": [], "SubtitleProfiles": [],
        "TranscodingProfiles": [{
            "Container": "ts", "Type": "Video", "AudioCodec": "aac,mp3", "VideoCodec": "h264", "Context": "Streaming",
            "Protocol": "hls", "MaxAudioChannels": "2", "MinSegments": "1", "BreakOnNonKeyFrames": false,
        }],
        "CodecProfiles": [{
            "Type": "Video", "Codec": "h264",
            "Conditions": [
                { "Condition": "EqualsAny", "Property": "VideoProfile", "Value": "high|main|baseline|constrained baseline|high 10", "IsRequired": false },
                { "Condition": "EqualsAny", "Property": "VideoRangeType", "Value": "SDR", "IsRequired": false },
                { "Condition": "LessThanEqual", "Property": "VideoLevel", "Value": "52", "IsRequired": false },
                { "Condition": "NotEquals", "Property": "IsInterlaced", "Value": "true", "IsRequired": false },
            ],
        }],
    })
}
