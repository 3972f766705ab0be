//! The few calls that the gateway itself makes to Jellyfin: look up a user, take a consumer, start, poll and end a job, read media,
//! give a consumer back.
//!
//! Sources: `MediaInfoController.cs`, `DynamicHlsController.cs`, `HlsSegmentController.cs` and `UserController.cs` of Jellyfin
//! 10.8 to 12.0, and the recorded answers of real servers (`fixtures/jellyfin`). It decides nothing: its callers judge the answers.

use std::time::Duration;

use bytes::Bytes;
use http::header::{CONTENT_TYPE, LAST_MODIFIED, RANGE, USER_AGENT};
use http::{HeaderValue, Method, StatusCode};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::body::{self, Body};
use crate::upstream::call::{Calls, PROMPT, collect, encoded};
use crate::upstream::client::Client;
use crate::upstream::job::{Job, ListedSegment};
use domain::key::{ItemId, LiveStreamId, MediaSourceId};
use domain::playlist::{self, Reading};

pub use crate::upstream::call::{Error, Login};
pub use crate::upstream::raw_path::RawPath;

/// The device id of the gateway in its own requests.
pub const DEVICE: &str = "warmgate";
/// A user agent that the server takes for an Apple player, for which it cuts 6 s segments instead of 3 s (`StreamState.cs`).
const APPLE: &str = "AppleTV";
/// The deadline of an opening or a closing. All of them wait in one queue, behind a provider that may not answer
/// (docs/jellyfin.md 1). Giving up earlier undoes nothing: the server still does what it was asked to do.
const QUEUED: Duration = Duration::from_secs(120);
/// The deadline of a start, which is answered with the first segment: longer than the callers wait.
const STARTED: Duration = Duration::from_secs(120);
/// The part of a playlist that a poll reads: some twenty segments, so that a poll costs the same however long the job has run.
const TAIL: &str = "bytes=-4096";

/// The place of a channel at the server.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Place {
    /// The path before Jellyfin's own: a base path, an old prefix (`/emby`), or nothing.
    pub prefix: String,
    /// The channel's item.
    pub item: ItemId,
    /// The user in whose channel list the item is looked up; `None` for an API key, which belongs to no user.
    pub user: Option<String>,
}

/// A client's playback, as its reports name it.
#[derive(Clone, Copy, Debug)]
pub struct Playback<'a> {
    /// The channel's item.
    pub item: &'a str,
    /// The client's play session.
    pub play_session: &'a str,
    /// The live stream.
    pub live_stream: &'a str,
}

/// All that is needed to open a live stream and start a job on it again, without the viewer who asked first.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Recipe {
    /// The place of its channel.
    pub place: Place,
    /// The channel's media source.
    pub source: MediaSourceId,
    /// The live stream, whose id is the same for all openings of a channel of a built-in tuner.
    pub live_stream: LiveStreamId,
    /// The encoding parameters as a query, without play session and token.
    pub query: String,
    /// Whether the server has to take the gateway for an Apple player.
    pub apple: bool,
    /// The segment length that the server will use.
    pub cut: Duration,
    /// Whether the server's reasons for transcoding say that it encodes the video.
    pub encodes_video: bool,
}

/// The gateway's own consumer of a live stream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hold {
    /// The live stream that the consumer keeps open.
    pub live_stream: LiveStreamId,
    /// The unique id of this opening; `None` if the tuner does not share its raw stream.
    pub opening: Option<String>,
    /// The path of the shared raw stream, if there is one.
    pub raw: Option<RawPath>,
}

/// A fetched segment.
#[derive(Clone, Debug)]
pub struct Media {
    /// The bytes.
    pub body: Bytes,
    /// The server's `Content-Type`.
    pub content_type: HeaderValue,
    /// The server's `Last-Modified`.
    pub modified: Option<HeaderValue>,
}

/// The user behind a token, as far as live TV is concerned.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Me {
    /// The user's id; `None` for an API key.
    pub id: Option<String>,
    /// The user's name; `None` for an API key.
    pub name: Option<String>,
    /// `IsAdministrator`.
    pub administrator: bool,
    /// `EnableLiveTvAccess`.
    pub live_tv: bool,
    /// `EnableVideoPlaybackTranscoding`.
    pub video_transcoding: bool,
    /// `EnableAudioPlaybackTranscoding`.
    pub audio_transcoding: bool,
}

