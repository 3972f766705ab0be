//! The ledger: a small file that lists what the gateway and its clients have open at the server, so that after a crash the next process
//! can close it. It is replaced as a whole at each change, and holds no token.
//!
//! The file is written a moment after each change. Whoever opens something of the gateway's own waits for that first (`written`), so the
//! file lists all of it at any time. If the last change is lost, what a client has opened a moment before may not be listed, and
//! something may be listed that is closed already: the next process closes only what is shown to be open. The module does not know how anything is opened or closed.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tokio::time::timeout;

use crate::upstream::state_file::StateFile;

/// How long a disk is waited for that does not answer.
const DISK_TIMEOUT: Duration = Duration::from_secs(1);

/// A job, a consumer of a live stream, or both, open at the server.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// The path before Jellyfin's own.
    pub prefix: String,
    /// The channel's item.
    pub item: String,
    /// The user in whose channel list the item is looked up.
    pub user: Option<String>,
    /// The path of the job's playlist, once the job runs.
    pub playlist: Option<String>,
    /// The live stream that the consumer belongs to.
    pub live_stream: Option<String>,
    /// The unique id of the opening that the consumer belongs to.
    pub opening: Option<String>,
    /// Whether no job exists whose end would give the consumer back.
    #[serde(default)]
    pub without_job: bool,
    /// For a client's opening that may still be used: its play session, which may be empty.
    #[serde(default)]
    pub client: Option<String>,
    /// Whether an earlier process of the gateway wrote it. The server may have been started again since.
    #[serde(skip)]
    pub inherited: bool,
}

/// The ledger. Without a path it lasts no longer than the process.
#[derive(Debug)]
pub struct Ledger {
    file: StateFile,
    open: Mutex<BTreeMap<String, Entry>>,
}

impl Ledger {
    /// Opens the ledger. Also returns the entries that an earlier process left, by name.
    #[must_use]
    pub fn open(path: Option<PathBuf>) -> (Self, BTreeMap<String, Entry>) {
        let file = StateFile::new(path, "the ledger of what is open at the server");
        let mut left: BTreeMap<String, Entry> = file.read().unwrap_or_default();
        left.values_mut().for_each(|entry| entry.inherited = true);
        (Self { file, open: Mutex::new(left.clone()) }, left)
    }

    /// Records the entry `name` as `change` leaves it.
    pub fn note(&self, name: &str, change: impl FnOnce(&mut Entry)) {
        let mut open = self.entries();
        let before = open.get(name).cloned();
        let entry = open.entry(name.to_owned()).or_default();
        change(entry);
        if before.as_ref() != Some(entry) {
            self.file.write(&*open);
        }
    }

    /// The entry `name`.
    #[must_use]
    pub fn entry(&self, name: &str) -> Option<Entry> {
        self.entries().get(name).cloned()
    }

    /// Removes the entry `name`, of which everything is closed.
    pub fn strike(&self, name: &str) {
        let mut open = self.entries();
        if open.remove(name).is_some() {
            self.file.write(&*open);
        }
    }

    /// Waits until the file holds all that was noted and struck out; not for long, since viewers wait too.
    pub async fn written(&self) {
        let _ = timeout(DISK_TIMEOUT, self.file.written()).await;
    }

    fn entries(&self) -> MutexGuard<'_, BTreeMap<String, Entry>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::process::Command;

    use super::*;

    #[test]
    fn the_next_life_finds_what_was_not_struck_out() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("open.json");
        let (ledger, left) = Ledger::open(Some(path.clone()));
        assert!(left.is_empty());
        ledger.note("one", |entry| entry.prefix = "/jf".to_owned());
        ledger.note("two", |_| {});
        ledger.note("one", |entry| entry.live_stream = Some("live".to_owned()));
        ledger.strike("two");
        drop(ledger);
        let (ledger, left) = Ledger::open(Some(path.clone()));
        let live_stream = Some("live".to_owned());
        let entry = Entry { prefix: "/jf".to_owned(), live_stream, inherited: true, ..Entry::default() };
        assert_eq!(left, BTreeMap::from([("one".to_owned(), entry)]));
        ledger.note("three", |_| {});
        drop(ledger);
        assert_eq!(
            Ledger::open(Some(path.clone())).1.len(),
            2,
            "what is left stays noted until it is closed"
        );
        fs::write(&path, "no ledger").unwrap();
        assert!(Ledger::open(Some(path)).1.is_empty());
    }

    #[tokio::test]
    async fn what_did_not_change_is_not_written_again() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("open.json");
        let (ledger, _) = Ledger::open(Some(path.clone()));
        ledger.note("one", |entry| entry.prefix = "/jf".to_owned());
        ledger.written().await;
        fs::remove_file(&path).unwrap();
        ledger.note("one", |entry| entry.prefix = "/jf".to_owned());
        ledger.strike("two");
        ledger.written().await;
        assert!(!path.exists());
        ledger.note("two", |_| {});
        ledger.written().await;
        assert!(path.exists(), "a new entry is a change, though it says nothing yet");
    }

    #[tokio::test]
    async fn who_notes_something_does_not_wait_for_the_disk() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("open.json");
        // A disk that takes its time: whoever writes into a pipe waits for a reader.
        let new = path.with_extension("new");
        assert!(Command::new("mkfifo").arg(&new).status().unwrap().success());
        let (ledger, _) = Ledger::open(Some(path.clone()));
        ledger.note("one", |_| {});
        ledger.note("two", |_| {});
        ledger.strike("one");
        fs::read(new).unwrap();
        ledger.written().await;
        ledger.note("three", |_| {});
        drop(ledger);
        let left = Ledger::open(Some(path)).1;
        assert_eq!(left.keys().collect::<Vec<_>>(), ["three", "two"]);
    }
}
