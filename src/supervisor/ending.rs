//! Ends the gateway in order, also because a task has died without which it does not work.
//!
//! What clients have opened is left to the ledger: they may go on with it before the next process, which settles it otherwise.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::timeout;
use tokio_util::task::AbortOnDropHandle;

use crate::supervisor::vital_tasks::Died;
use crate::supervisor::{Supervisor, driver};
use domain::key::LiveStreamId;
use domain::pool::Event;

impl Supervisor {
    /// Waits until a task has died without which the gateway does not work.
    pub async fn task_dies(&self) {
        self.vital.one_dies(|_| true).await;
    }

    /// Stops all streams and closes all inputs, even if the driver has died. What the server is opening for a client that has gone is
    /// waited for: nobody else would close it. Returns once that is done, or after `grace`.
    ///
    /// # Errors
    /// If a task without which the gateway does not work has died. What could not be given back stands in the ledger.
    pub async fn shut_down(&self, grace: Duration) -> Result<(), Died> {
        let (vital, driver) = (self.vital.clone(), Arc::clone(&self.driver));
        let _substitute = AbortOnDropHandle::new(tokio::spawn(async move {
            vital.one_dies(|name| name == driver::NAME).await;
            driver.drive_on().await;
        }));
        self.handle.tell(Event::Shutdown);
        self.tasks.close();
        let all = async {
            self.handle.until(|pool| pool.is_empty() && !pool.is_opening_or_closing()).await;
            self.tasks.wait().await;
        };
        let _ = timeout(grace, all).await;
        self.callers.ledger.written().await;
        self.remembering.end().await;
        self.ended.cancel();
        self.vital.first_died().map_or(Ok(()), Err)
    }

    /// The live streams that clients have open, which the end leaves to them.
    #[must_use]
    pub fn left_to_clients(&self) -> BTreeSet<LiveStreamId> {
        self.handle.pool().open_by_clients()
    }
}
