//! Closes leftovers: jobs and consumers at the server that this process or an earlier one could not close in time.
//!
//! They are closed with the first credential that the server accepts. The server ends a job that nobody polls after a minute.
//! Only 10.11 then keeps the job's consumer open (docs/jellyfin.md 6 and 7); on other versions closing it again would remove a
//! viewer's. The module does not know why something was left open.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;
use tracing::{debug, info};

use crate::upstream::jellyfin::{Error, Hold, Jellyfin, Login, Place};
use crate::upstream::ledger::{Entry, Ledger};
use domain::key::{ItemId, LiveStreamId};

/// The versions that keep the consumer open when a job times out.
const VERSION_KEEPING_CONSUMERS: &str = "10.11.";
/// The delay between two attempts to close a leftover.
const RETRY_DELAY: Duration = Duration::from_secs(10);

/// The leftovers, by their name in the ledger.
#[derive(Debug)]
pub(in crate::supervisor) struct Leftovers {
    ledger: Arc<Ledger>,
    leftovers: Mutex<BTreeMap<String, Leftover>>,
}

#[derive(Debug)]
struct Leftover {
    entry: Entry,
    /// When it is next tried.
    due: Instant,
}

impl Leftovers {
    /// The leftovers that an earlier process left in the ledger.
    pub(in crate::supervisor) fn new(ledger: Arc<Ledger>, left: BTreeMap<String, Entry>) -> Self {
        let due = Instant::now();
        let left = left.into_iter().map(|(name, entry)| (name, Leftover { entry, due })).collect();
        Self { ledger, leftovers: Mutex::new(left) }
    }

    /// Adds the ledger's entry `name`, which could not be closed.
    pub(in crate::supervisor) fn keep(&self, name: &str) {
        if let Some(entry) = self.ledger.entry(name) {
            self.leftovers().insert(name.to_owned(), Leftover { entry, due: Instant::now() });
        }
    }

    /// Takes the leftovers that are due, for one attempt to close them.
    pub(in crate::supervisor) fn take(&self) -> BTreeMap<String, Entry> {
        let now = Instant::now();
        let due = self.leftovers().extract_if(.., |_, leftover| leftover.due <= now).collect::<Vec<_>>();
        due.into_iter().map(|(name, leftover)| (name, leftover.entry)).collect()
    }

    /// Closes `taken` with `login`, whose user is `user`; `None` if it may name any. Keeps the ones that fail for another attempt.
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
                    info!(item = entry.item, "closed a leftover at the server");
                    self.ledger.strike(&play_session);
                }
                Err(error) => {
                    debug!(item = entry.item, cause = %error, "could not close a leftover at the server");
                    self.leftovers()
                        .insert(play_session, Leftover { entry, due: Instant::now() + RETRY_DELAY });
                }
            }
        }
    }

    fn leftovers(&self) -> MutexGuard<'_, BTreeMap<String, Leftover>> {
        self.leftovers.lock().unwrap_or_else(PoisonError::into_inner)
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
    let ours = lives
        || entry.without_job
        || jellyfin.version(&entry.prefix).await?.starts_with(VERSION_KEEPING_CONSUMERS);
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
    async fn a_leftover_that_cannot_be_closed_is_retried_after_a_delay() {
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
            tokio::time::advance(RETRY_DELAY).await;
        }
        assert_eq!(fake.asked("/ActiveEncodings").len(), 3);
    }
}
