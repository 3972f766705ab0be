//! The parts of a coded video, as far as finding a random access point needs them.
//!
//! A part is what stands between two start codes: a NAL unit of H.264 and HEVC, a header or slice of MPEG-2. Which bytes
//! make which part is the codecs' business.

/// How a part bears on where decoding can begin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Part {
    /// More bytes are needed to tell.
    Incomplete,
    /// It has no bearing.
    Other,
    /// Sequence parameters, which every picture behind it needs.
    Parameters,
    /// A recovery point: the pictures from here on can be decoded correctly.
    Recovery,
    /// The pictures have a high dynamic range, whatever their parameters say.
    HighDynamicRange,
    /// A slice of a picture.
    Picture {
        /// Whether it refers to no other picture, so that decoding can begin with it.
        random_access: bool,
    },
}
