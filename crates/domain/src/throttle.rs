//! How fast a feed is pulled: no faster, for long, than it plays.
//!
//! What is sent live sets its own throttle. A file, or the past of a playlist, comes as fast as it is read, and would drive
//! every reader out of the ring. It does not know who waits.

use std::time::Duration;

use crate::time::Timestamp;

/// A stream's clock and ours differ by some millionths, and are allowed a twentieth.
const TOLERANCE: u32 = 20;

/// How far a stream has been pulled ahead of its time.
#[derive(Clone, Copy, Debug)]
pub struct Throttle {
    allowed: Duration,
    lead: Duration,
    last: Option<(Duration, Timestamp)>,
}

impl Throttle {
    /// It may be ahead by as much as is `allowed`.
    #[must_use]
    pub const fn new(allowed: Duration) -> Self {
        Self { allowed, lead: Duration::ZERO, last: None }
    }

    /// How long to wait before more is pulled of a stream that has come to `position`.
    pub fn wait(&mut self, position: Duration, now: Timestamp) -> Duration {
        if let Some((before, then)) = self.last.replace((position, now)) {
            let passed = now.since(then);
            let came = position.saturating_sub(before);
            self.lead = (self.lead + came).saturating_sub(passed + passed / TOLERANCE);
        }
        self.lead.saturating_sub(self.allowed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Milliseconds to wait at each of these milliseconds of the stream and of our clock, where 2 s are allowed.
    fn waits(moments: &[(u64, u64)]) -> Vec<u128> {
        let mut throttle = Throttle::new(Duration::from_secs(2));
        let wait = |(position, now): &(u64, u64)| {
            throttle.wait(Duration::from_millis(*position), Timestamp::from_millis(*now)).as_millis()
        };
        moments.iter().map(wait).collect()
    }

    #[test]
    fn a_burst_is_welcome_and_a_flood_waits() {
        assert_eq!(waits(&[(0, 0), (2000, 0), (3000, 0), (3000, 1000), (9000, 1000)]), [0, 0, 1000, 0, 5950]);
    }

    #[test]
    fn a_clock_that_is_a_little_fast_never_waits() {
        let day: Vec<_> = (0..86_400).map(|second| (second * 1040, second * 1000)).collect();
        assert!(waits(&day).iter().all(|wait| *wait == 0));
    }

    #[test]
    fn a_pause_is_no_credit() {
        assert_eq!(waits(&[(0, 0), (0, 60_000), (3000, 60_000)]), [0, 0, 1000]);
    }
}
