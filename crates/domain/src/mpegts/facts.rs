//! What a transport stream carries: the codecs and their limits, as far as the stream itself tells.
//!
//! It does not know who asks, nor what may be copied.

/// What a program carries.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Facts {
    /// Its picture; `None` for radio.
    pub video: Option<Video>,
    /// Its sounds, in the order of its PMT.
    pub audio: Vec<Audio>,
}

impl Facts {
    /// Whether nobody can play it: its picture is scrambled, or every sound of it.
    #[must_use]
    pub fn is_scrambled(&self) -> bool {
        let silent = !self.audio.is_empty() && self.audio.iter().all(|audio| audio.scrambled);
        silent || self.video.as_ref().is_some_and(|video| video.scrambled)
    }
}

/// A picture.
#[derive(Clone, Debug, PartialEq)]
pub struct Video {
    /// How it is coded.
    pub codec: VideoCodec,
    /// `profile_idc` and the six constraint flags (H.264), or `general_profile_idc` (HEVC).
    pub profile: Option<Profile>,
    /// `level_idc`: 30 is 3.0 (H.264), 93 is 3.1 (HEVC).
    pub level: Option<u32>,
    /// Pixels, after cropping.
    pub size: Option<(u32, u32)>,
    /// Bits of a luma sample.
    pub bit_depth: Option<u32>,
    /// Whether it may be interlaced.
    pub interlaced: Option<bool>,
    /// Whether its pixels are square, but for a hundredth, as far as it says.
    pub square_pixels: Option<bool>,
    /// Frames (not fields) in a second.
    pub frame_rate: Option<f64>,
    /// Frames that others may refer to.
    pub reference_frames: Option<u32>,
    /// Whether it is of a high dynamic range: its transfer characteristics are PQ (16) or HLG (18).
    pub high_dynamic_range: bool,
    /// Bit/s at most, as it says.
    pub bitrate: Option<u64>,
    /// Whether it cannot be read.
    pub scrambled: bool,
}

impl Video {
    /// A picture of which nothing but the codec is known.
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

    /// Whether a decoder that was set up for `before` may go on with this one.
    #[must_use]
    pub fn continues(&self, before: &Self) -> bool {
        let format = |video: &Self| {
            (video.codec, video.profile, video.level, video.size, video.bit_depth, video.interlaced)
        };
        format(self) == format(before)
    }
}

/// The profile of a picture.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Profile {
    /// `profile_idc`.
    pub idc: u32,
    /// `constraint_set0_flag` is the highest bit; zero for HEVC.
    pub constraints: u8,
}

/// How a picture is coded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum VideoCodec {
    /// ISO/IEC 14496-10.
    H264,
    /// ISO/IEC 23008-2.
    Hevc,
    /// ISO/IEC 13818-2 and 11172-2.
    Mpeg2,
    /// Another, by its `stream_type`.
    Other(u8),
}

/// A sound.
#[derive(Clone, Debug, PartialEq)]
pub struct Audio {
    /// How it is coded.
    pub codec: AudioCodec,
    /// Loudspeakers, as far as it says.
    pub channels: Option<u32>,
    /// Hertz.
    pub sample_rate: Option<u32>,
    /// Bit/s, where each frame says it: of MPEG audio and AC-3.
    pub bitrate: Option<u64>,
    /// Whether it cannot be read.
    pub scrambled: bool,
    /// ISO 639-2, from its descriptor.
    pub language: Option<String>,
}

/// How a sound is coded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AudioCodec {
    /// AAC in ADTS.
    Aac,
    /// AAC in LATM.
    AacLatm,
    /// MPEG-1 or -2 audio, layer I or II.
    Mp2,
    /// The same, layer III.
    Mp3,
    /// AC-3.
    Ac3,
    /// Enhanced AC-3.
    Eac3,
    /// Another, by its `stream_type`.
    Other(u8),
}

impl VideoCodec {
    /// Its name, as Jellyfin's parameters spell it.
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
    /// A sound of which nothing but the codec is known.
    #[must_use]
    pub const fn unknown(codec: AudioCodec) -> Self {
        Self { codec, channels: None, sample_rate: None, bitrate: None, scrambled: false, language: None }
    }
}

impl AudioCodec {
    /// Its name, as Jellyfin's parameters spell it.
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
