//! Replays a recording of jellyfin-web (`fixtures/jellyfin/web-12.0-zap.ndjson`) through the gateway and, at the same time, at a
//! server without one. All responses that are not live TV are the same, byte for byte.

use std::collections::BTreeMap;

use bytes::Bytes;
use http::{HeaderMap, Method, Request, StatusCode};
use http_body_util::BodyExt;
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use jellyfin_alike::{Settings, User};
use serde_json::Value;
use warmgate::body::{self, Body};

use crate::support::stage::{Stage, household, parameter};
use crate::support::wait::{eventually, soon};

const TOKEN: &str = "TOKEN-WEB-0000000000000000000000";
const USER: &str = "ce149424c0734262b7bbf77875dcfa22";

/// A recorded request, and the status of its response.
#[derive(Clone)]
struct Line {
    method: Method,
    url: String,
    headers: Vec<(String, String)>,
    body: String,
    status: u16,
}

impl Line {
    fn read(line: &str) -> Option<Self> {
        let line: Value = serde_json::from_str(line).unwrap();
        let text = |name: &str| line[name].as_str().map(str::to_owned);
        let headers = line["req_headers"].as_object()?.iter();
        Some(Self {
            method: text("method")?.parse().unwrap(),
            url: text("url")?,
            headers: headers
                .map(|(name, value)| (name.clone(), value.as_str().unwrap().to_owned()))
                .collect(),
            body: text("req_body").filter(|body| !body.starts_with('<')).unwrap_or_default(),
            status: u16::try_from(line["status"].as_u64()?).unwrap(),
        })
    }

    fn is_playlist(&self) -> bool {
        self.url.contains("/live.m3u8")
    }

    /// The number of the requested segment.
    fn segment(&self) -> Option<usize> {
        let (_, file) = self.url.split_once("/hls/")?.1.split_once('/')?;
        file[32..].strip_suffix(".ts")?.parse().ok()
    }

    fn with(&self, from: &str, to: &str) -> Self {
        Self { url: self.url.replace(from, to), body: self.body.replace(from, to), ..self.clone() }
    }
}

/// jellyfin-web at one server.
struct Web {
    http: Client<HttpConnector, Body>,
    base: String,
    /// The play session here of each one in the recording.
    play_sessions: BTreeMap<String, String>,
    /// The last playlist: its URL and its segments.
    playlist: (String, Vec<String>),
    modified: BTreeMap<usize, String>,
}

struct Heard {
    status: StatusCode,
    headers: HeaderMap,
    body: Bytes,
}

impl Web {
    fn new(base: String) -> Self {
        let http = Client::builder(TokioExecutor::new()).build_http();
        Self {
            http,
            base,
            play_sessions: BTreeMap::new(),
            playlist: Default::default(),
            modified: BTreeMap::new(),
        }
    }

    /// Sends a recorded request, with the ids that are valid here.
    async fn say(&mut self, line: &Line) -> Heard {
        let mut line = line.clone();
        for (recorded, here) in &self.play_sessions {
            line = line.with(recorded, here);
        }
        match line.segment() {
            Some(number) => self.segment(&line, number).await,
            None if line.is_playlist() => self.list(&line).await,
            None => self.send(&line).await,
        }
    }

    async fn list(&mut self, line: &Line) -> Heard {
        let (mut heard, mut line) = (self.send(line).await, line.clone());
        if heard.status == StatusCode::FOUND {
            let (folder, _) = line.url.split('?').next().unwrap().rsplit_once('/').unwrap();
            line.url = format!("{folder}/{}", heard.headers["location"].to_str().unwrap());
            heard = self.send(&line).await;
        }
        let text = String::from_utf8_lossy(&heard.body).into_owned();
        let segments = text.lines().filter(|line| !line.starts_with('#')).map(str::to_owned).collect();
        let url = line.url.split('?').next().unwrap().to_owned();
        if self.playlist.0 != url {
            self.modified.clear();
        }
        self.playlist = (url, segments);
        heard
    }

    /// Waits for the segment at this place of the playlist, and gets it.
    async fn segment(&mut self, line: &Line, number: usize) -> Heard {
        let folder = self.playlist.0.rsplit_once('/').unwrap().0;
        let mut line = Line { url: format!("{folder}/{}", self.playlist.1[number]), ..line.clone() };
        for (name, value) in &mut line.headers {
            if name == "if-modified-since" {
                value.clone_from(&self.modified[&number]);
            }
        }
        let heard = self.send(&line).await;
        if let Some(modified) = heard.headers.get("last-modified") {
            self.modified.insert(number, modified.to_str().unwrap().to_owned());
        }
        heard
    }

    async fn send(&self, line: &Line) -> Heard {
        let mut request =
            Request::builder().method(line.method.clone()).uri(format!("{}{}", self.base, line.url));
        for (name, value) in &line.headers {
            if !["host", "connection", "content-length"].contains(&name.as_str()) {
                request = request.header(name, value);
            }
        }
        let body = if line.body.is_empty() { body::empty() } else { body::full(line.body.clone()) };
        let (parts, body) = soon(self.http.request(request.body(body).unwrap())).await.unwrap().into_parts();
        let body = soon(body.collect()).await.unwrap().to_bytes();
        Heard { status: parts.status, headers: parts.headers, body }
    }
}

impl Heard {
    /// The response without random ids, times, and the gateway's own header fields.
    fn comparable(&self) -> (StatusCode, Vec<(String, String)>, String) {
        let chance = ["date", "x-response-time-ms", "last-modified"];
        let fields = self.headers.iter().filter(|(name, _)| !chance.contains(&name.as_str()));
        let mut fields: Vec<_> =
            fields.map(|(name, value)| (name.to_string(), plain(value.to_str().unwrap()))).collect();
        fields.sort();
        (self.status, fields, plain(&String::from_utf8_lossy(&self.body)))
    }
}

