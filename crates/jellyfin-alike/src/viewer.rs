//! A simulated viewer: sends the requests of jellyfin-web (`fixtures/jellyfin/web-12.0-zap.ndjson`) from `PlaybackInfo` to the
//! reports of playback. It decodes nothing, and sends no request by itself.

use std::error::Error;
use std::fmt;
use std::time::Duration;

use bytes::Bytes;
use http::header::{AUTHORIZATION, CONTENT_TYPE, USER_AGENT};
use http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use serde_json::{Value, json};
use tokio::time::Instant;

/// Why a viewer has no response, or not the one it needs.
pub type BoxError = Box<dyn Error + Send + Sync>;

/// The server has opened a channel, and then refuses to have it played.
#[derive(Debug)]
pub struct Unplayable {
    /// The status of the multivariant playlist.
    pub status: StatusCode,
    /// The beginning of its body.
    pub said: String,
}

impl fmt::Display for Unplayable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the multivariant playlist answered {}: {}", self.status, self.said)
    }
}

impl Error for Unplayable {}

/// A viewer on one device.
#[derive(Clone, Debug)]
pub struct Viewer {
    http: Client<HttpConnector, Full<Bytes>>,
    base: String,
    token: String,
    device: String,
    user: String,
    /// The app's name.
    pub client: String,
    /// The browser's name, as a `User-Agent`.
    pub agent: Option<&'static str>,
    /// The bitrate that it claims to receive, in bit/s. jellyfin-web measures it, so that no two zaps name the same.
    pub bitrate: u64,
    /// Further header fields of all its requests.
    fields: Vec<(&'static str, String)>,
    /// The address that a reverse proxy says the requests come from.
    address: Option<String>,
}

/// A channel that a viewer has opened.
#[derive(Clone, Debug)]
pub struct Playback {
    /// The item.
    pub item: String,
    /// The id of the play session.
    pub play_session: String,
    /// The id of the live stream.
    pub live_stream: String,
    /// The id of the media source.
    pub source: String,
    /// The path and query of the media playlist.
    pub playlist: String,
    /// How long `PlaybackInfo` took.
    pub info_took: Duration,
}

/// A response, read to its end.
#[derive(Clone, Debug)]
pub struct Answer {
    /// The status.
    pub status: StatusCode,
    /// The header fields.
    pub headers: HeaderMap,
    /// The body.
    pub body: Bytes,
    /// The time from the first byte sent to the last byte read.
    pub took: Duration,
    /// The path and query that it came from.
    pub path: String,
}

impl Answer {
    /// The body as text.
    #[must_use]
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// A header field; empty if it is absent.
    #[must_use]
    pub fn field(&self, name: &str) -> &str {
        self.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
    }

    /// The numeric value of a playlist tag such as `EXT-X-MEDIA-SEQUENCE`.
    #[must_use]
    pub fn tag(&self, name: &str) -> Option<u64> {
        let text = self.text();
        let line = text.lines().find_map(|line| line.strip_prefix(&format!("#{name}:")))?;
        line.parse().ok()
    }

    /// The URIs that the playlist lists.
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
    /// A viewer of the server at `base` (`http://host:port`, with a base path or without), logged in with `token` on `device`.
    #[must_use]
    pub fn new(base: impl Into<String>, token: &str, user: &str, device: &str) -> Self {
        Self {
            http: Client::builder(TokioExecutor::new()).build_http(),
            base: base.into(),
            token: token.to_owned(),
            device: device.to_owned(),
            user: user.to_owned(),
            client: "Warmgate".to_owned(),
            agent: None,
            bitrate: 1_973_790_118,
            fields: Vec::new(),
            address: None,
        }
    }

    /// The viewer, whose requests a reverse proxy passes on as coming from `address`.
    #[must_use]
    pub fn from(self, address: &str) -> Self {
        Self { address: Some(address.to_owned()), ..self }
    }

