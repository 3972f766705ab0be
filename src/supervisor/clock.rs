//! The pool's clock. It stands still with the process: what time passes meanwhile is nobody's silence.
//!
//! It does not know why it stands still.

use std::sync::{PoisonError, RwLock};
use std::time::Duration;

use tokio::time::Instant;

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
    /// When it would have shown zero.
    epoch: Instant,
    /// What it shows while it is stopped.
    stopped: Option<Duration>,
}

impl Clock {
    /// A clock that shows `elapsed` now.
    pub(super) fn showing(elapsed: Duration) -> Self {
        Self(RwLock::new(State { epoch: epoch_of(elapsed), stopped: None }))
    }

    /// What it shows.
    pub(super) fn elapsed(&self) -> Duration {
        let State { epoch, stopped } = self.state();
        stopped.unwrap_or_else(|| epoch.elapsed())
    }

    /// When it shows this, if it is not stopped.
    pub(super) fn instant(&self, shown: Duration) -> Instant {
        self.state().epoch + shown
    }

    /// Stops it.
    pub(super) fn stop(&self) {
        let shown = self.elapsed();
        self.0.write().unwrap_or_else(PoisonError::into_inner).stopped = Some(shown);
    }

    /// Has it go on.
    pub(super) fn go_on(&self, from: GoOn) {
        let mut state = self.0.write().unwrap_or_else(PoisonError::into_inner);
        if let (Some(shown), GoOn::WhereItStands) = (state.stopped.take(), from) {
            state.epoch = epoch_of(shown);
        }
    }

    fn state(&self) -> State {
        *self.0.read().unwrap_or_else(PoisonError::into_inner)
    }
}

/// When a clock showed zero that shows `elapsed` now.
fn epoch_of(elapsed: Duration) -> Instant {
    let now = Instant::now();
    now.checked_sub(elapsed).unwrap_or(now)
}

#[cfg(test)]
mod tests {
    use tokio::time::advance;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn the_time_in_which_it_stands_still_does_not_count() {
        const SECOND: Duration = Duration::from_secs(1);
        for (from, shown) in [(GoOn::WhereItStands, 3), (GoOn::WithThePresent, 8)] {
            let clock = Clock::showing(SECOND);
            advance(2 * SECOND).await;
            clock.stop();
            advance(5 * SECOND).await;
            assert_eq!(clock.elapsed(), 3 * SECOND);
            clock.go_on(from);
            assert_eq!(clock.elapsed(), shown * SECOND, "{from:?}");
            assert_eq!(clock.instant(10 * SECOND), Instant::now() + (10 - shown) * SECOND, "{from:?}");
            advance(SECOND).await;
            assert_eq!(clock.elapsed(), (shown + 1) * SECOND, "{from:?}");
        }
    }
}
