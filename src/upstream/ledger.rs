//! What the gateway has open at the server, written down: so that it is closed by the next life of a gateway that was
//! killed. One small file, replaced whole; it holds no token.
//!
//! It does not know how anything is opened or closed.

use std::collections::BTreeMap;
use std::fs;
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt;
use std::path::PathBuf;
use std::sync::{Mutex, MutexGuard, PoisonError};

use serde::{Deserialize, Serialize};
use tracing::warn;

/// Something that is open at the server.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// What stands before the server's own paths.
    pub prefix: String,
    /// The channel's item.
    pub item: String,
    /// The user in whose channel list it is looked up.
    pub user: Option<String>,
    /// The path of the job's playlist, once it is known.
    pub playlist: Option<String>,
    /// The live stream of which a consumer is held.
    pub live_stream: Option<String>,
    /// The name of the opening that the consumer is of.
    pub opening: Option<String>,
    /// Whether there is no job that could give the consumer back by itself.
    #[serde(default)]
    pub without_job: bool,
    /// The client's playback, perhaps without a name, if it is a client's and may yet be followed.
    #[serde(default)]
    pub client: Option<String>,
}

/// The ledger; without a path it forgets with the process.
#[derive(Debug)]
pub struct Ledger {
    path: Option<PathBuf>,
    open: Mutex<BTreeMap<String, Entry>>,
}

impl Ledger {
    /// Opens the ledger, and hands over what an earlier life left open, by play session.
    #[must_use]
    pub fn open(path: Option<PathBuf>) -> (Self, BTreeMap<String, Entry>) {
        let left = path.as_ref().and_then(|path| fs::read(path).ok());
        let left: BTreeMap<String, Entry> =
            left.and_then(|text| serde_json::from_slice(&text).ok()).unwrap_or_default();
        (Self { path, open: Mutex::new(left.clone()) }, left)
    }

    /// Notes what `change` makes of the entry of `play_session`.
    pub fn note(&self, play_session: &str, change: impl FnOnce(&mut Entry)) {
        let mut open = self.entries();
        let before = open.get(play_session).cloned();
        let entry = open.entry(play_session.to_owned()).or_default();
        change(entry);
        if before.as_ref() != Some(entry) {
            self.write(&open);
        }
    }

    /// What is noted of `play_session`.
    #[must_use]
    pub fn entry(&self, play_session: &str) -> Option<Entry> {
        self.entries().get(play_session).cloned()
    }

    /// Strikes out `play_session`: all of it is closed.
    pub fn strike(&self, play_session: &str) {
        let mut open = self.entries();
        if open.remove(play_session).is_some() {
            self.write(&open);
        }
    }

    fn entries(&self) -> MutexGuard<'_, BTreeMap<String, Entry>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Under the lock, so that the file is never older than what is open; a few hundred bytes, a few times an hour.
    /// The kernel keeps them when the process dies, and with the machine the server most likely dies as well: so nothing
    /// waits for the disk.
    fn write(&self, open: &BTreeMap<String, Entry>) {
        let Some(path) = &self.path else { return };
        let replaced = || -> io::Result<()> {
            let new = path.with_extension("new");
            let mut file =
                fs::OpenOptions::new().create(true).truncate(true).write(true).mode(0o600).open(&new)?;
            file.write_all(serde_json::to_string(open)?.as_bytes())?;
            fs::rename(&new, path)
        };
        if let Err(error) = replaced() {
            warn!(path = %path.display(), cause = %error, "what is open at the server cannot be written down");
        }
    }
}

#[cfg(test)]
mod tests {
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
        let entry = Entry { prefix: "/jf".to_owned(), live_stream, ..Entry::default() };
        assert_eq!(left, BTreeMap::from([("one".to_owned(), entry)]));
        ledger.note("three", |_| {});
        assert_eq!(
            Ledger::open(Some(path.clone())).1.len(),
            2,
            "what is left stays noted until it is closed"
        );
        fs::write(&path, "no ledger").unwrap();
        assert!(Ledger::open(Some(path)).1.is_empty());
    }

    #[test]
    fn what_did_not_change_is_not_written_again() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("open.json");
        let (ledger, _) = Ledger::open(Some(path.clone()));
        ledger.note("one", |entry| entry.prefix = "/jf".to_owned());
        fs::remove_file(&path).unwrap();
        ledger.note("one", |entry| entry.prefix = "/jf".to_owned());
        ledger.strike("two");
        assert!(!path.exists());
        ledger.note("two", |_| {});
        assert!(path.exists(), "a new entry is a change, though it says nothing yet");
    }
}
