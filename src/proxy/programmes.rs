//! When the programme began that is on at a channel, by the server's guide: for viewers whose playlist is to begin there.
//!
//! The server is asked in the viewer's name, at most once a minute for a channel. The module does not know how far back a stream is kept.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use moka::sync::Cache;
use tokio::time::timeout;
use tracing::debug;

use crate::upstream::jellyfin::{Jellyfin, Login};
use crate::upstream::live_tv::Programme;
use domain::key::ItemId;

/// The number of channels that are remembered.
const CHANNELS: u64 = 1000;
/// How long: the guide may change.
const REMEMBERED: Duration = Duration::from_secs(60);
/// The deadline of the server's answer. It is short, because a viewer is waiting for a playlist.
const PATIENCE: Duration = Duration::from_secs(1);

/// The programmes that are on.
#[derive(Debug)]
pub(super) struct Programmes {
    jellyfin: Jellyfin,
    known: Cache<ItemId, Option<Programme>>,
}

impl Programmes {
    /// Knows nothing yet.
    pub(super) fn new(jellyfin: Jellyfin) -> Self {
        Self { jellyfin, known: Cache::builder().max_capacity(CHANNELS).time_to_live(REMEMBERED).build() }
    }

    /// When the programme began that is on, since 1970; `None` where the guide has none, or does not answer in time.
    pub(super) async fn began(&self, prefix: &str, item: &ItemId, login: &Login) -> Option<Duration> {
        let now = SystemTime::now();
        let is_on = |programme: &Programme| programme.starts <= now && now < programme.ends;
        let programme = match self.known.get(item) {
            Some(known) if known.as_ref().is_none_or(is_on) => known,
            Some(_) | None => self.ask(prefix, item, login).await,
        };
        programme.filter(is_on)?.starts.duration_since(UNIX_EPOCH).ok()
    }

    async fn ask(&self, prefix: &str, item: &ItemId, login: &Login) -> Option<Programme> {
        match timeout(PATIENCE, self.jellyfin.programme_on(prefix, item, login)).await {
            Ok(Ok(programme)) => {
                self.known.insert(item.clone(), programme);
                programme
            }
            Ok(Err(error)) => {
                debug!(%error, "the guide cannot be read");
                None
            }
            Err(_) => {
                debug!("the server does not answer in time with its guide");
                None
            }
        }
    }
}
