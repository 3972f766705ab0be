//! Where the large parts of a stream are kept: the cutter and the ring ask for memory, a shell says which kind.
//!
//! It knows no allocator and no system call.

use std::fmt::Debug;
use std::ops::Deref;

use bytes::Bytes;

/// Bytes that grow at their end. [`Vec`] will do; the gateway maps its own (`src/memory.rs`).
pub trait Memory: Debug + Default + Deref<Target = [u8]> + Into<Bytes> {
    /// Empty memory with room for `bytes` bytes.
    #[must_use]
    fn with_room(bytes: usize) -> Self;

    /// How many more bytes fit without moving.
    #[must_use]
    fn room(&self) -> usize;

    /// Appends `bytes`; where they do not fit, everything moves to a larger place.
    fn extend_from_slice(&mut self, bytes: &[u8]);

    /// Drops all but the first `len` bytes.
    fn truncate(&mut self, len: usize);

    /// Takes off the bytes from `at` on; they get as much room as `self` has.
    #[must_use]
    fn split_off(&mut self, at: usize) -> Self;
}

impl Memory for Vec<u8> {
    fn with_room(bytes: usize) -> Self {
        Self::with_capacity(bytes)
    }

    fn room(&self) -> usize {
        self.capacity() - self.len()
    }

    fn extend_from_slice(&mut self, bytes: &[u8]) {
        Self::extend_from_slice(self, bytes);
    }

    fn truncate(&mut self, len: usize) {
        Self::truncate(self, len);
    }

    fn split_off(&mut self, at: usize) -> Self {
        Self::split_off(self, at)
    }
}
