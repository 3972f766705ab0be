//! What the FFmpeg at hand can do, and how much of it is still free.

use crate::mpegts::facts::{AudioCodec, VideoCodec};

/// What can be made at this moment.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Abilities {
    /// What encodes H.264, best first.
    pub video_encoders: Vec<VideoEncoder>,
    /// The sounds that can be encoded to.
    pub audio_encoders: Vec<AudioEncoder>,
    /// The pictures that can be decoded.
    pub video_decoders: Vec<VideoCodec>,
    /// The sounds that can be decoded.
    pub audio_decoders: Vec<AudioCodec>,
    /// FFmpegs that may still be started.
    pub processes_left: usize,
    /// Pictures that may still be encoded.
    pub encodes_left: usize,
    /// Whether the server encodes pictures in hardware.
    pub server_hardware: bool,
}

/// What encodes a picture to H.264.
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
    /// Apple's Video Toolbox.
    VideoToolbox,
}

impl VideoEncoder {
    /// All of them, the ones that spare the processor first.
    pub const ALL: [Self; 5] = [Self::Nvenc, Self::Qsv, Self::Vaapi, Self::VideoToolbox, Self::Software];

    /// The one spelling.
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

    /// FFmpeg's name for it.
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

/// What a sound can be encoded to in a transport stream.
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
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Aac, Self::Mp3, Self::Ac3, Self::Eac3];

    /// Its name, as Jellyfin's parameters spell it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Aac => "aac",
            Self::Mp3 => "mp3",
            Self::Ac3 => "ac3",
            Self::Eac3 => "eac3",
        }
    }

    /// FFmpeg's name for it.
    #[must_use]
    pub const fn codec(self) -> &'static str {
        match self {
            Self::Aac => "aac",
            Self::Mp3 => "libmp3lame",
            Self::Ac3 => "ac3",
            Self::Eac3 => "eac3",
        }
    }

    /// The most loudspeakers it can serve.
    pub(super) const fn most_channels(self) -> u32 {
        match self {
            Self::Aac => 8,
            Self::Mp3 => 2,
            Self::Ac3 | Self::Eac3 => 6,
        }
    }
}