    /// The viewer, all of whose requests have these header fields besides.
    #[must_use]
    pub fn with(self, fields: &[(&'static str, &str)]) -> Self {
        let fields = fields.iter().map(|(name, value)| (*name, (*value).to_owned())).collect();
        Self { fields, ..self }
    }

    /// Opens a channel: posts `PlaybackInfo`, then gets the multivariant playlist, which names the media playlist.
    ///
    /// # Errors
    /// No response, or one without a playable media source; [`Unplayable`] if the channel is open and cannot be played.
    pub async fn open(&self, item: &str) -> Result<Playback, BoxError> {
        let request = json!({
            "UserId": self.user, "StartTimeTicks": 0, "IsPlayback": true, "AutoOpenLiveStream": true,
            "SubtitleStreamIndex": "", "MaxStreamingBitrate": self.bitrate, "DeviceProfile": device_profile(),
        });
        let info = self.post(&format!("/Items/{item}/PlaybackInfo"), &request).await?;
        if info.status != StatusCode::OK {
            return Err(format!("PlaybackInfo answered {}", info.status).into());
        }
        let opened: Value = serde_json::from_slice(&info.body)?;
        let source = &opened["MediaSources"][0];
        let text = |value: &Value| value.as_str().map(str::to_owned).ok_or("a field is missing");
        let master_path = text(&source["TranscodingUrl"])?;
        let master = self.get(&master_path).await?;
        if master.status != StatusCode::OK {
            let said = master.text().chars().take(200).collect();
            return Err(Unplayable { status: master.status, said }.into());
        }
        let variant = master.segments().into_iter().next().ok_or("no variant")?;
        let folder =
            master_path.split('?').next().and_then(|path| path.rsplit_once('/')).ok_or("no folder")?.0;
        Ok(Playback {
            item: item.to_owned(),
            play_session: text(&opened["PlaySessionId"])?,
            live_stream: text(&source["LiveStreamId"])?,
            source: text(&source["Id"])?,
            playlist: format!("{folder}/{variant}"),
            info_took: info.took,
        })
    }

    /// Gets the media playlist, from where a redirect leads if there is one.
    ///
    /// # Errors
    /// No response.
    pub async fn poll(&self, playback: &Playback) -> Result<Answer, BoxError> {
        let answer = self.get(&playback.playlist).await?;
        match answer.status {
            StatusCode::FOUND => self.get(&resolve(&answer.path, answer.field("location"))).await,
            _ => Ok(answer),
        }
    }

    /// Gets a segment that a media playlist lists, which came from `list`.
    ///
    /// # Errors
    /// No response.
    pub async fn listed(&self, list: &Answer, uri: &str) -> Result<Answer, BoxError> {
        self.get(&resolve(&list.path, uri)).await
    }

    /// Gets a segment that the media playlist lists.
    ///
    /// # Errors
    /// No response.
    pub async fn segment(&self, playback: &Playback, uri: &str) -> Result<Answer, BoxError> {
        self.get(&resolve(&playback.playlist, uri)).await
    }

    /// Posts a report: `moment` is `Playing`, `Playing/Progress` or `Playing/Stopped`.
    ///
    /// # Errors
    /// No response.
    pub async fn report(&self, playback: &Playback, moment: &str) -> Result<Answer, BoxError> {
        let report = json!({
            "ItemId": playback.item, "MediaSourceId": playback.source, "PlaySessionId": playback.play_session,
            "LiveStreamId": playback.live_stream, "PositionTicks": 0, "IsPaused": false, "PlayMethod": "Transcode",
        });
        self.post(&format!("/Sessions/{moment}"), &report).await
    }

    /// Leaves as the most thorough clients do: reports `Playing/Stopped`, then deletes the active encodings.
    ///
    /// # Errors
    /// No response.
    pub async fn leave(&self, playback: &Playback) -> Result<(), BoxError> {
        self.report(playback, "Playing/Stopped").await?;
        let query = format!("deviceId={}&playSessionId={}", self.device, playback.play_session);
        self.send(Method::DELETE, &format!("/Videos/ActiveEncodings?{query}"), None).await?;
        Ok(())
    }

    /// Gets a path.
    ///
    /// # Errors
    /// No response.
    pub async fn get(&self, path: &str) -> Result<Answer, BoxError> {
        self.send(Method::GET, path, None).await
    }

    /// Posts JSON.
    ///
    /// # Errors
    /// No response.
    pub async fn post(&self, path: &str, body: &Value) -> Result<Answer, BoxError> {
        self.send(Method::POST, path, Some(body)).await
    }

    async fn send(&self, method: Method, path: &str, body: Option<&Value>) -> Result<Answer, BoxError> {
        let mut request = Request::builder().method(method).uri(format!("{}{path}", self.base));
        // A player requests media with the credential in the URL. Only the app's own calls have the header.
        if !path.contains("ApiKey=") {
            request = request.header(AUTHORIZATION, self.authorization()?);
        }
        if let Some(agent) = self.agent {
            request = request.header(USER_AGENT, agent);
        }
        if let Some(address) = &self.address {
            request = request.header("x-forwarded-for", address);
        }
        for (name, value) in &self.fields {
            request = request.header(*name, value);
        }
        if body.is_some() {
            request = request.header(CONTENT_TYPE, "application/json");
        }
        let body = body.map(|body| Bytes::from(body.to_string())).unwrap_or_default();
        let sent_at = Instant::now();
        let response = self.http.request(request.body(Full::new(body))?).await?;
        read(response, path, sent_at).await
    }

    fn authorization(&self) -> Result<HeaderValue, BoxError> {
        let text = format!(
            "MediaBrowser Client=\"{}\", Device=\"Demo\", DeviceId=\"{}\", Version=\"1\", Token=\"{}\"",
            self.client, self.device, self.token
        );
        Ok(HeaderValue::try_from(text)?)
    }
}

async fn read(response: Response<Incoming>, path: &str, sent_at: Instant) -> Result<Answer, BoxError> {
    let (parts, body) = response.into_parts();
    let body = body.collect().await?.to_bytes();
    let path = path.to_owned();
    Ok(Answer { status: parts.status, headers: parts.headers, body, took: sent_at.elapsed(), path })
}

/// The path of a relative URI in the playlist at `base`.
fn resolve(base: &str, mut uri: &str) -> String {
    let mut folder =
        base.split('?').next().and_then(|path| path.rsplit_once('/')).map_or("", |(folder, _)| folder);
    while let Some(rest) = uri.strip_prefix("../") {
        (uri, folder) = (rest, folder.rsplit_once('/').map_or("", |(above, _)| above));
    }
    format!("{folder}/{uri}")
}

/// The part of jellyfin-web's device profile that decides about live TV.
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
