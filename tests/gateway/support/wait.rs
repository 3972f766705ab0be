//! Waits for conditions and futures, but not for ever.

use std::future::Future;
use std::time::Duration;

use tokio::time::{Instant, sleep, timeout};

/// The longest that a test waits before it fails. The machine may be busy.
pub(crate) const PATIENCE: Duration = Duration::from_secs(40);

/// How often [`eventually`] checks.
const POLL: Duration = Duration::from_millis(10);

/// Waits until `check` holds.
pub(crate) async fn eventually(what: &str, mut check: impl AsyncFnMut() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !check().await {
        assert!(Instant::now() < deadline, "never happened: {what}");
        sleep(POLL).await;
    }
}

/// Waits for `future`.
pub(crate) async fn soon<T>(future: impl Future<Output = T>) -> T {
    timeout(PATIENCE, future).await.expect("took too long")
}