/// The server.
#[derive(Clone, Debug)]
pub struct Jellyfin {
    pub(super) calls: Calls,
}

impl Jellyfin {
    /// Makes calls through `client`, with `host` as their `Host`.
    #[must_use]
    pub const fn new(client: Client, host: HeaderValue) -> Self {
        Self { calls: Calls::new(client, host) }
    }

    /// Looks up the user of a login. An API key has no user and every right.
    pub async fn me(&self, prefix: &str, login: &Login) -> Result<Me, Error> {
        match self.calls.get(&format!("{prefix}/Users/Me"), "", login).await {
            Ok(me) => {
                let policy = field(&me, "Policy");
                let may = |right| policy.and_then(|policy| field(policy, right)?.as_bool()).unwrap_or(true);
                Ok(Me {
                    id: field(&me, "Id").and_then(Value::as_str).map(str::to_owned),
                    name: field(&me, "Name").and_then(Value::as_str).map(str::to_owned),
                    administrator: policy.and_then(|policy| field(policy, "IsAdministrator")?.as_bool())
                        == Some(true),
                    live_tv: may("EnableLiveTvAccess"),
                    video_transcoding: may("EnableVideoPlaybackTranscoding"),
                    audio_transcoding: may("EnableAudioPlaybackTranscoding"),
                })
            }
            // The answer to an API key. `/System/Endpoint` accepts any valid token, and so tells whether this one is valid.
            Err(Error::Status(StatusCode::BAD_REQUEST | StatusCode::NOT_FOUND)) => {
                let path = format!("{prefix}/System/Endpoint");
                self.calls.whole(self.calls.request(Method::GET, &path, "", login, None)?, PROMPT).await?;
                Ok(Me {
                    id: None,
                    name: None,
                    administrator: true,
                    live_tv: true,
                    video_transcoding: true,
                    audio_transcoding: true,
                })
            }
            Err(error) => Err(error),
        }
    }

    /// Takes a consumer of the live stream of a channel's source, which the server opens if it is not open.
    pub async fn hold(&self, place: &Place, source: &MediaSourceId, login: &Login) -> Result<Hold, Error> {
        let info = self.playback_info(place, "AutoOpenLiveStream=false", login, &nothing()).await?;
        let token = open_token(&info, source).ok_or(Error::Unreadable("no OpenToken"))?;
        let mut wish = serde_json::json!({ "OpenToken": token, "ItemId": place.item.as_str() });
        if let Some(user) = &place.user {
            wish["UserId"] = Value::from(user.as_str());
        }
        let path = format!("{}/LiveStreams/Open", place.prefix);
        let open = self.calls.request(Method::POST, &path, "", login, Some(&wish))?;
        let opened = self.calls.json(open, QUEUED).await?;
        let source = field(&opened, "MediaSource").ok_or(Error::Unreadable("no MediaSource"))?;
        let live_stream = field(source, "LiveStreamId").and_then(Value::as_str);
        let live_stream = live_stream.ok_or(Error::Unreadable("no LiveStreamId"))?;
        let raw = raw_path(source);
        let opening = raw.as_ref().map(RawPath::opening);
        Ok(Hold { live_stream: LiveStreamId::new(live_stream), opening, raw })
    }

    /// The media source of a channel that has one; opens nothing.
    ///
    /// # Errors
    /// If the server cannot say.
    pub async fn only_source(&self, place: &Place, login: &Login) -> Result<Option<MediaSourceId>, Error> {
        let info = self.playback_info(place, "AutoOpenLiveStream=false", login, &nothing()).await?;
        let sources = field(&info, "MediaSources").and_then(Value::as_array);
        Ok(match sources.map(Vec::as_slice) {
            Some([source]) => field(source, "Id").and_then(Value::as_str).map(MediaSourceId::new),
            Some(_) | None => None,
        })
    }

