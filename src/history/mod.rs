//! What was watched, by whom, and how viewers came there, in a file of SQLite that its owner can read (docs/history.md).
//!
//! ```text
//! write ──► queue ──► the writer: one transaction a second at most ──► file ──► read, and what the next process begins with
//!             └── full: the entry is lost, and counted
//! ```
//!
//! Nobody waits for the disk. It does not know how anything was learned, nor what is made of it. All its times are since 1970.

mod entry;
mod error;
mod file;
mod key;
mod past;
mod reading;
mod tables;
mod writer;

#[cfg(test)]
mod tests;

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{SyncSender, TrySendError, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use tokio::sync::{Semaphore, oneshot};
use tokio::task::spawn_blocking;
use tokio::time::{sleep, timeout};
use tracing::warn;

use crate::history::file::File;
use crate::history::writer::{Job, QUEUE, write_all};

pub use crate::history::entry::{Entry, Zapped};
pub use crate::history::error::HistoryError;
pub use crate::history::file::Settings;
pub use crate::history::key::Key;
pub use crate::history::past::Past;
pub use crate::history::reading::{Query, Viewing};

/// How many read at a time.
const READERS: usize = 2;
/// How many names are kept in mind as written.
const NAMED: usize = 1000;
/// How long whoever waits for the writer does so, and how long until a full queue is tried again.
const PATIENCE: Duration = Duration::from_secs(2);
const FULL: Duration = Duration::from_millis(10);

/// See the module. Clones share everything.
#[derive(Clone, Debug)]
pub struct History(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    settings: Settings,
    key: Key,
    jobs: SyncSender<Job>,
    lost: AtomicU64,
    named: Mutex<BTreeSet<u64>>,
    readers: Arc<Semaphore>,
}

impl History {
    /// Opens the file, or begins one, and returns what it tells of the past. Blocks for as long as that takes. Unless this process `follows`
    /// another one without a cut, nobody has watched since that process ended.
    ///
    /// # Errors
    /// See [`HistoryError`]. A damaged file is none: it is set aside.
    pub fn open(settings: Settings, follows: bool) -> Result<(Self, Past), HistoryError> {
        let key = Key::beside(&settings.path)?;
        let (file, past) = File::open(&settings, follows)?;
        let (jobs, to_do) = sync_channel(QUEUE);
        thread::Builder::new()
            .name("history".to_owned())
            .spawn(move || write_all(file, &to_do))
            .map_err(HistoryError::Io)?;
        let (lost, named, readers) = (AtomicU64::new(0), Mutex::default(), Arc::new(Semaphore::new(READERS)));
        Ok((Self(Arc::new(Shared { settings, key, jobs, lost, named, readers })), past))
    }

    /// The key of the fingerprints.
    #[must_use]
    pub fn key(&self) -> &Key {
        &self.0.key
    }

    /// Has an entry written soon. If the queue is full, it is lost.
    pub fn write(&self, entry: Entry) {
        match self.0.jobs.try_send(Job::Write(entry)) {
            Ok(()) => {}
            Err(TrySendError::Full(_) | TrySendError::Disconnected(_)) => {
                let lost = self.0.lost.fetch_add(1, Ordering::Relaxed) + 1;
                // It may be so for long.
                if lost.is_power_of_two() {
                    warn!(lost, "the history is not written fast enough: some of it is lost");
                }
            }
        }
    }

    /// Has the name behind a fingerprint written, if names are kept and it is known.
    pub fn name(&self, fingerprint: Option<u64>, name: impl FnOnce() -> Option<String>) {
        let Some(fingerprint) = fingerprint.filter(|_| self.0.settings.identify) else { return };
        let mut named = self.0.named.lock().unwrap_or_else(PoisonError::into_inner);
        if named.len() >= NAMED {
            named.clear();
        }
        if !named.contains(&fingerprint)
            && let Some(name) = name()
        {
            named.insert(fingerprint);
            self.write(Entry::Person(fingerprint, name));
        }
    }

    /// Waits until all that was to be written before is in the file, for a while.
    pub async fn written(&self) {
        let (done, is_done) = oneshot::channel();
        let mut job = Job::Flush(done);
        let all = async {
            while let Err(TrySendError::Full(back)) = self.0.jobs.try_send(job) {
                job = back;
                sleep(FULL).await;
            }
            // A writer that has gone writes nothing more.
            let _ = is_done.await;
        };
        let _ = timeout(PATIENCE, all).await;
    }

    /// The newest viewings that a query asks for.
    ///
    /// # Errors
    /// If the file cannot be read.
    pub async fn read(&self, query: Query) -> Result<Vec<Viewing>, HistoryError> {
        let place = Arc::clone(&self.0.readers).acquire_owned().await;
        let path = self.0.settings.path.clone();
        // Whoever asked may go while it is read.
        let read = spawn_blocking(move || {
            let _place = place;
            reading::read(&path, &query)
        });
        let read = read.await;
        read.unwrap_or(Err(HistoryError::Died))
    }
}
