//! Has a request answered whatever its client does, and whatever goes wrong in here: to the end after the client has gone, and after a
//! panic by the server, or with a 500 where that cannot be.
//!
//! It does not know what is answered.

use std::panic::AssertUnwindSafe;

use futures_util::FutureExt;
use http::Response;
use tokio::task::JoinError;
use tracing::error;

use crate::background::noted;
use crate::body::Body;
use crate::proxy::error::Fault;
use crate::proxy::gateway::Gateway;
use crate::proxy::miss::Miss;

impl Gateway {
    /// The answer of `answering`, which runs in a task of its own, for what has to finish even if the client does not wait.
    pub(super) async fn to_the_end(
        &self,
        answering: impl Future<Output = Response<Body>> + Send + 'static,
    ) -> Response<Body> {
        to_the_end(&self.name, answering).await
    }

    /// The answer of `answering`, and an answer after its panic too: hyper would close the connection, which other requests may share.
    pub(super) async fn answered(
        &self,
        answering: impl Future<Output = Response<Body>> + Send,
    ) -> Response<Body> {
        answered(&self.name, answering).await
    }

    /// What `work` does for a playlist; after its panic the server is to answer, which is none the worse for it.
    ///
    /// # Errors
    /// [`Miss::Panicked`] after a panic.
    pub(super) async fn outlived<T>(&self, work: impl Future<Output = T> + Send) -> Result<T, Miss> {
        noted("the answer to a playlist request", work).await.ok_or(Miss::Panicked)
    }
}

async fn to_the_end(
    name: &str,
    answering: impl Future<Output = Response<Body>> + Send + 'static,
) -> Response<Body> {
    // The task can only be cancelled with the whole runtime.
    tokio::spawn(answering).await.unwrap_or_else(|_: JoinError| panicked(name))
}

async fn answered(name: &str, answering: impl Future<Output = Response<Body>> + Send) -> Response<Body> {
    // What a panic leaves half done is behind locks, whose poison is ignored everywhere, so nothing is less safe than in a task.
    AssertUnwindSafe(answering).catch_unwind().await.unwrap_or_else(|_| panicked(name))
}

fn panicked(name: &str) -> Response<Body> {
    let fault = Fault::Panicked;
    error!(reason = fault.as_str(), "the gateway failed at a request");
    fault.response(name)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::time::Duration;

    use http::StatusCode;
    use tokio::sync::Notify;
    use tokio::time::timeout;

    use super::*;
    use crate::body;
    use crate::proxy::error::PROXY_STATUS;

    async fn panicking() -> Response<Body> {
        if std::hint::black_box(true) { panic!("as a test") } else { Response::new(body::empty()) }
    }

    #[tokio::test]
    async fn a_panic_is_answered_with_500() {
        for response in [to_the_end("gate", panicking()).await, answered("gate", panicking()).await] {
            assert_eq!(response.status(), StatusCode::INTERNAL_SERVER_ERROR);
            assert_eq!(response.headers()[PROXY_STATUS], "gate; error=proxy_internal_error");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn what_nobody_waits_for_is_finished() {
        let done = Arc::new(Notify::new());
        let tell = Arc::clone(&done);
        let answering = to_the_end("gate", async move {
            tokio::time::sleep(Duration::from_secs(8)).await;
            tell.notify_one();
            Response::new(body::empty())
        });
        timeout(Duration::from_secs(1), answering).await.unwrap_err();
        timeout(Duration::from_secs(8), done.notified()).await.unwrap();
    }
}
