//! Defines the memory that windows and rings ask for; a shell decides which kind it is.

use std::fmt::Debug;
use std::ops::Deref;

use bytes::Bytes;

/// Bytes that grow at their end. The gateway maps its own (`src/memory.rs`), tests use [`Vec`].
pub trait Memory: Debug + Default + Deref<Target = [u8]> + Into<Bytes> {
    /// Creates empty memory with room for `bytes` bytes.
    #[must_use]
    fn with_room(bytes: usize) -> Self;

    /// How many more bytes fit without moving.
    #[must_use]
    fn room(&self) -> usize;

    /// Appends `bytes`; moves everything to a larger place if they do not fit.
    fn extend_from_slice(&mut self, bytes: &[u8]);

    /// Keeps the first `len` bytes only.
    fn truncate(&mut self, len: usize);

    /// Splits off the bytes from `at` on, with as much room as `self` has.
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
