//! What the spool is up to, in numbers.

use std::sync::atomic::AtomicU64;

/// Counted by whoever does it, and read by whoever shows it.
#[derive(Debug, Default)]
pub(super) struct Figures {
    /// Bytes that wait to be written.
    pub(super) queued: AtomicU64,
    /// Extents on disk.
    pub(super) extents: AtomicU64,
    /// Extents that left the lists because their room was needed.
    pub(super) unlisted: AtomicU64,
    /// Pieces that were not written because too much waited.
    pub(super) dropped: AtomicU64,
    /// Pieces that the disk did not take.
    pub(super) failures: AtomicU64,
}

/// The same at a moment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SpoolView {
    /// The disk space of all extents, of which each counts whole, in bytes.
    pub used: u64,
    /// The disk space that they may take.
    pub budget: u64,
    /// Stretches of streams that viewers can no longer go back to, since their room was needed.
    pub unlisted: u64,
    /// Pieces that were not written because the disk is too slow.
    pub dropped: u64,
    /// Pieces that could not be written.
    pub failures: u64,
}
