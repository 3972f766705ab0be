//! Large buffers in anonymous mappings: dropping one returns its memory to the system, and an unfilled part takes
//! none. An allocator keeps freed memory in holes that fit nothing else (`benches/memory.rs`).
//!
//! It does not know the content.

use std::ops::Deref;

use bytes::Bytes;
use domain::memory::Memory;
use memmap2::MmapMut;

/// The smallest growth of a buffer.
const LEAST: usize = 64 << 10;

/// A buffer that grows at its end.
#[derive(Debug)]
pub struct Mapped {
    room: Room,
    len: usize,
}

#[derive(Debug)]
enum Room {
    Mapped(MmapMut),
    /// The system refused a mapping, such as one more than a process may have, or the buffer is empty.
    Allocated(Vec<u8>),
}

impl Mapped {
    /// A copy of `bytes`, in memory of its own.
    #[must_use]
    pub fn holding(bytes: &[u8]) -> Self {
        let mut memory = Self::with_room(bytes.len());
        memory.extend_from_slice(bytes);
        memory
    }
}

impl Memory for Mapped {
    fn with_room(bytes: usize) -> Self {
        let room = match MmapMut::map_anon(bytes.max(1)) {
            Ok(mapped) => Room::Mapped(mapped),
            Err(_) => Room::Allocated(allocated(bytes)),
        };
        Self { room, len: 0 }
    }

    fn room(&self) -> usize {
        self.room.as_slice().len() - self.len
    }

    fn extend_from_slice(&mut self, bytes: &[u8]) {
        let len = self.len + bytes.len();
        if bytes.len() > self.room() {
            let mut larger = Self::with_room(len.max(2 * self.len).max(LEAST));
            larger.room.as_mut_slice()[..self.len].copy_from_slice(self);
            self.room = larger.room;
        }
        self.room.as_mut_slice()[self.len..len].copy_from_slice(bytes);
        self.len = len;
    }

    fn truncate(&mut self, len: usize) {
        self.len = self.len.min(len);
    }

    fn split_off(&mut self, at: usize) -> Self {
        let mut rest = Self::with_room(self.room.as_slice().len());
        rest.extend_from_slice(&self[at..]);
        self.truncate(at);
        rest
    }
}

impl Default for Mapped {
    fn default() -> Self {
        Self { room: Room::Allocated(Vec::new()), len: 0 }
    }
}

impl Deref for Mapped {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.room.as_slice()[..self.len]
    }
}

impl AsRef<[u8]> for Mapped {
    fn as_ref(&self) -> &[u8] {
        self
    }
}

impl From<Mapped> for Bytes {
    fn from(memory: Mapped) -> Self {
        Self::from_owner(memory)
    }
}

/// Memory of the allocator. Where there is none it panics, which ends the task that asked, with its one stream or input: left to
/// itself, the allocator would end the process.
fn allocated(bytes: usize) -> Vec<u8> {
    let mut room = Vec::new();
    assert!(room.try_reserve_exact(bytes).is_ok(), "no memory for {bytes} bytes");
    room.resize(bytes, 0);
    room
}

impl Room {
    fn as_slice(&self) -> &[u8] {
        match self {
            Self::Mapped(mapped) => mapped,
            Self::Allocated(allocated) => allocated,
        }
    }

    fn as_mut_slice(&mut self) -> &mut [u8] {
        match self {
            Self::Mapped(mapped) => mapped,
            Self::Allocated(allocated) => allocated,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_grows_and_is_split() {
        let mut memory = Mapped::default();
        let piece: Vec<u8> = (0..=250).collect();
        for _ in 0..1000 {
            memory.extend_from_slice(&piece);
        }
        assert_eq!((memory.len(), &memory[251_000 - 251..]), (251_000, &*piece));
        let rest = memory.split_off(250_000);
        assert!(memory.chunks(251).all(|chunk| piece.starts_with(chunk)));
        assert_eq!((memory.len(), rest.len(), rest[0]), (250_000, 1000, (250_000 % 251) as u8));
        assert!(rest.room() >= 250_000);
        memory.truncate(3);
        memory.extend_from_slice(b"x");
        assert_eq!(Bytes::from(memory), [0, 1, 2, b'x'].as_slice());
        assert_eq!(Bytes::from(Mapped::default()), Bytes::new());
    }

    #[test]
    fn a_lack_of_memory_ends_the_task_and_not_the_process() {
        // More than there are addresses.
        const TOO_MUCH: usize = isize::MAX as usize / 2;
        assert!(MmapMut::map_anon(TOO_MUCH).is_err());
        std::panic::catch_unwind(|| Mapped::with_room(TOO_MUCH)).unwrap_err();
        assert_eq!(allocated(3), [0; 3]);
    }
}
