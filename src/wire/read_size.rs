//! How many bytes one read may take: all answers that are under way share them, since a read may have to wait in memory for a
//! peer that takes nothing. Few read much at once, which costs less CPU time.

use std::sync::atomic::{AtomicU64, Ordering};

/// What all answers may read at once.
const ALL: u64 = 1 << 20;
const MOST: u64 = 256 << 10;
const LEAST: u64 = 8 << 10;
/// hyper doubles its buffer when a read fills it, so a read leaves this much of it free.
const FREE: u64 = 64;

/// The process has one memory.
static ANSWERS: AtomicU64 = AtomicU64::new(0);

/// The share of an answer, while it is under way.
#[derive(Debug)]
pub(crate) struct Share(());

impl Share {
    pub(crate) fn new() -> Self {
        ANSWERS.fetch_add(1, Ordering::Relaxed);
        Self(())
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        ANSWERS.fetch_sub(1, Ordering::Relaxed);
    }
}

/// The largest read now.
pub(crate) fn largest() -> u64 {
    of(ANSWERS.load(Ordering::Relaxed))
}

fn of(answers: u64) -> u64 {
    (ALL / answers.max(1)).clamp(LEAST, MOST) - FREE
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn few_read_much_at_once_and_many_read_little() {
        assert_eq!([0, 1, 4, 64, 4096].map(of), [262_080, 262_080, 262_080, 16_320, 8_128]);
    }
}
