//! A server's settings: its address, channels, users and, above all, how long things take.

use std::collections::BTreeSet;
use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use crate::guid;
use crate::programme::Programme;
use crate::recording::Timer;

/// The version of Jellyfin that the server behaves as. `docs/jellyfin.md`, section 6, lists the differences.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Version {
    /// Jellyfin 12.0: no legacy credentials, 404 for an unknown live stream, and consumers are given back without a report.
    V12,
    /// Jellyfin 10.11: legacy credentials and prefixes, and 500 for an unknown live stream.
    V10_11,
}

impl Version {
    /// The version as `/System/Info/Public` gives it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::V12 => "12.0.0",
            Self::V10_11 => "10.11.11",
        }
    }
}

/// The settings of a server. [`Origin::kill`](crate::Origin::kill) returns those for its restart.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The address to listen on; port 0 takes any free port.
    pub listen: SocketAddr,
    /// The base path, empty or like `/jellyfin`.
    pub base_path: String,
    /// The version to behave as.
    pub version: Version,
    /// The number of channels.
    pub channels: u32,
    /// The number of tuners: how many live streams may be open at once.
    pub tuners: usize,
    /// A second tuner host, with tuners of its own.
    pub second_host: Option<SecondHost>,
    /// Whether its configuration tells the number of tuners. If not, `TunerCount` is 0, which means unknown, and it is the
    /// provider that refuses one connection too many.
    pub tells_tuners: bool,
    /// The users.
    pub users: Vec<User>,
    /// The API key, accepted wherever a token is.
    pub api_key: String,
    /// How long things take.
    pub delays: Delays,
    /// How late the source's bytes are at most; how late each is differs.
    pub lateness: Duration,
    /// The distance of the source's key frames.
    pub gop: Duration,
    /// The width of the pictures, in pixels.
    pub width: u32,
    /// The height of the pictures, in pixels.
    pub height: u32,
    /// Whether the pictures consist of two fields, as those of most broadcasters do.
    pub interlaced: bool,
    /// The length of a segment if the request names none.
    pub segment_length: Duration,
    /// The highest video bitrate of a live stream (`FallbackMaxStreamingBitrate`), in bit/s.
    pub fallback_max_bitrate: u64,
    /// Whether the first HLS request deletes all files in the transcode folder, an open tuner's too.
    pub first_play_fails: bool,
    /// Whether a probe finds anything; if not, every channel's streams stay unknown.
    pub probes: bool,
    /// Whether its configuration says that it encodes in hardware. It never does.
    pub hardware: bool,
    /// The media source ids whose probe is cached at the start.
    pub probed: BTreeSet<String>,
    /// Whether a plugin is the tuner: the ids of its live streams do not contain the media source.
    pub plugin_tuner: bool,
    /// Whether the path of an open live stream is that of its shared raw stream, which is another at each opening. Otherwise it is the
    /// channel's URL, as at a tuner that does not share.
    pub shares_raw_streams: bool,
    /// The origins that CORS allows; none means `*`.
    pub cors_hosts: Vec<String>,
    /// How many connections the provider allows: one more ends the oldest one. None means any number.
    pub provider_connections: Option<usize>,
    /// The timers at the start.
    pub timers: Vec<Timer>,
    /// The guide.
    pub programmes: Vec<Programme>,
}

impl Settings {
    /// The settings of a server as slow as a real one.
    #[must_use]
    pub fn real() -> Self {
        Self {
            listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
            base_path: String::new(),
            version: Version::V12,
            channels: 6,
            tuners: 3,
            second_host: None,
            tells_tuners: true,
            users: vec![User::new("alice"), User::new("bob")],
            api_key: guid::md5("warmgate demo: api key"),
            delays: Delays::real(),
            lateness: Duration::ZERO,
            gop: Duration::from_secs(2),
            width: 640,
            height: 360,
            interlaced: false,
            segment_length: Duration::from_secs(3),
            fallback_max_bitrate: 30_000_000,
            first_play_fails: false,
            probes: true,
            hardware: false,
            probed: BTreeSet::new(),
            plugin_tuner: false,
            shares_raw_streams: true,
            cors_hosts: Vec::new(),
            provider_connections: None,
            timers: Vec::new(),
            programmes: Vec::new(),
        }
    }

    /// The settings of a server as quick as real video allows, for tests that are not about waiting.
    #[must_use]
    pub fn quick() -> Self {
        Self {
            delays: Delays::quick(),
            gop: Duration::from_millis(500),
            width: 320,
            height: 180,
            segment_length: Duration::from_secs(1),
            ..Self::real()
        }
    }
}

