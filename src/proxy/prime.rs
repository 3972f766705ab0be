//! The first play after the server's start. Jellyfin's transcode manager, made by the first HLS request, wipes the
//! transcode folder with the file of the tuner that `PlaybackInfo` has just opened in it (`jellyfin-observed.md` 5): the
//! first viewer gets an error and the tuner stays open. A harmless HLS request beforehand prevents it.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::sync::Mutex;
use tokio::time::{Instant, timeout};

use crate::proxy::credential::Credential;
use crate::upstream::jellyfin::Jellyfin;

/// An opening waits no longer than this for it.
const PATIENCE: Duration = Duration::from_secs(2);

/// After so long without an opening the server may have been restarted unnoticed.
const BELIEVED: Duration = Duration::from_secs(300);

/// Whether the server, as far as is known, has had its first HLS request since it started.
#[derive(Debug, Default)]
pub struct Primer {
    primed_at: Mutex<Option<Instant>>,
    lost: AtomicBool,
}

impl Primer {
    /// The server could not be reached: it may have been started anew when it can.
    pub fn lost(&self) {
        self.lost.store(true, Ordering::Relaxed);
    }

    /// Makes the request, once, in the name of whoever is about to open a channel; the others wait for it.
    pub async fn prime(&self, jellyfin: &Jellyfin, prefix: &str, credential: &Credential) {
        let mut primed_at = self.primed_at.lock().await;
        let lost = self.lost.swap(false, Ordering::Relaxed);
        let believed = primed_at.is_some_and(|at| at.elapsed() < BELIEVED);
        if believed && !lost {
            *primed_at = Some(Instant::now());
            return;
        }
        let reached = timeout(PATIENCE, jellyfin.touch_hls(prefix, &credential.login())).await;
        *primed_at = matches!(reached, Ok(Ok(true))).then(Instant::now);
    }
}
