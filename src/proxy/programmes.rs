//! When the programme began that is on at a channel, by the server's guide: for viewers whose playlist is to begin there.
//!
//! The server is asked in the viewer's name, since it may hide programmes from some, and at most once a minute for an account and a
//! channel, also where it does not answer. The module does not know how far back a stream is kept.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use moka::sync::Cache;
use tokio::time::timeout;
use tracing::debug;

use crate::upstream::jellyfin::{Jellyfin, Login};
use crate::upstream::live_tv::Programme;
use domain::key::ItemId;
use domain::viewer::Account;

/// The number of answers that are remembered.
const ANSWERS: u64 = 1000;
/// How long: the guide may change.
const REMEMBERED: Duration = Duration::from_secs(60);
/// The deadline of the server's answer. It is short, because a viewer is waiting for a playlist.
const PATIENCE: Duration = Duration::from_secs(1);

/// The programmes that are on.
#[derive(Debug)]
pub(super) struct Programmes {
    jellyfin: Jellyfin,
    known: Cache<(ItemId, Account), Option<Programme>>,
}

impl Programmes {
    /// Knows nothing yet.
    pub(super) fn new(jellyfin: Jellyfin) -> Self {
        Self { jellyfin, known: Cache::builder().max_capacity(ANSWERS).time_to_live(REMEMBERED).build() }
    }

    /// When the programme began that is on, since 1970; `None` where the guide has none, or does not answer in time.
    pub(super) async fn began(
        &self,
        prefix: &str,
        item: &ItemId,
        account: Account,
        login: &Login,
    ) -> Option<Duration> {
        let now = SystemTime::now();
        let is_on = |programme: &Programme| programme.starts <= now && now < programme.ends;
        let asked = (item.clone(), account);
        let programme = match self.known.get(&asked) {
            Some(known) if known.as_ref().is_none_or(is_on) => known,
            Some(_) | None => {
                let programme = self.ask(prefix, item, login).await.filter(is_on);
                self.known.insert(asked, programme);
                programme
            }
        };
        programme?.starts.duration_since(UNIX_EPOCH).ok()
    }

    async fn ask(&self, prefix: &str, item: &ItemId, login: &Login) -> Option<Programme> {
        match timeout(PATIENCE, self.jellyfin.programme_on(prefix, item, login)).await {
            Ok(Ok(programme)) => programme,
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
