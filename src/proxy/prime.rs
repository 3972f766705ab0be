//! The first play after the server's start. Jellyfin's transcode manager, made by the first HLS request, wipes the
//! transcode folder with the file of the tuner that `PlaybackInfo` has just opened in it (`jellyfin-observed.md` 5): the
//! first viewer gets an error and the tuner stays open. A harmless HLS request beforehand prevents it.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::time::timeout;

use crate::proxy::credential::Credential;
use crate::upstream::jellyfin::Jellyfin;

/// An opening waits no longer than this for it.
const PATIENCE: Duration = Duration::from_secs(2);

/// Whether the server, as far as is known, has had its first HLS request since it started.
#[derive(Debug, Default)]
pub struct Primer {
    done: AtomicBool,
}

impl Primer {
    /// The server could not be reached: it may have been started anew when it can.
    pub fn lost(&self) {
        self.done.store(false, Ordering::Relaxed);
    }

    /// Makes the request, once, in the name of whoever is about to open a channel.
    pub async fn prime(&self, jellyfin: &Jellyfin, prefix: &str, credential: &Credential) {
        if self.done.swap(true, Ordering::Relaxed) {
            return;
        }
        let reached = timeout(PATIENCE, jellyfin.touch_hls(prefix, &credential.login())).await;
        if !matches!(reached, Ok(Ok(true))) {
            self.lost();
        }
    }
}
