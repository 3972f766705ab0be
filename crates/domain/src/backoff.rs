//! How long to wait before trying again: doubling, bounded, without chance.
//!
//! One gateway stands before one server, so there is no crowd to spread out and no jitter to draw.

use std::time::Duration;

/// The first wait.
const FIRST: Duration = Duration::from_millis(500);
/// The longest wait: a viewer who stays on a failing channel is not left waiting longer than this once it is back.
const LONGEST: Duration = Duration::from_secs(5);

/// The wait after `failures` in a row (1 = the first).
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