/// A second tuner host.
#[derive(Clone, Copy, Debug)]
pub struct SecondHost {
    /// The channels from this number on are on it.
    pub from: u32,
    /// The number of its tuners.
    pub tuners: usize,
}

/// The server's id.
pub(crate) fn server_id() -> String {
    guid::md5("warmgate demo: server")
}

/// How long the server takes for things, and how long it keeps them.
#[derive(Clone, Copy, Debug)]
pub struct Delays {
    /// The probe: added to a channel's first opening, then cached.
    pub probe: Duration,
    /// The tuning of a channel, during which no other channel is opened or closed.
    pub open: Duration,
    /// The kill timer: a job without a ping for this long is killed.
    pub kill_timer: Duration,
    /// How long a job's files stay after its end.
    pub linger: Duration,
    /// The least time that `Sessions/Playing/Stopped` takes.
    pub stop: Duration,
    /// From the close of a session's last WebSocket to the end of the session.
    pub websocket: Duration,
    /// A reader of a shared raw stream starts near its end from this time after the opening on.
    pub late: Duration,
    /// A reader of a shared raw stream is disconnected after this time without a byte.
    pub input_end: Duration,
    /// The duration of input that a job's FFmpeg analyses before it begins.
    pub analyze: Duration,
    /// How long an opening waits for a channel's first bytes.
    pub first_bytes: Duration,
    /// A session without a report for this long is stopped at the next check, which comes as often.
    pub idle: Duration,
    /// From a failed recording to the next try.
    pub retry: Duration,
}

impl Delays {
    /// The delays that were observed on a real server.
    #[must_use]
    pub const fn real() -> Self {
        Self {
            probe: Duration::from_secs(3),
            open: Duration::from_secs(1),
            kill_timer: Duration::from_secs(60),
            linger: Duration::from_millis(1500),
            stop: Duration::from_millis(650),
            websocket: Duration::from_secs(15),
            late: Duration::from_secs(10),
            input_end: Duration::from_secs(30),
            analyze: Duration::from_secs(3),
            first_bytes: Duration::from_secs(10),
            idle: Duration::from_secs(300),
            retry: Duration::from_secs(60),
        }
    }

    /// Shorter delays that keep the order of events.
    #[must_use]
    pub const fn quick() -> Self {
        Self {
            probe: Duration::from_millis(60),
            open: Duration::from_millis(20),
            kill_timer: Duration::from_secs(5),
            linger: Duration::from_millis(300),
            stop: Duration::from_millis(20),
            websocket: Duration::from_millis(200),
            late: Duration::from_secs(10),
            input_end: Duration::from_secs(2),
            analyze: Duration::from_millis(500),
            first_bytes: Duration::from_secs(10),
            idle: Duration::from_secs(300),
            retry: Duration::from_secs(1),
        }
    }
}

/// A user.
#[derive(Clone, Debug)]
pub struct User {
    /// 32 hex digits.
    pub id: String,
    /// The name to log in with.
    pub name: String,
    /// The password to log in with.
    pub password: String,
    /// The user's rights.
    pub policy: Policy,
    /// The user's tokens, one for each device.
    pub tokens: Vec<Token>,
}

impl User {
    /// A user with all rights, the name as password, and one token.
    #[must_use]
    pub fn new(name: &str) -> Self {
        let device = Token {
            value: guid::md5(&format!("token of {name}")),
            client: "Demo".to_owned(),
            device_id: format!("device-of-{name}"),
        };
        Self {
            id: guid::md5(&format!("user {name}")),
            name: name.to_owned(),
            password: name.to_owned(),
            policy: Policy::default(),
            tokens: vec![device],
        }
    }

    /// The token of the user's first device; empty if there is none.
    #[must_use]
    pub fn token(&self) -> &str {
        self.tokens.first().map_or("", |token| &token.value)
    }
}

/// The access token of a device.
#[derive(Clone, Debug, Default)]
pub struct Token {
    /// The secret.
    pub value: String,
    /// The app's name, such as `Jellyfin Web`; with the device id it makes the session's key.
    pub client: String,
    /// The device's id.
    pub device_id: String,
}

/// The rights of a user that matter to live TV (`UserPolicy.cs`).
#[derive(Clone, Copy, Debug)]
pub struct Policy {
    /// `IsAdministrator`.
    pub administrator: bool,
    /// `EnableLiveTvAccess`.
    pub live_tv: bool,
    /// `EnableVideoPlaybackTranscoding`: without it video is always copied.
    pub video_transcoding: bool,
    /// `EnableAudioPlaybackTranscoding`: without it audio is always copied.
    pub audio_transcoding: bool,
}

impl Default for Policy {
    fn default() -> Self {
        Self { administrator: false, live_tv: true, video_transcoding: true, audio_transcoding: true }
    }
}
