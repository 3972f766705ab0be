//! Sends the server a harmless HLS request before the first opening after its start.
//!
//! Jellyfin creates its transcode manager at the first HLS request, and the manager then empties the transcode folder, including
//! the file of the tuner that `PlaybackInfo` has just opened in it (docs/jellyfin.md 5): the first viewer gets an error, and the
//! tuner stays open. An HLS request beforehand prevents that.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::sync::Mutex;
use tokio::time::{Instant, timeout};

use crate::proxy::credential::Credential;
use crate::upstream::jellyfin::Jellyfin;

/// How long an opening waits for the request, at most.
const PATIENCE: Duration = Duration::from_secs(2);

/// After so long without an opening, the server may have been restarted without the gateway noticing.
const VALID_FOR: Duration = Duration::from_secs(300);

/// Remembers whether the server has had an HLS request since it was started, as far as the gateway can know.
#[derive(Debug, Default)]
pub(crate) struct HlsWarmup {
    warmed_at: Mutex<Option<Instant>>,
    lost: AtomicBool,
}

impl HlsWarmup {
    /// The server could not be reached, so it may have been restarted by the time it answers again.
    pub(in crate::proxy) fn server_lost(&self) {
        self.lost.store(true, Ordering::Relaxed);
    }

    /// Sends the request unless it is known to have been sent, as the client that is about to open a channel. Openings that come
    /// meanwhile wait for the same request.
    pub(super) async fn run(&self, jellyfin: &Jellyfin, prefix: &str, credential: &Credential) {
        let mut warmed_at = self.warmed_at.lock().await;
        let lost = self.lost.swap(false, Ordering::Relaxed);
        let is_valid = warmed_at.is_some_and(|at| at.elapsed() < VALID_FOR);
        if is_valid && !lost {
            *warmed_at = Some(Instant::now());
            return;
        }
        let reached = timeout(PATIENCE, jellyfin.touch_hls(prefix, &credential.login())).await;
        *warmed_at = matches!(reached, Ok(Ok(true))).then(Instant::now);
    }
}
