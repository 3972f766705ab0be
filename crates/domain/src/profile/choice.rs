//! Replaces what a client asks of the encoding where an operator or a proxy knows better: a device that plays more than it says, or less.
//!
//! It knows the parameters of a query (docs/jellyfin.md, section 1.1), and not who chooses.

use serde::{Deserialize, Serialize};

/// What stands in place of the encoding that a client asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum ProfileChoice {
    /// The source as it is: picture and sound are copied.
    AsIs,
    /// What practically every player takes: H.264 and AAC, 8 bits, progressive, at most 1080 lines, stereo. A source that is like that is copied.
    Compatible,
}

impl ProfileChoice {
    /// Every choice.
    pub const ALL: [Self; 2] = [Self::AsIs, Self::Compatible];

    /// The one spelling.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::AsIs => "as-is",
            Self::Compatible => "compatible",
        }
    }

    /// Whether a parameter of the client's counts no more, because it says how video or audio is to be encoded.
    #[must_use]
    pub fn replaces(self, name: &str) -> bool {
        let folded = name.to_ascii_lowercase();
        let is_of_a_codec = name.starts_with(|first: char| first.is_ascii_lowercase()) && name.contains('-');
        let is_limit = is_of_a_codec
            || matches!(
                folded.as_str(),
                "profile"
                    | "level"
                    | "rangetype"
                    | "maxvideobitdepth"
                    | "maxrefframes"
                    | "requireavc"
                    | "requirenonanamorphic"
                    | "deinterlace"
                    | "audiochannels"
                    | "maxaudiobitdepth"
                    | "enableautostreamcopy"
                    | "allowvideostreamcopy"
                    | "allowaudiostreamcopy"
            );
        is_limit
            || match self {
                Self::AsIs => matches!(
                    folded.as_str(),
                    "videobitrate"
                        | "audiobitrate"
                        | "audiosamplerate"
                        | "maxaudiochannels"
                        | "transcodingmaxaudiochannels"
                        | "width"
                        | "height"
                        | "maxwidth"
                        | "maxheight"
                        | "framerate"
                        | "maxframerate"
                        | "transcodereasons"
                ),
                Self::Compatible => matches!(folded.as_str(), "width" | "height"),
            }
    }

    /// The parameters that count instead. Those of the same name are the client's, and get these values.
    #[must_use]
    pub const fn params(self) -> &'static [(&'static str, &'static str)] {
        match self {
            Self::AsIs => &[("VideoCodec", "copy"), ("AudioCodec", "copy")],
            Self::Compatible => &[
                ("VideoCodec", "h264"),
                ("AudioCodec", "aac"),
                ("MaxWidth", "1920"),
                ("MaxHeight", "1080"),
                ("MaxAudioChannels", "2"),
                ("TranscodingMaxAudioChannels", "2"),
                ("h264-profile", "high,main,baseline,constrainedbaseline"),
                ("h264-level", "41"),
                ("h264-rangetype", "SDR"),
                ("h264-videobitdepth", "8"),
                ("h264-deinterlace", "true"),
                ("aac-audiochannels", "2"),
            ],
        }
    }
}