    pub(super) async fn playback_info(
        &self,
        place: &Place,
        query: &str,
        login: &Login,
        wish: &Value,
    ) -> Result<Value, Error> {
        let path = format!("{}/Items/{}/PlaybackInfo", place.prefix, place.item);
        let user = place.user.as_ref().map(|user| format!("UserId={}&", encoded(user))).unwrap_or_default();
        let ask = self.calls.request(Method::POST, &path, &format!("{user}{query}"), login, Some(wish))?;
        self.calls.json(ask, PROMPT).await
    }

    /// Whether there is something at `path`, such as a job's playlist.
    ///
    /// # Errors
    /// If the server cannot say.
    pub async fn exists(&self, path: &str) -> Result<bool, Error> {
        let request = self.calls.request(Method::GET, path, "", &Login::default(), None)?;
        match self.calls.status(request).await? {
            StatusCode::NOT_FOUND => Ok(false),
            status if status.is_server_error() => Err(Error::Status(status)),
            _ => Ok(true),
        }
    }

    /// Reports in a client's name that it has stopped (`PlaystateController.cs`). The server closes the consumer of the session's
    /// own playback, and nothing if there is none any more.
    pub async fn stopped(&self, prefix: &str, playback: &Playback<'_>, login: &Login) -> Result<(), Error> {
        let Playback { item, play_session, live_stream } = playback;
        let report = serde_json::json!({
            "ItemId": item, "PlaySessionId": play_session, "LiveStreamId": live_stream, "PositionTicks": 0,
        });
        let path = format!("{prefix}/Sessions/Playing/Stopped");
        let request = self.calls.request(Method::POST, &path, "", login, Some(&report))?;
        self.calls.whole(request, QUEUED).await.map(drop)
    }

    /// The server's version, such as `10.11.11`.
    pub async fn version(&self, prefix: &str) -> Result<String, Error> {
        let path = format!("{prefix}/System/Info/Public");
        let info = self.calls.get(&path, "", &Login::default()).await?;
        let version = field(&info, "Version").and_then(Value::as_str);
        version.map(str::to_owned).ok_or(Error::Unreadable("no Version"))
    }

    /// Whether the server encodes video in hardware. Any user may ask (`ConfigurationController.cs`).
    pub async fn encodes_in_hardware(&self, prefix: &str, login: &Login) -> Result<bool, Error> {
        let path = format!("{prefix}/System/Configuration/encoding");
        let options = self.calls.get(&path, "", login).await?;
        // Without hardware, `none` since 10.10 and empty before (`EncodingOptions.cs`).
        let kind = field(&options, "HardwareAccelerationType").and_then(Value::as_str).unwrap_or_default();
        let enabled = field(&options, "EnableHardwareEncoding").and_then(Value::as_bool).unwrap_or(true);
        Ok(enabled && !kind.is_empty() && !kind.eq_ignore_ascii_case("none"))
    }

    /// The proxies whose word about their clients the server believes. Only an administrator may ask (`NetworkConfiguration.cs`).
    pub async fn known_proxies(&self, prefix: &str, login: &Login) -> Result<Vec<String>, Error> {
        let path = format!("{prefix}/System/Configuration/network");
        let network = self.calls.get(&path, "", login).await?;
        let known = field(&network, "KnownProxies").and_then(Value::as_array);
        let known = known.ok_or(Error::Unreadable("no KnownProxies"))?;
        Ok(known.iter().filter_map(Value::as_str).map(str::to_owned).collect())
    }

    /// Gives a consumer of the live stream back.
    pub async fn close(&self, prefix: &str, live_stream: &LiveStreamId, login: &Login) -> Result<(), Error> {
        let path = format!("{prefix}/LiveStreams/Close");
        let query = format!("liveStreamId={}", encoded(live_stream.as_str()));
        self.calls
            .whole(self.calls.request(Method::POST, &path, &query, login, None)?, QUEUED)
            .await
            .map(drop)
    }

