//! The state of the segment that is being filled.

use crate::mpegts::clock::Ticks;

/// The segment that is being filled.
#[derive(Clone, Copy, Debug)]
pub(super) struct Segment {
    pub(super) begin: Ticks,
    pub(super) independent: bool,
    pub(super) discontinuity: bool,
    /// The last picture that was recognised.
    pub(super) last: Candidate,
}

#[derive(Clone, Copy, Debug)]
pub(super) struct Candidate {
    pub(super) at: usize,
    pub(super) time: Ticks,
    pub(super) random_access: bool,
}
