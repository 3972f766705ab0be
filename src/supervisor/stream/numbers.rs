//! The time by which new streams number their segments. It goes on evenly however the system's clock is set: a viewer's list that goes on
//! with another stream must not fall back.
//!
//! It does not know how numbers follow from it.

use std::sync::OnceLock;
use std::time::{Duration, Instant, SystemTime};

/// When this process has begun to count, and the time since 1970 at that moment.
static BEGUN: OnceLock<Begun> = OnceLock::new();

#[derive(Clone, Copy, Debug)]
struct Begun {
    at: Instant,
    unix: Duration,
}

/// The time since 1970 as it was when this process began, and what has passed since.
pub(in crate::supervisor) fn even_time() -> Duration {
    BEGUN.get_or_init(|| begun(Duration::ZERO)).now(Instant::now())
}

/// A process before this one has counted up to this time.
pub(in crate::supervisor) fn go_on_from(before: Duration) {
    let _ = BEGUN.set(begun(before));
}

/// The time since 1970 by the system's clock.
pub(super) fn unix_time() -> Duration {
    SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default()
}

fn begun(least: Duration) -> Begun {
    Begun { at: Instant::now(), unix: unix_time().max(least) }
}

impl Begun {
    fn now(self, now: Instant) -> Duration {
        self.unix + now.duration_since(self.at)
    }
}

#[cfg(test)]
mod tests {
    use domain::window::first_sequence;

    use super::*;

    const DAY: Duration = Duration::from_secs(24 * 3600);

    /// The process before had begun a day later by the system's clock, which has been set back since.
    #[test]
    fn numbers_go_on_where_the_clock_is_set_back() {
        let before = unix_time() + DAY;
        let begun = begun(before);
        assert!(first_sequence(begun.now(Instant::now())) >= first_sequence(before));
        let later = begun.now(begun.at + Duration::from_secs(10));
        assert_eq!(first_sequence(later), first_sequence(before) + 80);
    }
}
