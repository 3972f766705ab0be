//! The sections that are used as they are written, with their defaults.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::Deserialize;

use crate::config::scalar::{self, Scalar};
use crate::config::secret::Secret;
use domain::produce::Produce as Wish;

/// How many streams are kept, and for how long.
#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields, expecting = "a section with keys of its own")]
pub struct Pool {
    /// Streams at most. At least 1.
    #[serde(deserialize_with = "scalar::one")]
    pub slots: usize,
    /// A stream nobody watches is given back after this.
    #[serde(deserialize_with = "scalar::one")]
    pub idle_timeout: Duration,
    /// Bytes of segments and inputs over all streams.
    #[serde(deserialize_with = "scalar::bytes")]
    pub memory: u64,
}

impl Default for Pool {
    fn default() -> Self {
        Self { slots: 4, idle_timeout: Duration::from_secs(10 * 60), memory: 512 << 20 }
    }
}

/// When a viewer counts as gone.
#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields, expecting = "a section with keys of its own")]
pub struct Viewers {
    /// Never before this and four target durations without a request, however probable it is.
    #[serde(deserialize_with = "scalar::one")]
    pub silence: Duration,
    /// At the latest after this, however improbable it is.
    #[serde(deserialize_with = "scalar::one")]
    pub patience: Duration,
    /// What a client opened is given back in its name if nothing follows for so long. No less than a cold start may take.
    #[serde(deserialize_with = "scalar::one")]
    pub unfollowed: Duration,
    /// Whether playlist requests are held until the segment they name is there.
    #[serde(deserialize_with = "scalar::one")]
    pub blocking_reload: bool,
    /// This long after Stopped or ActiveEncodings, unless it asks again.
    #[serde(deserialize_with = "scalar::one")]
    pub goodbye: Duration,
}

impl Default for Viewers {
    fn default() -> Self {
        Self {
            silence: Duration::from_secs(20),
            patience: Duration::from_secs(30 * 60),
            blocking_reload: false,
            unfollowed: Duration::from_secs(2 * 60),
            goodbye: Duration::from_secs(2),
        }
    }
}

/// What of a stream is kept and listed.
#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields, expecting = "a section with keys of its own")]
pub struct Window {
    /// What a new viewer is handed. No more than `length`.
    #[serde(deserialize_with = "scalar::one")]
    pub join: Duration,
    /// What is listed at most.
    #[serde(deserialize_with = "scalar::one")]
    pub length: Duration,
    /// Bytes of the largest segment accepted. No more than `pool.memory`.
    #[serde(deserialize_with = "scalar::bytes")]
    pub segment: u64,
}

impl Default for Window {
    fn default() -> Self {
        Self { join: Duration::from_secs(6), length: Duration::from_secs(30), segment: 64 << 20 }
    }
}

/// How streams are made.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields, expecting = "a section with keys of its own")]
pub struct Produce {
    /// Where nothing else is said.
    #[serde(deserialize_with = "scalar::one")]
    pub default: Wish,
    /// For channels that are in no playlist, by item or media source.
    #[serde(deserialize_with = "scalar::map")]
    pub channels: BTreeMap<String, Wish>,
    /// For players, by device id or a part of their `User-Agent`.
    #[serde(deserialize_with = "scalar::map")]
    pub clients: BTreeMap<String, Wish>,
}

impl Produce {
    /// Whether nothing but `wish` is wished for, whoever asks for what; playlists may have wishes of their own.
    #[must_use]
    pub fn is_all(&self, wish: Wish) -> bool {
        let mut all = self.channels.values().chain(self.clients.values()).chain([&self.default]);
        all.all(|other| *other == wish)
    }
}

/// The gateway's own playlist, through which Jellyfin may tune.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields, expecting = "a section with keys of its own")]
pub struct LineupServer {
    /// Whether there is one.
    #[serde(deserialize_with = "scalar::one")]
    pub enabled: bool,
    /// What its URLs must carry. Written where it is enabled.
    #[serde(deserialize_with = "scalar::some")]
    pub token: Option<Secret>,
    /// Where Jellyfin reaches the gateway; `None` is for the request's own host.
    #[serde(deserialize_with = "scalar::some")]
    pub base: Option<String>,
}

/// How the gateway ends.
#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields, expecting = "a section with keys of its own")]
pub struct Shutdown {
    /// What is left to finish answers and to give streams back.
    #[serde(deserialize_with = "scalar::one")]
    pub grace: Duration,
}

impl Default for Shutdown {
    fn default() -> Self {
        Self { grace: Duration::from_secs(10) }
    }
}

/// What is logged, to standard error.
#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields, expecting = "a section with keys of its own")]
pub struct Log {
    /// A level, or a filter of `tracing` (`info,warmgate::upstream=debug`).
    #[serde(deserialize_with = "scalar::one")]
    pub level: String,
    /// How a line looks.
    #[serde(deserialize_with = "scalar::one")]
    pub format: LogFormat,
}

impl Default for Log {
    fn default() -> Self {
        Self { level: "info".to_owned(), format: LogFormat::Text }
    }
}

/// How a log line looks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogFormat {
    /// For people.
    Text,
    /// One JSON object a line.
    Json,
}

impl LogFormat {
    /// The one spelling.
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

/// Whether the user's Live TV right is honoured where Jellyfin does not look at it (PlaybackInfo, live.m3u8).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LiveTvRight {
    /// A definite no is 403.
    Enforce,
    /// Whatever the upstream answers.
    AsUpstream,
}

impl LiveTvRight {
    /// The one spelling.
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
