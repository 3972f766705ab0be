//! Converts time stamps of the 90 kHz clock, which wrap at 2³³, every 26.5 hours.
//!
//! It does not know what lies between two stamps, nor whether a jump is intended.

use std::time::Duration;

/// A moment or a span on the 90 kHz clock.
pub type Ticks = i64;

/// Ticks per second.
pub const HERTZ: Ticks = 90_000;

/// The value at which stamps wrap.
const WRAP: Ticks = 1 << 33;

/// The unwrapped moment nearest to `reference` that has the stamp `stamp`.
#[must_use]
pub const fn nearest(stamp: Ticks, reference: Ticks) -> Ticks {
    let ahead = stamp.wrapping_sub(reference).rem_euclid(WRAP);
    reference.wrapping_add(if ahead >= WRAP / 2 { ahead - WRAP } else { ahead })
}

/// Converts a duration to ticks.
#[must_use]
pub fn ticks(span: Duration) -> Ticks {
    Ticks::try_from(span.as_micros() * 9 / 100).unwrap_or(Ticks::MAX)
}

/// Converts ticks to a duration; negative ticks become zero.
#[must_use]
pub fn duration(ticks: Ticks) -> Duration {
    Duration::from_nanos(u64::try_from(ticks).unwrap_or(0).saturating_mul(100_000) / 9)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stamp_means_the_nearest_moment() {
        let cases = [
            (5, 0, 5),
            (0, WRAP - 1, WRAP),
            (WRAP - 1, 3 * WRAP, 3 * WRAP - 1),
            (100, 3 * WRAP + 90, 3 * WRAP + 100),
            (WRAP - 10, 5, -10),
        ];
        for (stamp, reference, moment) in cases {
            assert_eq!(nearest(stamp, reference), moment, "{stamp} near {reference}");
        }
    }

    #[test]
    fn ticks_and_durations_mean_the_same() {
        for span in [0, 1, 40, 500, 3000, 95_443_717] {
            let span = Duration::from_millis(span);
            assert_eq!(duration(ticks(span)), span);
        }
        assert_eq!(duration(-1), Duration::ZERO);
    }
}
