//! Why a request gets no shared stream.

/// Why a request cannot be served from a stream that others share.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unshareable {
    /// `StartTimeTicks`: a seek.
    StartTime,
    /// `Static`: the source itself is asked for.
    Static,
    /// `Params`: the old positional list, which overrides the named parameters.
    Params,
    /// `SegmentContainer` is not `ts`: fragmented MP4 needs an initialisation segment.
    Container,
}

impl Unshareable {
    /// Its name in logs, metrics and JSON.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::StartTime => "start-time",
            Self::Static => "static",
            Self::Params => "params",
            Self::Container => "container",
        }
    }
}
