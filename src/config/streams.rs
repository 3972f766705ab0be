//! The sections about the gateway's own streams, used as written, with their defaults.

use std::path::PathBuf;
use std::time::Duration;

use serde::Deserialize;

use crate::config::scalar::{self, Scalar};
use crate::config::units::ByteSize;
use domain::encoding::abilities::VideoEncoder;

/// How long streams go on without viewers.
#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields, expecting = "a section with keys of its own")]
pub struct Warm {
    /// How long video is encoded, by the gateway or by the server.
    #[serde(deserialize_with = "scalar::one")]
    pub encode: Duration,
    /// How long a stream of the gateway's own keeps its input, and with it the tuner. At least `encode`.
    #[serde(deserialize_with = "scalar::one")]
    pub feed: Duration,
}

impl Default for Warm {
    fn default() -> Self {
        Self { encode: Duration::from_secs(2 * 60), feed: Duration::from_secs(10 * 60) }
    }
}

/// The ring of a channel's input, and the limits for failures of the input.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields, expecting = "a section with keys of its own")]
pub struct Feed {
    /// The length of the ring.
    #[serde(deserialize_with = "scalar::one")]
    pub ring: Duration,
    /// The maximum size of the ring.
    #[serde(deserialize_with = "scalar::one")]
    pub memory: ByteSize,
    /// How long an input may send nothing before it is given up.
    #[serde(deserialize_with = "scalar::one")]
    pub stall: Duration,
    /// The failures in a row after which the channel's next input is tried. At least 1.
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

/// The FFmpeg program and its limits.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields, expecting = "a section with keys of its own")]
pub struct Ffmpeg {
    /// The program.
    pub path: PathBuf,
    /// What cuts streams that need no encoding.
    #[serde(deserialize_with = "scalar::one")]
    pub copy: CopyWith,
    /// The video encoders to use, the preferred first.
    #[serde(deserialize_with = "scalar::one")]
    pub encoders: Encoders,
    /// The libx264 preset.
    #[serde(deserialize_with = "scalar::one")]
    pub preset: String,
    /// The maximum number of processes.
    #[serde(deserialize_with = "scalar::one")]
    pub processes: usize,
    /// How many of them may encode video.
    #[serde(deserialize_with = "scalar::one")]
    pub encodes: usize,
    /// The niceness of a process. At most 19.
    #[serde(deserialize_with = "scalar::one")]
    pub nice: u32,
    /// The memory limit of a process, in bytes.
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

/// What cuts a stream that needs no encoding.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CopyWith {
    /// The gateway itself.
    Native,
    /// FFmpeg.
    Ffmpeg,
}

impl CopyWith {
    /// Its spelling in the configuration.
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

/// The video encoders to use, the preferred first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Encoders(pub Vec<VideoEncoder>);

/// `auto`, a list such as `vaapi, software`, or an empty text: no video is encoded then.
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
