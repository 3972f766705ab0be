//! The sections that are used as written, with their defaults.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use serde::Deserialize;

use crate::config::scalar::{self, Scalar};
use crate::config::secret::Secret;
use crate::config::thrift::ThriftChoice;
use domain::produce::Produce as Wish;
use domain::window::{Listing, ListingChoice, StartChoice};

/// How many streams are kept, and for how long.
#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields, expecting = "a section with keys of its own")]
pub struct Pool {
    /// The maximum number of streams. At least 1.
    #[serde(deserialize_with = "scalar::one")]
    pub slots: usize,
    /// How long an adopted stream is kept without viewers.
    #[serde(deserialize_with = "scalar::one")]
    pub idle_timeout: Duration,
    /// The memory of all segments and inputs, in bytes.
    #[serde(deserialize_with = "scalar::bytes")]
    pub memory: u64,
    /// How dear a channel is held to be that is warm for nobody.
    #[serde(deserialize_with = "scalar::one")]
    pub thrift: ThriftChoice,
    /// Whether channels are started before anybody asks.
    #[serde(deserialize_with = "scalar::one")]
    pub starts_ahead: bool,
    /// Those that never are: their names, numbers or ids.
    #[serde(deserialize_with = "scalar::one_or_more")]
    pub never_ahead: Vec<String>,
}

impl Default for Pool {
    fn default() -> Self {
        Self {
            slots: 4,
            idle_timeout: Duration::from_secs(10 * 60),
            memory: 512 << 20,
            thrift: ThriftChoice::default(),
            starts_ahead: true,
            never_ahead: Vec::new(),
        }
    }
}

/// When a viewer counts as gone.
#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields, expecting = "a section with keys of its own")]
pub struct Viewers {
    /// The least silence after which a viewer counts as gone, together with four target durations.
    #[serde(deserialize_with = "scalar::one")]
    pub silence: Duration,
    /// The silence after which a viewer counts as gone at the latest.
    #[serde(deserialize_with = "scalar::one")]
    pub patience: Duration,
    /// How long a client's opening is kept that nothing follows. At least `upstream.cold_timeout`.
    #[serde(deserialize_with = "scalar::one")]
    pub unfollowed: Duration,
    /// To whom blocking playlist reload is offered.
    #[serde(deserialize_with = "scalar::one")]
    pub blocking_reload: BlockingReload,
    /// How long after a goodbye (Stopped, ActiveEncodings) a viewer counts as gone, unless it asks again.
    #[serde(deserialize_with = "scalar::one")]
    pub goodbye: Duration,
}

impl Default for Viewers {
    fn default() -> Self {
        Self {
            silence: Duration::from_secs(20),
            patience: Duration::from_secs(30 * 60),
            blocking_reload: BlockingReload::Auto,
            unfollowed: Duration::from_secs(2 * 60),
            goodbye: Duration::from_secs(2),
        }
    }
}

/// To whom blocking playlist reload is offered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BlockingReload {
    /// Players with fine lists.
    Auto,
    /// Everybody.
    Always,
    /// Nobody.
    Never,
}

impl BlockingReload {
    /// Its spelling in the configuration.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Auto => "auto",
            Self::Always => "true",
            Self::Never => "false",
        }
    }

    /// Whether it is offered in lists of this kind.
    #[must_use]
    pub const fn is_offered(self, listing: Listing) -> bool {
        match (self, listing) {
            (Self::Auto, Listing::Fine) | (Self::Always, _) => true,
            (Self::Auto, Listing::Keyed) | (Self::Never, _) => false,
        }
    }
}

impl Scalar for BlockingReload {
    fn read(text: &str) -> Result<Self, String> {
        scalar::named(&[Self::Auto, Self::Always, Self::Never], Self::as_str, text)
    }
}

/// How long playlists are, and how large segments.
#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields, expecting = "a section with keys of its own")]
pub struct Window {
    /// The length of a new viewer's first playlist. At most `length`.
    #[serde(deserialize_with = "scalar::one")]
    pub join: Duration,
    /// The maximum length of a playlist.
    #[serde(deserialize_with = "scalar::one")]
    pub length: Duration,
    /// The maximum size of a segment, in bytes. At most `pool.memory`.
    #[serde(deserialize_with = "scalar::bytes")]
    pub segment: u64,
    /// How playlists are made of the stream's pieces.
    #[serde(deserialize_with = "scalar::one")]
    pub cut: ListingChoice,
    /// Where the playlist of a new viewer begins.
    #[serde(deserialize_with = "scalar::one")]
    pub start: StartChoice,
}

impl Default for Window {
    fn default() -> Self {
        Self {
            join: Duration::from_secs(6),
            length: Duration::from_secs(30),
            segment: 64 << 20,
            cut: ListingChoice::Auto,
            start: StartChoice::Join,
        }
    }
}

