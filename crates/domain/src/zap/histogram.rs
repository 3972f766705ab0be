//! Counts waits by their length.

use std::time::Duration;

/// The upper bounds of the classes, in milliseconds: finer where a viewer feels the difference.
pub const BOUNDS: [u64; 12] = [50, 100, 200, 350, 500, 1_000, 2_000, 3_000, 5_000, 8_000, 13_000, 20_000];

/// How many waits there were of which length.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Histogram {
    /// Those up to each of [`BOUNDS`] and above the one before; the last are longer than all.
    pub counts: [u64; BOUNDS.len() + 1],
    /// All of them together.
    pub sum: Duration,
}

impl Histogram {
    /// Counts a wait.
    pub fn add(&mut self, wait: Duration) {
        let class = BOUNDS.partition_point(|bound| wait > Duration::from_millis(*bound));
        self.counts[class] += 1;
        self.sum += wait;
    }

    /// How many there were.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.counts.iter().sum()
    }
}
