//! The tasks that live as long as their connection, and end with the server.

use std::future::Future;

use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// Where a request that leaves HTTP behind (an upgrade) puts the task that carries it on, so that the server can
/// end it. In the extensions of every request.
#[derive(Clone, Debug, Default)]
pub struct Tunnels {
    tasks: TaskTracker,
    cut: CancellationToken,
}

impl Tunnels {
    /// Runs `task` until it ends or the server does.
    pub fn spawn<F>(&self, task: F)
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let cut = self.cut.clone();
        self.tasks.spawn(async move { cut.run_until_cancelled_owned(task).await });
    }

    /// Drops every task, and with it its sockets; returns when all are gone.
    pub(crate) async fn cut(&self) {
        self.cut.cancel();
        self.tasks.close();
        self.tasks.wait().await;
    }
}