    /// Starts a job under `play_session`. Returns the job and its playlist once its first segment exists.
    pub async fn start(
        &self,
        recipe: &Recipe,
        play_session: &str,
        login: &Login,
    ) -> Result<(Job, Reading), Error> {
        let videos = format!("{}/videos/{}", recipe.place.prefix, recipe.place.item);
        let query = format!("{}&PlaySessionId={}", recipe.query, encoded(play_session));
        let mut request =
            self.calls.request(Method::GET, &format!("{videos}/live.m3u8"), &query, login, None)?;
        if recipe.apple {
            request.headers_mut().insert(USER_AGENT, HeaderValue::from_static(APPLE));
        }
        let text = self.calls.whole(request, STARTED).await?.into_body();
        let reading = std::str::from_utf8(&text).ok().and_then(playlist::read);
        let reading = reading.ok_or(Error::Unreadable("not a playlist"))?;
        let first = reading.entries.first().ok_or(Error::Unreadable("an empty playlist"))?;
        let job = Job::of(&videos, &first.uri).ok_or(Error::Unreadable("a segment of an unknown kind"))?;
        Ok((job, reading))
    }

    /// Requests a playlist of an unknown live stream, which starts nothing. Returns whether the request reached Jellyfin's HLS
    /// controller: not if its credential was refused, and not if the server is still starting.
    pub async fn touch_hls(&self, prefix: &str, login: &Login) -> Result<bool, Error> {
        let path = format!("{prefix}/videos/{}/live.m3u8", "0".repeat(32));
        let query = "MediaSourceId=none&LiveStreamId=none";
        let request = self.calls.request(Method::GET, &path, query, login, None)?;
        let status = self.calls.status(request).await?;
        Ok(matches!(status.as_u16(), 200 | 400 | 404 | 500))
    }

    /// Ends the gateway's jobs under `play_session`.
    pub async fn end_job(&self, prefix: &str, play_session: &str, login: &Login) -> Result<(), Error> {
        let path = format!("{prefix}/Videos/ActiveEncodings");
        let query = format!("deviceId={DEVICE}&playSessionId={}", encoded(play_session));
        self.calls
            .whole(self.calls.request(Method::DELETE, &path, &query, login, None)?, PROMPT)
            .await
            .map(drop)
    }

    /// Opens the shared raw stream of an open channel, which has no end.
    pub async fn tap(&self, raw: &RawPath) -> Result<Body, Error> {
        let request = self.calls.request(Method::GET, raw.as_str(), "", &Login::default(), None)?;
        Ok(body::boxed(self.calls.head(request).await?.into_body()))
    }

    /// Reads the last entries of a job's playlist, which keeps the job alive.
    pub async fn poll(&self, job: &Job) -> Result<Reading, Error> {
        let mut request = self.calls.request(Method::GET, &job.playlist(), "", &Login::default(), None)?;
        request.headers_mut().insert(RANGE, HeaderValue::from_static(TAIL));
        let answer = self.calls.whole(request, PROMPT).await?;
        let partial = answer.status() == StatusCode::PARTIAL_CONTENT;
        let begins = answer.headers().get(http::header::CONTENT_RANGE).and_then(|range| range.to_str().ok());
        let from_the_start = !partial || begins.is_some_and(|range| range.starts_with("bytes 0-"));
        let text = String::from_utf8_lossy(answer.body());
        if from_the_start {
            playlist::read(&text).ok_or(Error::Unreadable("not a playlist"))
        } else {
            Ok(playlist::read_tail(&text))
        }
    }

    /// Fetches a segment of at most `largest` bytes. Sets no deadline.
    pub async fn fetch(&self, job: &Job, segment: &ListedSegment, largest: usize) -> Result<Media, Error> {
        let path = format!("{}{}", job.folder, segment.file);
        let request = self.calls.request(Method::GET, &path, "", &Login::default(), None)?;
        let answer = self.calls.head(request).await?;
        let header = |name| answer.headers().get(name).cloned();
        let content_type = header(CONTENT_TYPE).unwrap_or(HeaderValue::from_static("video/mp2t"));
        let modified = header(LAST_MODIFIED);
        Ok(Media { body: collect(answer.into_body(), largest).await?, content_type, modified })
    }
}

/// The property `name` of an object, in any letter case: the server writes PascalCase or, on request, camelCase.
#[must_use]
pub fn field<'a>(value: &'a Value, name: &str) -> Option<&'a Value> {
    value.as_object()?.iter().find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value)
}

/// The body of a request that asks for nothing in particular.
pub(super) fn nothing() -> Value {
    Value::Object(serde_json::Map::new())
}

