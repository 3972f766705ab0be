//! How far a stream has come, by its own time stamps where they go on evenly, else by when it arrived.
//!
//! It does not know what is stamped: pictures and sounds count alike.

use std::time::Duration;

use crate::domain::time::Timestamp;

/// Time stamps have 33 bits and count 90,000 in a second (ISO/IEC 13818-1 2.4.3.7).
const MODULUS: u64 = 1 << 33;
const HERTZ: u64 = 90_000;
/// Farther back than any reordering, so another timeline.
const BACK: u64 = 2 * HERTZ;
/// Farther on than any pause between two stamps, so another timeline.
const AHEAD: u64 = 10 * HERTZ;
/// Without a stamp for longer than this, the arrival counts.
const SPARSE: Duration = Duration::from_secs(1);

/// A clock that never goes back.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Clock {
    position: Duration,
    /// The last stamp, and where it stood.
    last: Option<(u64, Duration)>,
    /// When `position` was last moved.
    moved: Timestamp,
}

impl Clock {
    /// How far the stream has come.
    pub(super) const fn position(&self) -> Duration {
        self.position
    }

    /// Something arrived, stamped `stamp`.
    pub(super) fn advance(&mut self, stamp: Option<u64>, now: Timestamp) {
        let arrived = self.position + now.since(self.moved);
        self.position = match (self.last, stamp) {
            (None, _) => arrived,
            (Some(_), None) if now.since(self.moved) > SPARSE => arrived,
            (Some(_), None) => return,
            (Some((last, at)), Some(stamp)) => match stamp.wrapping_sub(last) % MODULUS {
                ahead if ahead <= AHEAD => self.position.max(at + Duration::from_micros(ahead * 100 / 9)),
                back if back >= MODULUS - BACK => return,
                _ => arrived,
            },
        };
        if let Some(stamp) = stamp {
            self.last = Some((stamp, self.position));
        }
        self.moved = now;
    }

    /// What follows has a timeline of its own.
    pub(super) const fn splice(&mut self) {
        self.last = None;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Milliseconds at which the clock stands after each of these arrivals: a stamp in milliseconds, and when.
    fn positions(arrivals: &[(Option<u64>, u64)]) -> Vec<u128> {
        let mut clock = Clock::default();
        arrivals
            .iter()
            .map(|(stamp, at)| {
                clock.advance(stamp.map(|ms| ms * 90 % MODULUS), Timestamp::from_millis(*at));
                clock.position().as_millis()
            })
            .collect()
    }

    #[test]
    fn stamps_count_where_there_are_any() {
        let burst = [(Some(1000), 5), (Some(2000), 5), (None, 5), (Some(4000), 6)];
        assert_eq!(positions(&burst), [5, 1005, 1005, 3005]);
        assert_eq!(positions(&[(None, 0), (None, 700), (None, 900)]), [0, 700, 900]);
    }

    #[test]
    fn pictures_out_of_order_do_not_move_it_back() {
        let reordered = [(Some(1000), 0), (Some(1120), 0), (Some(1040), 0), (Some(1160), 0)];
        assert_eq!(positions(&reordered), [0, 120, 120, 160]);
    }

    #[test]
    fn stamps_wrap_around() {
        let last = MODULUS / 90;
        assert_eq!(positions(&[(Some(last), 0), (Some(last + 500), 0)]), [0, 500]);
    }

    #[test]
    fn a_pause_is_not_counted_twice() {
        assert_eq!(
            positions(&[(Some(0), 0), (None, 6000), (Some(6000), 6010), (Some(7000), 6010)]),
            [0, 6000, 6000, 7000]
        );
    }

    #[test]
    fn a_jump_lasts_as_long_as_it_took_to_arrive() {
        let jumps = [(Some(60_000), 0), (Some(5000), 40), (Some(5500), 40), (Some(90_000), 100)];
        assert_eq!(positions(&jumps), [0, 40, 540, 600]);
    }
}
