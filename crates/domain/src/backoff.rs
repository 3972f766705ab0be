//! Says how long to wait before the next attempt: twice as long each time, up to a limit.
//!
//! There is no jitter: one gateway stands in front of one server, so no crowd has to be spread out.

use std::time::Duration;

/// The wait after the first failure.
const FIRST: Duration = Duration::from_millis(500);
/// The longest wait. A viewer of a failing channel waits no longer than this once the channel is back.
const LONGEST: Duration = Duration::from_secs(5);

/// The wait after `failures` failures in a row.
#[must_use]
pub fn after(failures: u32) -> Duration {
    let doublings = failures.saturating_sub(1).min(16);
    FIRST.saturating_mul(1 << doublings).min(LONGEST)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_up_to_a_bound() {
        let waits: Vec<_> = (1..=6).map(|failures| after(failures).as_millis()).collect();
        assert_eq!(waits, [500, 1000, 2000, 4000, 5000, 5000]);
        assert_eq!(after(u32::MAX), LONGEST);
    }
}
