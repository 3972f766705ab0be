//! The ledger: a small file that lists what the gateway and its clients have open at the server, so that after a crash the next process
//! can close it. It is replaced as a whole at each change, and holds no token.
//!
//! The file is written a moment after each change. Whoever opens something of the gateway's own waits for that first (`written`), so the
//! file lists all of it at any time. If the last change is lost, what a client has opened a moment before may not be listed, and
//! something may be listed that is closed already: the next process closes only what is shown to be open. While a process takes another
//! one's place, the new one keeps the file, and the old one tells it what changes. The module does not know how anything is opened or closed.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use serde::{Deserialize, Serialize};
use tokio::time::timeout;

use crate::upstream::state_file::StateFile;

/// What the file holds, for log lines.
const NAME: &str = "the ledger of what is open at the server";
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

/// A change, for the process that keeps the file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Change {
    /// The entry of this name is as follows.
    Noted(String, Entry),
    /// The entry of this name is gone.
    Struck(String),
}

/// Tells the process that keeps the file of a change.
pub type Keeper = Box<dyn Fn(Change) + Send>;

/// The ledger. Without a path it lasts no longer than the process.
#[derive(Debug)]
pub struct Ledger {
    file: StateFile,
    open: Mutex<Open>,
}

#[derive(Default)]
struct Open {
    entries: BTreeMap<String, Entry>,
    /// Since when there are those of this process.
    since: BTreeMap<String, SystemTime>,
    /// Who is told of changes while another process keeps the file.
    keeper: Option<Keeper>,
}

impl std::fmt::Debug for Open {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Open").field("entries", &self.entries).finish_non_exhaustive()
    }
}

impl Ledger {
    /// Opens the ledger. Also returns the entries that an earlier process left, by name.
    #[must_use]
    pub fn open(path: Option<PathBuf>) -> (Self, BTreeMap<String, Entry>) {
        let file = StateFile::new(path, NAME);
        let mut left: BTreeMap<String, Entry> = file.read().unwrap_or_default();
        left.values_mut().for_each(|entry| entry.inherited = true);
        let open = Open { entries: left.clone(), ..Open::default() };
        (Self { file, open: Mutex::new(open) }, left)
    }

    /// Keeps the file from now on, with the entries that another process has handed over.
    #[must_use]
    pub fn handed_over(path: Option<PathBuf>, entries: BTreeMap<String, Entry>) -> Self {
        let file = StateFile::new(path, NAME);
        file.write(&entries);
        Self { file, open: Mutex::new(Open { entries, ..Open::default() }) }
    }

    /// Leaves the file to another process, whom `keeper` tells of changes from now on. Returns the entries.
    pub fn hand_over(&self, keeper: Keeper) -> BTreeMap<String, Entry> {
        let mut open = self.lock();
        open.keeper = Some(keeper);
        open.entries.clone()
    }

    /// Keeps the file after all.
    pub fn take_back(&self) {
        let mut open = self.lock();
        open.keeper = None;
        self.file.write(&open.entries);
    }

    /// Records the entry `name` as `change` leaves it.
    pub fn note(&self, name: &str, change: impl FnOnce(&mut Entry)) {
        let mut open = self.lock();
        let before = open.entries.get(name).cloned();
        if before.is_none() {
            open.since.insert(name.to_owned(), SystemTime::now());
        }
        let entry = open.entries.entry(name.to_owned()).or_default();
        change(entry);
        if before.as_ref() != Some(entry) {
            let noted = Change::Noted(name.to_owned(), entry.clone());
            self.changed(&open, noted);
        }
    }

    /// All entries by name, each with the time of its opening, if this process has opened it.
    #[must_use]
    pub fn entries(&self) -> Vec<(String, Entry, Option<SystemTime>)> {
        let open = self.lock();
        let entries = open.entries.iter();
        entries.map(|(name, entry)| (name.clone(), entry.clone(), open.since.get(name).copied())).collect()
    }

    /// The entry `name`.
    #[must_use]
    pub fn entry(&self, name: &str) -> Option<Entry> {
        self.lock().entries.get(name).cloned()
    }

    /// Removes the entry `name`, of which everything is closed.
    pub fn strike(&self, name: &str) {
        let mut open = self.lock();
        open.since.remove(name);
        if open.entries.remove(name).is_some() {
            self.changed(&open, Change::Struck(name.to_owned()));
        }
    }

    /// Waits until the file holds all that was noted and struck out; not for long, since viewers wait too.
    pub async fn written(&self) {
        let _ = timeout(DISK_TIMEOUT, self.file.written()).await;
    }

    fn changed(&self, open: &Open, change: Change) {
        match &open.keeper {
            None => self.file.write(&open.entries),
            // Once the other process has gone, the next one finds the entry in the file, and that it is closed.
            Some(keeper) => keeper(change),
        }
    }

    fn lock(&self) -> MutexGuard<'_, Open> {
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
        assert!(ledger.entries().iter().all(|(_, _, since)| since.is_none()), "another process opened it");
        let entry = Entry { prefix: "/jf".to_owned(), live_stream, inherited: true, ..Entry::default() };
        assert_eq!(left, BTreeMap::from([("one".to_owned(), entry)]));
        ledger.note("three", |_| {});
        assert!(ledger.entries().iter().any(|(name, _, since)| name == "three" && since.is_some()));
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
    async fn one_of_two_processes_keeps_the_file() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("open.json");
        let (old, _) = Ledger::open(Some(path.clone()));
        old.note("one", |entry| entry.prefix = "/jf".to_owned());
        old.written().await;
        let (keeper, changes) = std::sync::mpsc::channel();
        let keeper: Keeper = Box::new(move |change| keeper.send(change).unwrap());
        let new = Ledger::handed_over(Some(path.clone()), old.hand_over(keeper));
        old.note("two", |_| {});
        old.strike("one");
        old.strike("one");
        new.note("three", |_| {});
        let two = Change::Noted("two".to_owned(), Entry::default());
        let told: Vec<_> = changes.try_iter().collect();
        assert_eq!(told, [two, Change::Struck("one".to_owned())]);
        new.written().await;
        assert_eq!(Ledger::open(Some(path.clone())).1.into_keys().collect::<Vec<_>>(), ["one", "three"]);
        old.take_back();
        old.written().await;
        assert_eq!(Ledger::open(Some(path)).1.into_keys().collect::<Vec<_>>(), ["two"]);
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
