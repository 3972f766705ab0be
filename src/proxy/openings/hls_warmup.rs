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
    state: Mutex<State>,
    lost: AtomicBool,
}

#[derive(Debug, Default)]
struct State {
    warmed_at: Option<Instant>,
    /// When the last request was over, whatever came of it.
    tried_at: Option<Instant>,
}

impl HlsWarmup {
    /// The server could not be reached, so it may have been restarted by the time it answers again.
    pub(in crate::proxy) fn server_lost(&self) {
        self.lost.store(true, Ordering::Relaxed);
    }

    /// Sends the request unless it is known to have been sent, as the client that is about to open a channel. Openings that come
    /// meanwhile wait for the same request, and for no other.
    pub(super) async fn run(&self, jellyfin: &Jellyfin, prefix: &str, credential: &Credential) {
        let came_at = Instant::now();
        let mut state = self.state.lock().await;
        if state.tried_at.is_some_and(|at| at > came_at) {
            return;
        }
        let lost = self.lost.swap(false, Ordering::Relaxed);
        let is_valid = state.warmed_at.is_some_and(|at| at.elapsed() < VALID_FOR);
        if is_valid && !lost {
            state.warmed_at = Some(Instant::now());
            return;
        }
        let reached = timeout(PATIENCE, jellyfin.touch_hls(prefix, &credential.login())).await;
        let now = Instant::now();
        *state = State { warmed_at: matches!(reached, Ok(Ok(true))).then_some(now), tried_at: Some(now) };
    }
}

#[cfg(test)]
mod tests {
    use futures_util::future::join_all;
    use http::{HeaderMap, Uri};

    use super::*;
    use crate::proxy::query::Query;
    use crate::upstream::fake::Fake;

    /// A server that does not answer costs each opening two seconds, however many come at once.
    #[tokio::test(start_paused = true)]
    async fn openings_that_come_together_wait_for_one_request() {
        let fake = Fake::start(|_| async {
            tokio::time::sleep(Duration::from_secs(60)).await;
            None
        })
        .await;
        let query = Query::of(&Uri::from_static("/x?ApiKey=t"));
        let credential = Credential::of(&HeaderMap::new(), &query).unwrap();
        let (warmup, began) = (HlsWarmup::default(), Instant::now());
        join_all((0..5).map(|_| warmup.run(&fake.jellyfin, "", &credential))).await;
        assert!(began.elapsed() < PATIENCE * 2, "{:?}", began.elapsed());
        assert_eq!(fake.asked("live.m3u8").len(), 1);
        warmup.run(&fake.jellyfin, "", &credential).await;
        assert_eq!(fake.asked("live.m3u8").len(), 2, "who comes later tries again");
    }
}