/// How far back viewers can go.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields, expecting = "a section with keys of its own")]
pub struct Rewind {
    /// How far back the playlist of a viewer reaches at most.
    #[serde(deserialize_with = "scalar::one")]
    pub length: Duration,
    /// The disk space for all streams, in bytes; 0 keeps nothing on disk.
    #[serde(deserialize_with = "scalar::bytes")]
    pub budget: u64,
    /// The folder on disk; `None`: `spool` in the state directory.
    pub dir: Option<PathBuf>,
}

impl Default for Rewind {
    fn default() -> Self {
        Self { length: Duration::from_secs(2 * 3600), budget: 8 << 30, dir: None }
    }
}

/// How streams are made.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields, expecting = "a section with keys of its own")]
pub struct Produce {
    /// The default.
    #[serde(deserialize_with = "scalar::one")]
    pub default: Wish,
    /// Exceptions for channels that are in no playlist, by item or media source id.
    #[serde(deserialize_with = "scalar::map")]
    pub channels: BTreeMap<String, Wish>,
}

impl Produce {
    /// Whether the default and all exceptions here are `wish`. Playlists and clients may have exceptions of their own.
    #[must_use]
    pub fn is_all(&self, wish: Wish) -> bool {
        self.channels.values().chain([&self.default]).all(|other| *other == wish)
    }
}

/// The playlist that the gateway serves, through which Jellyfin may tune.
#[derive(Clone, Debug, PartialEq, Default, Deserialize)]
#[serde(default, deny_unknown_fields, expecting = "a section with keys of its own")]
pub struct LineupServer {
    /// Whether it is served.
    #[serde(deserialize_with = "scalar::one")]
    pub enabled: bool,
    /// The token that its URLs must carry. Set if `enabled`.
    #[serde(deserialize_with = "scalar::some")]
    pub token: Option<Secret>,
    /// The gateway's address as Jellyfin reaches it; `None`: the `Host` of the request.
    #[serde(deserialize_with = "scalar::some")]
    pub base: Option<String>,
}

/// What is remembered of what was watched.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields, expecting = "a section with keys of its own")]
pub struct History {
    /// Whether anything is.
    #[serde(deserialize_with = "scalar::one")]
    pub enabled: bool,
    /// Whether with names of users and devices, rather than with fingerprints alone.
    #[serde(deserialize_with = "scalar::one")]
    pub identify: bool,
    /// For how long.
    #[serde(deserialize_with = "scalar::one")]
    pub keep: Duration,
    /// The maximum number of viewings. At least 1.
    #[serde(deserialize_with = "scalar::one")]
    pub rows: u32,
}

impl Default for History {
    fn default() -> Self {
        Self { enabled: true, identify: false, keep: Duration::from_secs(400 * 24 * 3600), rows: 500_000 }
    }
}

/// The time limit for a stop.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields, expecting = "a section with keys of its own")]
pub struct Shutdown {
    /// The time to finish responses and to close streams.
    #[serde(deserialize_with = "scalar::one")]
    pub grace: Duration,
}

impl Default for Shutdown {
    fn default() -> Self {
        Self { grace: Duration::from_secs(10) }
    }
}

/// The level and format of the log, which goes to standard error.
#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields, expecting = "a section with keys of its own")]
pub struct Log {
    /// A level, or a `tracing` filter such as `info,warmgate::upstream=debug`.
    #[serde(deserialize_with = "scalar::one")]
    pub level: String,
    /// The format of a line.
    #[serde(deserialize_with = "scalar::one")]
    pub format: LogFormat,
}

impl Default for Log {
    fn default() -> Self {
        Self { level: "info".to_owned(), format: LogFormat::Text }
    }
}

/// The format of a log line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogFormat {
    /// Text, for people.
    Text,
    /// One JSON object per line.
    Json,
}

impl LogFormat {
    /// Its spelling in the configuration.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Text => "text",
            Self::Json => "json",
        }
    }
}

impl Scalar for LogFormat {
    fn read(text: &str) -> Result<Self, String> {
        scalar::named(&[Self::Text, Self::Json], Self::as_str, text)
    }
}

/// Whether the gateway checks the Live TV right where Jellyfin does not (docs/jellyfin.md 5).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LiveTvRight {
    /// A user without the right gets 403.
    Enforce,
    /// The upstream's answer decides.
    AsUpstream,
}

impl LiveTvRight {
    /// Its spelling in the configuration.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Enforce => "enforce",
            Self::AsUpstream => "as-upstream",
        }
    }
}

impl Scalar for LiveTvRight {
    fn read(text: &str) -> Result<Self, String> {
        scalar::named(&[Self::Enforce, Self::AsUpstream], Self::as_str, text)
    }
}
