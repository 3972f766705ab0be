//! How many bytes one read may take: all connections to servers share them, since a read may have to wait in memory for a peer
//! that takes nothing. Few connections read much at once, which costs less CPU time.

use std::sync::atomic::{AtomicU64, Ordering};

/// What all connections to servers may read at once.
const ALL: u64 = 2 << 20;
const MOST: u64 = 64 << 10;
const LEAST: u64 = 8 << 10;
/// hyper doubles its buffer when a read fills it, so a read leaves this much of it free.
const FREE: u64 = 64;

/// The process has one memory.
static CONNECTIONS: AtomicU64 = AtomicU64::new(0);

/// A connection's share, while it is open.
#[derive(Debug)]
pub(crate) struct Share(());

impl Share {
    pub(crate) fn new() -> Self {
        CONNECTIONS.fetch_add(1, Ordering::Relaxed);
        Self(())
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        CONNECTIONS.fetch_sub(1, Ordering::Relaxed);
    }
}

/// The largest read now.
pub(crate) fn largest() -> u64 {
    of(CONNECTIONS.load(Ordering::Relaxed))
}

fn of(connections: u64) -> u64 {
    (ALL / connections.max(1)).clamp(LEAST, MOST) - FREE
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn few_read_much_at_once_and_many_read_little() {
        assert_eq!([0, 1, 32, 128, 4096].map(of), [65_472, 65_472, 65_472, 16_320, 8_128]);
    }
}
