//! The pool's clock. It stands still with the process: what time passes meanwhile is nobody's silence.
//!
//! It does not know why it stands still.

use std::sync::{PoisonError, RwLock};

use tokio::time::Instant;

use domain::time::Timestamp;

/// Where a clock goes on that was stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum GoOn {
    /// With what it shows.
    WhereItStands,
    /// With what it would show if it had not been stopped.
    WithThePresent,
}

/// See the module.
#[derive(Debug)]
pub(super) struct Clock(RwLock<State>);

#[derive(Clone, Copy, Debug)]
struct State {
    /// A moment on tokio's clock and on this one. Tokio's may not reach back to when this one showed zero.
    moment: (Instant, Timestamp),
    is_stopped: bool,
}

impl Clock {
    /// A clock that shows this now.
    pub(super) fn showing(shown: Timestamp) -> Self {
        Self(RwLock::new(State { moment: (Instant::now(), shown), is_stopped: false }))
    }

    /// What it shows.
    pub(super) fn now(&self) -> Timestamp {
        let State { moment: (at, shown), is_stopped } = self.state();
        if is_stopped { shown } else { shown + at.elapsed() }
    }

    /// When it shows this, if it is not stopped.
    pub(super) fn instant(&self, then: Timestamp) -> Instant {
        let (at, shown) = self.state().moment;
        at.checked_sub(shown.since(then)).unwrap_or(at) + then.since(shown)
    }

    /// Stops it.
    pub(super) fn stop(&self) {
        let shown = self.now();
        *self.0.write().unwrap_or_else(PoisonError::into_inner) =
            State { moment: (Instant::now(), shown), is_stopped: true };
    }

    /// Has it go on.
    pub(super) fn go_on(&self, from: GoOn) {
        let mut state = self.0.write().unwrap_or_else(PoisonError::into_inner);
        if state.is_stopped && from == GoOn::WhereItStands {
            state.moment.0 = Instant::now();
        }
        state.is_stopped = false;
    }

    fn state(&self) -> State {
        *self.0.read().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::time::advance;

    use super::*;

    fn at(seconds: u64) -> Timestamp {
        Timestamp::after_start(Duration::from_secs(seconds))
    }

    #[tokio::test(start_paused = true)]
    async fn the_time_in_which_it_stands_still_does_not_count() {
        const SECOND: Duration = Duration::from_secs(1);
        for (from, shown) in [(GoOn::WhereItStands, 3), (GoOn::WithThePresent, 8)] {
            let clock = Clock::showing(at(1));
            advance(2 * SECOND).await;
            clock.stop();
            advance(5 * SECOND).await;
            assert_eq!(clock.now(), at(3));
            clock.go_on(from);
            assert_eq!(clock.now(), at(shown), "{from:?}");
            let due = Instant::now() + SECOND * (10 - u32::try_from(shown).unwrap());
            assert_eq!(clock.instant(at(10)), due, "{from:?}");
            advance(SECOND).await;
            assert_eq!(clock.now(), at(shown + 1), "{from:?}");
        }
    }
}
