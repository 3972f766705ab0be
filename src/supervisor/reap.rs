//! Closing what an earlier life of the gateway left open, with the first login that the server accepts.
//!
//! A job that nobody kept alive is gone after a minute, and what the server then does with its consumer differs by version
//! (`jellyfin-observed.md` 6, `jellyfin.md` 4.4): only 10.11 leaves it to us. To close it twice would rob a viewer.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use tracing::{debug, info};

use crate::domain::key::{ItemId, LiveStreamId};
use crate::upstream::jellyfin::{Error, Hold, Jellyfin, Login, Place};
use crate::upstream::ledger::{Entry, Ledger};

/// Versions that keep the consumer of a job that died of silence.
const KEEPS_CONSUMERS: &str = "10.11.";

/// What an earlier life left open.
#[derive(Debug)]
pub(super) struct Leftovers(Mutex<BTreeMap<String, Entry>>);

impl Leftovers {
    pub(super) const fn new(left: BTreeMap<String, Entry>) -> Self {
        Self(Mutex::new(left))
    }

    /// Takes them, for one attempt to close them; empty most of the time.
    pub(super) fn take(&self) -> BTreeMap<String, Entry> {
        std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Closes `left`; what could not be closed waits for another login.
    pub(super) async fn close(
        &self,
        left: BTreeMap<String, Entry>,
        jellyfin: &Jellyfin,
        login: &Login,
        ledger: &Ledger,
    ) {
        for (play_session, entry) in left {
            match close(jellyfin, login, &play_session, &entry).await {
                Ok(()) => {
                    info!("closed what an earlier life had left open");
                    ledger.strike(&play_session);
                }
                Err(error) => {
                    debug!(cause = %error, "what an earlier life left open stays open");
                    self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(play_session, entry);
                }
            }
        }
    }
}

async fn close(jellyfin: &Jellyfin, login: &Login, play_session: &str, entry: &Entry) -> Result<(), Error> {
    let lives = match &entry.playlist {
        Some(playlist) => jellyfin.exists(playlist).await?,
        None => false,
    };
    jellyfin.end_job(&entry.prefix, play_session, login).await?;
    let (Some(live_stream), Some(item)) = (&entry.live_stream, ItemId::parse(&entry.item)) else {
        return Ok(());
    };
    let place = Place { prefix: entry.prefix.clone(), item, user: entry.user.clone() };
    let hold = Hold { live_stream: LiveStreamId::new(live_stream.as_str()), opening: entry.opening.clone() };
    let ours = lives || jellyfin.version(&entry.prefix).await?.starts_with(KEEPS_CONSUMERS);
    if ours && !jellyfin.is_another(&place, &hold, login).await? {
        jellyfin.close(&entry.prefix, &hold.live_stream, login).await?;
    }
    Ok(())
}
