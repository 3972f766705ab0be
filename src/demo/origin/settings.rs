//! How a server is to be: its address, channels, users and, above all, how long things take.

use std::collections::BTreeSet;
use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use domain::guid;

/// Which Jellyfin is played. Where they differ is told in `jellyfin-observed.md`, section 6.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Version {
    /// Jellyfin 12.0: strict credentials, unknown live streams are 404, consumers are given back freely.
    V12,
    /// Jellyfin 10.11: legacy credentials and prefixes, unknown live streams are 500.
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

/// Everything a server is started with; [`Origin::kill`](crate::demo::origin::Origin::kill) gives it back.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Where to listen; port 0 takes any free one.
    pub listen: SocketAddr,
    /// The base path, empty or like `/jellyfin`.
    pub base_path: String,
    /// Which Jellyfin to be.
    pub version: Version,
    /// How many channels there are, numbered from 1.
    pub channels: u32,
    /// How many channels may be open at once.
    pub tuners: usize,
    /// Who may log in.
    pub users: Vec<User>,
    /// An administrator's key, accepted wherever a token is.
    pub api_key: String,
    /// How long things take.
    pub delays: Delays,
    /// Distance of the source's key frames.
    pub gop: Duration,
    /// Width of the pictures in pixels.
    pub width: u32,
    /// Height of the pictures in pixels.
    pub height: u32,
    /// Length of a segment where the request names none.
    pub segment_length: Duration,
    /// Highest video bitrate of a live stream, in bit/s.
    pub fallback_max_bitrate: u64,
    /// Whether the first HLS request wipes the transcode folder, with the open tuner's file in it.
    pub first_play_fails: bool,
    /// Whether probing finds anything; if not, every source stays unknown.
    pub probes: bool,
    /// Whether its operator says that it encodes in hardware; it does not.
    pub hardware: bool,
    /// The media source ids whose probe is cached already.
    pub probed: BTreeSet<String>,
    /// The origins CORS allows; none means `*`.
    pub cors_hosts: Vec<String>,
}

impl Settings {
    /// A server as slow as a real one.
    #[must_use]
    pub fn real() -> Self {
        Self {
            listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
            base_path: String::new(),
            version: Version::V12,
            channels: 6,
            tuners: 3,
            users: vec![User::new("alice"), User::new("bob")],
            api_key: guid::md5("warmgate demo: api key"),
            delays: Delays::real(),
            gop: Duration::from_secs(2),
            width: 640,
            height: 360,
            segment_length: Duration::from_secs(3),
            fallback_max_bitrate: 30_000_000,
            first_play_fails: false,
            probes: true,
            hardware: false,
            probed: BTreeSet::new(),
            cors_hosts: Vec::new(),
        }
    }

    /// A server as quick as real video allows: for tests that are not about the waiting.
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

/// How long the server takes, and how long it remembers.
#[derive(Clone, Copy, Debug)]
pub struct Delays {
    /// First open ever of a channel, on top of the rest; cached afterwards.
    pub probe: Duration,
    /// A real (re)open of a tuner, under the global lock.
    pub open: Duration,
    /// The kill timer: an HLS job without a ping for this long is killed.
    pub kill_timer: Duration,
    /// How long a job's files outlive it.
    pub linger: Duration,
    /// `Sessions/Playing/Stopped` answers no sooner.
    pub stop: Duration,
    /// From the close of a session's last WebSocket to its live stream being given back.
    pub socket: Duration,
    /// A reader of the shared raw stream that comes this long after the opening starts near its end.
    pub late: Duration,
    /// A reader of the shared raw stream is sent away after this long without a byte.
    pub input_end: Duration,
    /// How much input an HLS job's FFmpeg may analyse before it begins.
    pub analyze: Duration,
}

impl Delays {
    /// What was observed on a real server.
    #[must_use]
    pub const fn real() -> Self {
        Self {
            probe: Duration::from_secs(3),
            open: Duration::from_secs(1),
            kill_timer: Duration::from_secs(60),
            linger: Duration::from_millis(1500),
            stop: Duration::from_millis(650),
            socket: Duration::from_secs(15),
            late: Duration::from_secs(10),
            input_end: Duration::from_secs(30),
            analyze: Duration::from_secs(3),
        }
    }

    /// The same order of events in a fraction of the time.
    #[must_use]
    pub const fn quick() -> Self {
        Self {
            probe: Duration::from_millis(60),
            open: Duration::from_millis(20),
            kill_timer: Duration::from_secs(5),
            linger: Duration::from_millis(300),
            stop: Duration::from_millis(20),
            socket: Duration::from_millis(200),
            late: Duration::from_secs(10),
            input_end: Duration::from_secs(2),
            analyze: Duration::from_millis(500),
        }
    }
}

/// Somebody with a password, rights and the tokens of their devices.
#[derive(Clone, Debug)]
pub struct User {
    /// 32 hex digits.
    pub id: String,
    /// The name to log in with.
    pub name: String,
    /// The password to log in with.
    pub password: String,
    /// What they may do.
    pub policy: Policy,
    /// The devices they are logged in on.
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

    /// The token of their first device; empty if there is none.
    #[must_use]
    pub fn token(&self) -> &str {
        self.tokens.first().map_or("", |token| &token.value)
    }
}

/// A device's access token, and what the server remembers of the device.
#[derive(Clone, Debug, Default)]
pub struct Token {
    /// The secret.
    pub value: String,
    /// The app, such as `Jellyfin Web`; with the device id it names the session.
    pub client: String,
    /// The device's own id.
    pub device_id: String,
}

/// The rights of a user that matter to live TV.
#[derive(Clone, Copy, Debug)]
pub struct Policy {
    /// `EnableLiveTvAccess`.
    pub live_tv: bool,
    /// `EnableVideoPlaybackTranscoding`: without it video is always copied.
    pub video_transcoding: bool,
    /// `EnableAudioPlaybackTranscoding`: without it audio is always copied.
    pub audio_transcoding: bool,
}

impl Default for Policy {
    fn default() -> Self {
        Self { live_tv: true, video_transcoding: true, audio_transcoding: true }
    }
}
