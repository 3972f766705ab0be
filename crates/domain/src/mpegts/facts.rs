//! Describes the streams of a program: codecs and format, as far as the transport stream tells them.
//!
//! It does not know which of them a client asked for, nor what may be copied.

use serde::{Deserialize, Serialize};

/// The audio and video of a program.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Facts {
    /// The video stream; `None` for radio.
    pub video: Option<Video>,
    /// The audio streams, in the order of the PMT.
    pub audio: Vec<Audio>,
}

impl Facts {
    /// Whether the program cannot be played: its video is scrambled, or all of its audio is.
    #[must_use]
    pub fn is_scrambled(&self) -> bool {
        let silent = !self.audio.is_empty() && self.audio.iter().all(|audio| audio.scrambled);
        silent || self.video.as_ref().is_some_and(|video| video.scrambled)
    }
}

/// A video stream. A field is `None` until the stream has told it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Video {
    /// The codec.
    pub codec: VideoCodec,
    /// `profile_idc` and the six constraint flags (H.264), or `general_profile_idc` (HEVC).
    pub profile: Option<Profile>,
    /// `level_idc`: 30 is 3.0 (H.264), 93 is 3.1 (HEVC).
    pub level: Option<u32>,
    /// Width and height in pixels, after cropping.
    pub size: Option<(u32, u32)>,
    /// Bits per luma sample.
    pub bit_depth: Option<u32>,
    /// Whether pictures may be interlaced.
    pub interlaced: Option<bool>,
    /// Whether the pixels are square, within one percent.
    pub square_pixels: Option<bool>,
    /// Frames (not fields) per second.
    pub frame_rate: Option<f64>,
    /// The number of reference frames.
    pub reference_frames: Option<u32>,
    /// Whether the transfer characteristics are PQ (16) or HLG (18).
    pub high_dynamic_range: bool,
    /// The highest bitrate in bit/s, if the stream declares one.
    pub bitrate: Option<u64>,
    /// Whether the packets are scrambled.
    pub scrambled: bool,
}

impl Video {
    /// A video stream of which only the codec is known.
    #[must_use]
    pub const fn unknown(codec: VideoCodec) -> Self {
        Self {
            codec,
            profile: None,
            level: None,
            size: None,
            bit_depth: None,
            interlaced: None,
            square_pixels: None,
            frame_rate: None,
            reference_frames: None,
            high_dynamic_range: false,
            bitrate: None,
            scrambled: false,
        }
    }

    /// Whether a decoder that was set up for `before` can continue with this stream.
    #[must_use]
    pub fn continues(&self, before: &Self) -> bool {
        let format = |video: &Self| {
            (video.codec, video.profile, video.level, video.size, video.bit_depth, video.interlaced)
        };
        format(self) == format(before)
    }
}

/// A profile of H.264, HEVC or MPEG-2.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Profile {
    /// `profile_idc`.
    pub idc: u32,
    /// The constraint flags, `constraint_set0_flag` in the highest bit; zero for HEVC.
    pub constraints: u8,
}

/// A video codec.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum VideoCodec {
    /// H.264, ISO/IEC 14496-10.
    H264,
    /// HEVC, ISO/IEC 23008-2.
    Hevc,
    /// MPEG-1 and MPEG-2 video, ISO/IEC 11172-2 and 13818-2.
    Mpeg2,
    /// Any other, by its `stream_type`.
    Other(u8),
}

/// An audio stream. A field is `None` until the stream has told it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Audio {
    /// The codec.
    pub codec: AudioCodec,
    /// The number of channels.
    pub channels: Option<u32>,
    /// The sample rate in hertz.
    pub sample_rate: Option<u32>,
    /// In bit/s; only MPEG audio and AC-3 tell it in each frame.
    pub bitrate: Option<u64>,
    /// Whether the packets are scrambled.
    pub scrambled: bool,
    /// The ISO 639-2 code from the descriptor.
    pub language: Option<String>,
}

/// An audio codec.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum AudioCodec {
    /// AAC in ADTS.
    Aac,
    /// AAC in LATM.
    AacLatm,
    /// MPEG-1 or MPEG-2 audio, layer I or II.
    Mp2,
    /// MPEG-1 or MPEG-2 audio, layer III.
    Mp3,
    /// AC-3.
    Ac3,
    /// Enhanced AC-3.
    Eac3,
    /// Any other, by its `stream_type`.
    Other(u8),
}

impl VideoCodec {
    /// The name that Jellyfin's parameters use.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::H264 => "h264",
            Self::Hevc => "hevc",
            Self::Mpeg2 => "mpeg2video",
            Self::Other(_) => "unknown",
        }
    }
}

impl Audio {
    /// An audio stream of which only the codec is known.
    #[must_use]
    pub const fn unknown(codec: AudioCodec) -> Self {
        Self { codec, channels: None, sample_rate: None, bitrate: None, scrambled: false, language: None }
    }
}

impl AudioCodec {
    /// The name that Jellyfin's parameters use.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Aac => "aac",
            Self::AacLatm => "aac_latm",
            Self::Mp2 => "mp2",
            Self::Mp3 => "mp3",
            Self::Ac3 => "ac3",
            Self::Eac3 => "eac3",
            Self::Other(_) => "unknown",
        }
    }
}
