//! Runs work in the background, in tasks and threads, so that a panic in it is noticed: it is logged by the work's name and counted, and
//! what is needed for good goes on or begins anew.
//!
//! A panic itself is reported where it happens, but that tells neither what is missing from then on nor how often. Tasks without
//! which the gateway does not work are not run here: their death ends it (`supervisor::vital_tasks`).

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Mutex, PoisonError};

use domain::backoff;
use futures_util::FutureExt as _;
use tokio::time::sleep;
use tracing::error;

/// How often each has died.
static DEATHS: Mutex<BTreeMap<&str, u32>> = Mutex::new(BTreeMap::new());

/// Does `work`; `None` if it dies, which is logged under this `name`. What a panic leaves half done is behind locks, whose poison
/// is ignored everywhere.
pub async fn noted<T>(name: &'static str, work: impl Future<Output = T>) -> Option<T> {
    let done = AssertUnwindSafe(work).catch_unwind().await.ok();
    if done.is_none() {
        died(name);
    }
    done
}

/// Does what `begin` begins until it returns, and begins it anew after a pause whenever it dies.
pub async fn kept<F: Future<Output = ()>>(name: &'static str, mut begin: impl FnMut() -> F) {
    let mut deaths = 0;
    while noted(name, begin()).await.is_none() {
        deaths += 1;
        sleep(backoff::after(deaths)).await;
    }
}

/// Does a piece of a thread's `work`, which outlives its death.
pub fn survived<T>(name: &'static str, work: impl FnOnce() -> T) -> Option<T> {
    let done = catch_unwind(AssertUnwindSafe(work)).ok();
    if done.is_none() {
        died(name);
    }
    done
}

/// It is logged the first time, the second, the fourth and so on, as it may die for ever.
fn died(name: &'static str) {
    let deaths = {
        let mut all = DEATHS.lock().unwrap_or_else(PoisonError::into_inner);
        let deaths = all.entry(name).or_default();
        *deaths += 1;
        *deaths
    };
    if deaths.is_power_of_two() {
        error!(name, deaths, "a background task has died");
    }
}

/// How often it has died.
#[must_use]
pub fn deaths(name: &str) -> u32 {
    DEATHS.lock().unwrap_or_else(PoisonError::into_inner).get(name).copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn dies() -> u32 {
        if std::hint::black_box(true) { panic!("as a test") } else { 0 }
    }

    #[tokio::test]
    async fn a_death_is_counted() {
        assert_eq!(noted("a test's work", async { 1 }).await, Some(1));
        assert_eq!(deaths("a test's work"), 0);
        assert_eq!(noted("a test's work", async { dies() }).await, None);
        assert_eq!(deaths("a test's work"), 1);
        assert_eq!((survived("a test's work", dies), survived("a test's work", || 2)), (None, Some(2)));
        assert_eq!(deaths("a test's work"), 2);
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_kept_begins_anew_until_it_returns() {
        let mut lives = 0;
        let begun = tokio::time::Instant::now();
        kept("a test's task", || {
            lives += 1;
            let last = lives == 3;
            async move {
                if !last {
                    dies();
                }
            }
        })
        .await;
        assert_eq!((lives, deaths("a test's task")), (3, 2));
        assert_eq!(begun.elapsed(), Duration::from_millis(1500), "it waits before it is begun anew");
    }
}
