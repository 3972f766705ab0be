//! Runs the tasks without which the gateway does not work, until it has ended. The end of one before that is known at once, by
//! the task's name, whether the task has panicked or returned.
//!
//! It does not know what the tasks do, nor what follows from the end of one.

use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use tracing::error;

/// A task without which the gateway does not work has ended.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the task \"{0}\", without which the gateway does not work, has ended")]
pub struct Died(pub(in crate::supervisor) &'static str);

/// See the module. Clones share everything.
#[derive(Clone, Debug)]
pub(super) struct VitalTasks {
    ended: CancellationToken,
    died: watch::Sender<Vec<&'static str>>,
}

impl VitalTasks {
    /// No tasks yet. They run until `ended`.
    pub(super) fn new(ended: CancellationToken) -> Self {
        Self { ended, died: watch::Sender::default() }
    }

    /// Starts a task that would go on for ever.
    pub(super) fn start(&self, name: &'static str, task: impl Future<Output = ()> + Send + 'static) {
        let this = self.clone();
        tokio::spawn(async move {
            let result = tokio::spawn(this.ended.clone().run_until_cancelled_owned(task)).await;
            if this.ended.is_cancelled() {
                return;
            }
            // The panic itself has been reported where it happened.
            let panicked = result.is_err();
            error!(task = name, panicked, "a task without which the gateway does not work has ended");
            this.died.send_modify(|died| died.push(name));
        });
    }

    /// The first task that has died.
    pub(super) fn first_died(&self) -> Option<Died> {
        self.died.borrow().first().copied().map(Died)
    }

    /// Waits until a task has died for which `is_meant`.
    pub(super) async fn one_dies(&self, is_meant: impl Fn(&str) -> bool) {
        // The sender lives as long as this value.
        let _ = self.died.subscribe().wait_for(|died| died.iter().any(|name| is_meant(name))).await;
    }
}

#[cfg(test)]
mod tests {
    use std::future::{pending, ready};

    use super::*;

    #[tokio::test]
    async fn a_task_that_panics_or_returns_has_died() {
        let vital = VitalTasks::new(CancellationToken::new());
        vital.start("one", pending());
        assert_eq!(vital.first_died(), None);
        vital.start("two", async { assert!(!std::hint::black_box(true), "as a test") });
        vital.one_dies(|_| true).await;
        vital.start("three", ready(()));
        vital.one_dies(|name| name == "three").await;
        assert_eq!(vital.first_died(), Some(Died("two")));
    }

    #[tokio::test]
    async fn a_task_that_ends_with_the_gateway_has_not() {
        let ended = CancellationToken::new();
        let vital = VitalTasks::new(ended.clone());
        let (running, runs) = tokio::sync::oneshot::channel::<()>();
        vital.start("one", async move {
            let _running = running;
            pending().await
        });
        ended.cancel();
        assert!(runs.await.is_err(), "it has ended");
        tokio::task::yield_now().await;
        assert_eq!(vital.first_died(), None);
    }
}
