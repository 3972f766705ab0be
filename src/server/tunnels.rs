//! Tracks the tasks that serve a connection, and ends them with the server.

use std::future::Future;

use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// The tasks of all connections. It is in the extensions of every request, so that an upgrade can add the task that carries its bytes.
#[derive(Clone, Debug, Default)]
pub struct Tunnels {
    tasks: TaskTracker,
    cut: CancellationToken,
}

impl Tunnels {
    /// Runs `task` until it ends or the server stops.
    pub fn spawn<F>(&self, task: F)
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let cut = self.cut.clone();
        // Each future that another one takes and waits for has room for it twice, 20 KiB for a connection that is idle.
        let task = Box::pin(task);
        self.tasks.spawn(async move { cut.run_until_cancelled_owned(task).await });
    }

    /// Waits until every task has ended by itself.
    pub(crate) async fn ended(&self) {
        self.tasks.close();
        self.tasks.wait().await;
    }

    /// Drops every task, and with it its sockets. Returns when all are dropped.
    pub(crate) async fn cut(&self) {
        self.cut.cancel();
        self.tasks.close();
        self.tasks.wait().await;
    }
}
