//! A segment under way.

use crate::mpegts::clock::Ticks;

/// A segment under way.
#[derive(Clone, Copy, Debug)]
pub(super) struct Segment {
    pub(super) begin: Ticks,
    pub(super) independent: bool,
    pub(super) discontinuity: bool,
    /// The last picture in it that is understood: where it begins in the body, when, and whether decoding may begin.
    pub(super) last: Candidate,
}

#[derive(Clone, Copy, Debug)]
pub(super) struct Candidate {
    pub(super) at: usize,
    pub(super) time: Ticks,
    pub(super) random_access: bool,
}
