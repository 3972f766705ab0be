//! Lists the reasons why a request cannot share a stream.

/// Why a request cannot be served from a shared stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unshareable {
    /// `StartTimeTicks`: the client seeks.
    StartTime,
    /// `Static`: the client asks for the source itself.
    Static,
    /// `Params`: the old positional list, which overrides the named parameters.
    Params,
    /// `SegmentContainer` is a container that the gateway does not make.
    Container,
}

impl Unshareable {
    /// The spelling in logs, metrics and JSON.
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
