//! The sections about streams of the gateway's own, as they are written, with their defaults.

use std::path::PathBuf;
use std::time::Duration;

use serde::Deserialize;

use crate::config::scalar::{self, Scalar};
use crate::config::units::ByteSize;
use domain::encoding::abilities::VideoEncoder;

/// What a stream of the gateway's own keeps, and for how long, when nobody watches it.
#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields, expecting = "a section with keys of its own")]
pub struct Warm {
    /// So long it goes on encoding.
    #[serde(deserialize_with = "scalar::one")]
    pub encode: Duration,
    /// So long it keeps its input.
    #[serde(deserialize_with = "scalar::one")]
    pub feed: Duration,
}

impl Default for Warm {
    fn default() -> Self {
        Self { encode: Duration::from_secs(2 * 60), feed: Duration::from_secs(10 * 60) }
    }
}

/// What is kept of a channel's input, and how patient the gateway is with it.
#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields, expecting = "a section with keys of its own")]
pub struct Feed {
    /// What is kept of it.
    #[serde(deserialize_with = "scalar::one")]
    pub ring: Duration,
    /// Bytes kept of it at most.
    #[serde(deserialize_with = "scalar::one")]
    pub memory: ByteSize,
    /// An input that sends nothing for so long is given up.
    #[serde(deserialize_with = "scalar::one")]
    pub stall: Duration,
    /// So often in a row it is tried, before the channel's next one is. At least 1.
    #[serde(deserialize_with = "scalar::one")]
    pub attempts: u32,
}

impl Default for Feed {
    fn default() -> Self {
        Self {
            ring: Duration::from_secs(12),
            memory: ByteSize(64 << 20),
            stall: Duration::from_secs(10),
            attempts: 3,
        }
    }
}

/// What is made with FFmpeg, and what that may cost.
#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields, expecting = "a section with keys of its own")]
pub struct Ffmpeg {
    /// The program.
    pub path: PathBuf,
    /// What makes a copy.
    #[serde(deserialize_with = "scalar::one")]
    pub copy: CopyWith,
    /// What may encode a picture, the preferred first.
    #[serde(deserialize_with = "scalar::one")]
    pub encoders: Encoders,
    /// libx264's preset.
    #[serde(deserialize_with = "scalar::one")]
    pub preset: String,
    /// Processes at once.
    #[serde(deserialize_with = "scalar::one")]
    pub processes: usize,
    /// Encoded pictures at once.
    #[serde(deserialize_with = "scalar::one")]
    pub encodes: usize,
    /// How far everything else goes before it. At most 19.
    #[serde(deserialize_with = "scalar::one")]
    pub nice: u32,
    /// Bytes a process may hold.
    #[serde(deserialize_with = "scalar::bytes")]
    pub memory: u64,
}

impl Default for Ffmpeg {
    fn default() -> Self {
        Self {
            path: PathBuf::from("ffmpeg"),
            copy: CopyWith::Native,
            encoders: Encoders(VideoEncoder::ALL.to_vec()),
            preset: "veryfast".to_owned(),
            processes: 8,
            encodes: 2,
            nice: 5,
            memory: 1 << 30,
        }
    }
}

/// What makes a stream of a source that needs no encoding.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CopyWith {
    /// The gateway itself.
    Native,
    /// FFmpeg.
    Ffmpeg,
}

impl CopyWith {
    /// The one spelling.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Native => "native",
            Self::Ffmpeg => "ffmpeg",
        }
    }
}

impl Scalar for CopyWith {
    fn read(text: &str) -> Result<Self, String> {
        scalar::named(&[Self::Native, Self::Ffmpeg], Self::as_str, text)
    }
}

/// What may encode a picture, the preferred first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Encoders(pub Vec<VideoEncoder>);

/// `auto`, `vaapi, software`, or nothing at all: nothing is encoded then.
impl Scalar for Encoders {
    fn read(text: &str) -> Result<Self, String> {
        let names = text.split(',').map(str::trim).filter(|name| !name.is_empty());
        match text.trim() {
            "auto" => Ok(VideoEncoder::ALL.to_vec()),
            _ => names.map(|name| scalar::named(&VideoEncoder::ALL, VideoEncoder::as_str, name)).collect(),
        }
        .map(Self)
        .map_err(|said: String| format!("{said}, or auto"))
    }
}
