//! The leftovers: jobs and consumers at the server that could not be closed in time, by this process or the one before it.
//! They are closed with the first credential that the server accepts.
//!
//! A job that nobody kept alive is gone after a minute, and what the server then does with its consumer differs by version
//! (docs/jellyfin.md 6 and 7): only 10.11 leaves it to us. To close it twice would rob a viewer.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;
use tracing::{debug, info};

use crate::upstream::jellyfin::{Error, Hold, Jellyfin, Login, Place};
use crate::upstream::ledger::{Entry, Ledger};
use domain::key::{ItemId, LiveStreamId};

/// Versions that keep the consumer of a job that died of silence.
const KEEPS_CONSUMERS: &str = "10.11.";
/// Between two attempts to close the same.
const AGAIN: Duration = Duration::from_secs(10);

/// What was left open.
#[derive(Debug)]
pub(in crate::supervisor) struct Leftovers {
    ledger: Arc<Ledger>,
    left: Mutex<BTreeMap<String, Left>>,
}

#[derive(Debug)]
struct Left {
    entry: Entry,
    /// Not tried before that.
    due: Instant,
}

impl Leftovers {
    /// Those that the process before this one left in the ledger.
    pub(in crate::supervisor) fn new(ledger: Arc<Ledger>, left: BTreeMap<String, Entry>) -> Self {
        let due = Instant::now();
        let left = left.into_iter().map(|(name, entry)| (name, Left { entry, due })).collect();
        Self { ledger, left: Mutex::new(left) }
    }

    /// Adds the ledger's entry of `play_session`, which could not be closed.
    pub(in crate::supervisor) fn keep(&self, play_session: &str) {
        if let Some(entry) = self.ledger.entry(play_session) {
            self.left().insert(play_session.to_owned(), Left { entry, due: Instant::now() });
        }
    }

    /// Takes out those that are due, for one attempt to close them; mostly none are.
    pub(in crate::supervisor) fn take(&self) -> BTreeMap<String, Entry> {
        let now = Instant::now();
        let due = self.left().extract_if(.., |_, left| left.due <= now).collect::<Vec<_>>();
        due.into_iter().map(|(name, left)| (name, left.entry)).collect()
    }

    /// Closes `taken` as `login`, which belongs to `user` or may name any; what cannot be closed is kept for later.
    pub(in crate::supervisor) async fn close(
        &self,
        taken: BTreeMap<String, Entry>,
        jellyfin: &Jellyfin,
        login: &Login,
        user: Option<&str>,
    ) {
        for (play_session, entry) in taken {
            match close(jellyfin, login, user, &play_session, &entry).await {
                Ok(()) => {
                    info!("closed a leftover");
                    self.ledger.strike(&play_session);
                }
                Err(error) => {
                    debug!(cause = %error, "a leftover could not be closed");
                    self.left().insert(play_session, Left { entry, due: Instant::now() + AGAIN });
                }
            }
        }
    }

    fn left(&self) -> MutexGuard<'_, BTreeMap<String, Left>> {
        self.left.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

async fn close(
    jellyfin: &Jellyfin,
    login: &Login,
    user: Option<&str>,
    play_session: &str,
    entry: &Entry,
) -> Result<(), Error> {
    let lives = match &entry.playlist {
        Some(playlist) => jellyfin.exists(playlist).await?,
        None => false,
    };
    jellyfin.end_job(&entry.prefix, play_session, login).await?;
    let (Some(live_stream), Some(item)) = (&entry.live_stream, ItemId::parse(&entry.item)) else {
        return Ok(());
    };
    let user = user.map(str::to_owned).or_else(|| entry.user.clone());
    let place = Place { prefix: entry.prefix.clone(), item, user };
    let hold = Hold {
        live_stream: LiveStreamId::new(live_stream.as_str()),
        opening: entry.opening.clone(),
        raw: None,
    };
    let ours =
        lives || entry.without_job || jellyfin.version(&entry.prefix).await?.starts_with(KEEPS_CONSUMERS);
    if ours && !jellyfin.is_another(&place, &hold, login).await? {
        jellyfin.close(&entry.prefix, &hold.live_stream, login).await?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::upstream::fake::Fake;

    #[tokio::test(start_paused = true)]
    async fn what_cannot_be_closed_is_tried_again_but_not_at_once() {
        let fake = Fake::start(|_| async { Some((401, String::new())) }).await;
        let ledger = Arc::new(Ledger::open(None).0);
        let leftovers = Leftovers::new(Arc::clone(&ledger), BTreeMap::new());
        ledger.note("one", |entry| entry.without_job = true);
        leftovers.keep("one");
        for _ in 0..3 {
            let taken = leftovers.take();
            assert_eq!(taken.len(), 1);
            assert!(leftovers.take().is_empty(), "it is being closed");
            leftovers.close(taken, &fake.jellyfin, &Login::default(), None).await;
            assert!(leftovers.take().is_empty(), "it was tried a moment ago");
            assert!(ledger.entry("one").is_some());
            tokio::time::advance(AGAIN).await;
        }
        assert_eq!(fake.asked("/ActiveEncodings").len(), 3);
    }
}
