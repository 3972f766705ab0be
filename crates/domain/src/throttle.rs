//! Limits how fast a feed is pulled to the speed at which it plays.
//!
//! A live source sets its own speed. A file, or the past of a playlist, arrives as fast as it is read, and would push
//! every reader out of the ring.

use std::time::Duration;

use crate::time::Timestamp;

/// The clock of a stream may run faster than ours by a twentieth; real clocks differ by a few millionths.
const TOLERANCE: u32 = 20;

/// How far a stream has been pulled ahead of its time.
#[derive(Clone, Copy, Debug)]
pub struct Throttle {
    allowed: Duration,
    lead: Duration,
    last: Option<(Duration, Timestamp)>,
}

impl Throttle {
    /// Lets a stream be ahead by `allowed`.
    #[must_use]
    pub const fn new(allowed: Duration) -> Self {
        Self { allowed, lead: Duration::ZERO, last: None }
    }

    /// How long to wait before pulling more of a stream that has come to `position`.
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

    /// Milliseconds to wait at each position of the stream and time, both in milliseconds, where a lead of 2 s is
    /// allowed.
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
