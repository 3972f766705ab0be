//! Describes what the FFmpeg on this machine can do, and how much of it is free.

use crate::mpegts::facts::{AudioCodec, VideoCodec};

/// What can be encoded at this moment.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Abilities {
    /// The working H.264 encoders, best first.
    pub video_encoders: Vec<VideoEncoder>,
    /// The audio encoders.
    pub audio_encoders: Vec<AudioEncoder>,
    /// The video decoders.
    pub video_decoders: Vec<VideoCodec>,
    /// The audio decoders.
    pub audio_decoders: Vec<AudioCodec>,
    /// How many more FFmpegs may be started.
    pub processes_left: usize,
    /// How many more videos may be encoded.
    pub encodes_left: usize,
    /// Whether the server encodes video in hardware.
    pub server_hardware: bool,
}

/// An H.264 encoder.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum VideoEncoder {
    /// libx264.
    Software,
    /// The Video Acceleration API (Intel, AMD).
    Vaapi,
    /// NVIDIA's encoder.
    Nvenc,
    /// Intel's Quick Sync Video.
    Qsv,
    /// Apple's VideoToolbox.
    VideoToolbox,
}

impl VideoEncoder {
    /// All encoders, those in hardware first.
    pub const ALL: [Self; 5] = [Self::Nvenc, Self::Qsv, Self::Vaapi, Self::VideoToolbox, Self::Software];

    /// The spelling in logs and JSON.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Software => "software",
            Self::Vaapi => "vaapi",
            Self::Nvenc => "nvenc",
            Self::Qsv => "qsv",
            Self::VideoToolbox => "videotoolbox",
        }
    }

    /// FFmpeg's name of the encoder.
    #[must_use]
    pub const fn codec(self) -> &'static str {
        match self {
            Self::Software => "libx264",
            Self::Vaapi => "h264_vaapi",
            Self::Nvenc => "h264_nvenc",
            Self::Qsv => "h264_qsv",
            Self::VideoToolbox => "h264_videotoolbox",
        }
    }
}

/// An audio encoder whose codec a transport stream can carry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AudioEncoder {
    /// AAC.
    Aac,
    /// MPEG audio layer III.
    Mp3,
    /// AC-3.
    Ac3,
    /// Enhanced AC-3.
    Eac3,
}

impl AudioEncoder {
    /// All audio encoders.
    pub const ALL: [Self; 4] = [Self::Aac, Self::Mp3, Self::Ac3, Self::Eac3];

    /// The name that Jellyfin's parameters use.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Aac => "aac",
            Self::Mp3 => "mp3",
            Self::Ac3 => "ac3",
            Self::Eac3 => "eac3",
        }
    }

    /// FFmpeg's name of the encoder.
    #[must_use]
    pub const fn codec(self) -> &'static str {
        match self {
            Self::Aac => "aac",
            Self::Mp3 => "libmp3lame",
            Self::Ac3 => "ac3",
            Self::Eac3 => "eac3",
        }
    }

    /// The most channels it encodes.
    pub(super) const fn most_channels(self) -> u32 {
        match self {
            Self::Aac => 8,
            Self::Mp3 => 2,
            Self::Ac3 | Self::Eac3 => 6,
        }
    }
}