fn open_token<'a>(info: &'a Value, source: &MediaSourceId) -> Option<&'a str> {
    let sources = field(info, "MediaSources")?.as_array()?;
    let is_wanted =
        |candidate: &&Value| field(candidate, "Id").and_then(Value::as_str) == Some(source.as_str());
    field(sources.iter().find(is_wanted)?, "OpenToken")?.as_str()
}

pub(super) fn raw_path(source: &Value) -> Option<RawPath> {
    RawPath::of_url(field(source, "Path")?.as_str()?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::upstream::fake::Fake;

    #[test]
    fn the_token_of_the_right_source_is_taken_in_either_case() {
        let info = serde_json::json!({"mediaSources": [{"id": "a", "openToken": "x"}, {"Id": "b", "OpenToken": "y"}]});
        assert_eq!(open_token(&info, &MediaSourceId::new("b")), Some("y"));
        assert_eq!(open_token(&info, &MediaSourceId::new("a")), Some("x"));
        assert_eq!(open_token(&info, &MediaSourceId::new("c")), None);
    }

    #[test]
    fn only_a_shared_stream_names_its_opening() {
        let opening = |path: &str| Some(raw_path(&serde_json::json!({ "path": path }))?.opening());
        let shared = "http://127.0.0.1:8096/jf/LiveTv/LiveStreamFiles/5376A/stream.ts";
        assert_eq!(opening(shared).as_deref(), Some("5376a"));
        assert_eq!(opening("http://provider.example/ch/1.ts"), None);
        assert_eq!(opening("udp://239.0.0.1"), None);
        assert_eq!(opening("http://x/LiveTv/LiveStreamFiles/../../Users"), None);
    }

    #[tokio::test]
    async fn values_are_encoded() {
        let fake = Fake::start(|_| async { Some((200, "{}".to_owned())) }).await;
        let (nobody, odd) = (Login::default(), LiveStreamId::new("a&b=c d/é"));
        fake.jellyfin.close("", &odd, &nobody).await.unwrap();
        assert_eq!(fake.asked("liveStreamId=a%26b%3Dc%20d%2F%C3%A9").len(), 1);
        fake.jellyfin.end_job("", "p#1", &nobody).await.unwrap();
        assert_eq!(fake.asked("playSessionId=p%231").len(), 1);
        let item = ItemId::parse(&"a".repeat(32)).unwrap();
        let place = Place { prefix: String::new(), item, user: Some("u&v".to_owned()) };
        let hold = Hold { live_stream: odd, opening: Some("x".to_owned()), raw: None };
        let _ = fake.jellyfin.is_another(&place, &hold, &nobody).await;
        assert_eq!(fake.asked("UserId=u%26v").len(), 1);
    }

    #[tokio::test]
    async fn a_server_that_fails_does_not_say_that_a_playlist_exists() {
        for (status, expected) in [(200, Some(true)), (404, Some(false)), (500, None), (503, None)] {
            let fake = Fake::start(move |_| async move { Some((status, String::new())) }).await;
            assert_eq!(fake.jellyfin.exists("/x.m3u8").await.ok(), expected, "{status}");
        }
    }

    #[tokio::test]
    async fn what_is_no_path_is_not_asked_for() {
        let fake = Fake::start(|_| async { Some((200, "{}".to_owned())) }).await;
        assert!(fake.jellyfin.exists("/a b").await.is_err());
        assert!(fake.asked("").is_empty());
    }

    /// Head and body together: neither a server that is silent nor one that drips is waited for.
    #[tokio::test(start_paused = true)]
    async fn a_small_call_has_one_deadline() {
        let fake = Fake::start(|line| async move {
            tokio::time::sleep(Duration::from_secs(if line.contains("Users") { 40 } else { 100 })).await;
            Some((200, "{}".to_owned()))
        })
        .await;
        let begun = tokio::time::Instant::now();
        assert!(matches!(fake.jellyfin.me("", &Login::default()).await, Err(Error::Unreachable(_))));
        assert!(fake.jellyfin.exists("/x").await.is_err());
        assert!(fake.jellyfin.touch_hls("", &Login::default()).await.is_err());
        assert!(begun.elapsed() < Duration::from_secs(50), "{:?}", begun.elapsed());
    }
}