/// The text without ids that are new each time, and without ports.
fn plain(text: &str) -> String {
    let mut plain = String::new();
    for part in text.split_inclusive(|letter: char| !letter.is_ascii_alphanumeric()) {
        let word = part.trim_end_matches(|letter: char| !letter.is_ascii_alphanumeric());
        let minted = word.len() == 32 && word.bytes().all(|byte| byte.is_ascii_hexdigit());
        let port = word.len() == 5 && plain.ends_with("127.0.0.1:");
        plain.push_str(if minted || port { "…" } else { word });
        plain.push_str(&part[word.len()..]);
    }
    plain
}

fn settings(settings: &mut Settings) {
    let web = User { id: USER.to_owned(), ..household("web", &[TOKEN]) };
    settings.users = vec![web];
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_browser_said_to_a_server_it_can_say_to_us() {
    let (stage, plain) = (Stage::with(settings, |_| ()).await, Stage::with(settings, |_| ()).await);
    let recording = on_our_channels(include_str!("../../fixtures/jellyfin/web-12.0-zap.ndjson"), &stage);
    let lines: Vec<_> = recording.lines().filter_map(Line::read).collect();
    let mut ours = Web::new(stage.base.clone());
    let mut theirs = Web::new(format!("http://{}", plain.origin().addr()));
    for line in &lines {
        converse(&mut ours, &mut theirs, line, &lines).await;
    }
    assert_eq!(stage.origin().counts().jobs_started, 2);

    // Back to the first channel, with another measured bitrate.
    let first = lines.iter().position(|line| line.url.contains("PlaybackInfo")).unwrap();
    let again: Vec<_> = lines[first..first + 5].iter().map(other_bitrate).collect();
    assert_ne!(again[0].body, lines[first].body);
    for line in &again {
        let heard = converse(&mut ours, &mut theirs, line, &lines).await;
        if line.is_playlist() {
            let status = heard.headers["cache-status"].to_str().unwrap();
            assert!(status.contains("; hit"), "{status}");
        }
    }
    assert_eq!((stage.origin().counts().jobs_started, plain.origin().counts().jobs_started), (2, 3));
}

/// Replaces the items and media sources of the recording, in their order, by those of the origin's channels.
fn on_our_channels(recording: &str, stage: &Stage) -> String {
    let recorded = [
        ("34703199-2925-5d2e-4e0e-08ae69de1bd6", "f91bdbcf108c4e49092c20cd88e22af1"),
        ("a1e8ef2d-4710-8932-ea2c-1ac1f4cd4513", "1961f4f2c200bf43b33b38dc4840cdfe"),
    ];
    let mut text = recording.to_owned();
    for ((item, source), channel) in recorded.into_iter().zip(stage.origin().channels()) {
        assert!(text.contains(item) && text.contains(source));
        text = text.replace(item, &channel.dashed_item_id());
        text = text.replace(&item.replace('-', ""), &channel.item_id);
        text = text.replace(source, &channel.media_source_id);
    }
    text
}

/// Copies the bitrate that jellyfin-web measured into `VideoBitrate` of the URLs that follow.
fn other_bitrate(line: &Line) -> Line {
    line.with("1973790118", "1850000000").with("VideoBitrate=1973691388", "VideoBitrate=1849901270")
}

/// Sends the same request to both servers, and compares their responses.
async fn converse(ours: &mut Web, theirs: &mut Web, line: &Line, lines: &[Line]) -> Heard {
    if let Some(number) = line.segment() {
        let playlist = lines.iter().find(|other| other.is_playlist() && same_item(other, line)).unwrap();
        for web in [&mut *ours, &mut *theirs] {
            eventually("the segment is listed", async || {
                web.say(playlist).await;
                web.playlist.1.len() > number
            })
            .await;
        }
    }
    let (heard, expected) = (ours.say(line).await, theirs.say(line).await);
    assert_eq!(heard.status, expected.status, "{} {}", line.method, line.url);
    assert_eq!(heard.status.as_u16(), line.status, "{} {}", line.method, line.url);
    if line.url.contains("PlaybackInfo") {
        for (web, heard) in [(&mut *ours, &heard), (&mut *theirs, &expected)] {
            let answer: Value = serde_json::from_slice(&heard.body).unwrap();
            let here = answer["PlaySessionId"].as_str().unwrap().to_owned();
            let playlist = lines.iter().find(|other| other.is_playlist() && same_item(other, line)).unwrap();
            web.play_sessions.insert(parameter(&playlist.url, "PlaySessionId").unwrap(), here);
        }
    }
    let random = line.url.contains("/BitrateTest");
    if random {
        assert_eq!(heard.body.len(), expected.body.len());
    } else if line.url.contains("/master.m3u8") {
        // It names the viewer's own folder here.
        let text = |heard: &Heard| plain(&String::from_utf8_lossy(&heard.body));
        let ours = text(&heard);
        let (before, folder) = ours.split_once("hls/wg").unwrap();
        assert_eq!(format!("{before}{}", &folder[33..]), text(&expected), "{}", line.url);
    } else if line.segment().is_none() && !line.is_playlist() {
        assert_eq!(heard.comparable(), expected.comparable(), "{} {}", line.method, line.url);
    }
    heard
}

fn same_item(one: &Line, other: &Line) -> bool {
    let item = |line: &Line| {
        let mut parts = line.url.split(['/', '?']).map(|part| part.replace('-', ""));
        parts.find(|part| part.len() == 32 && part.bytes().all(|byte| byte.is_ascii_hexdigit()))
    };
    item(one) == item(other)
}
