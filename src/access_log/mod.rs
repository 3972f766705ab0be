//! The access log: a line of JSON for each request of a player, once its answer has ended.
//!
//! A thread writes it, so that a slow disk delays nobody: lines for which there is no room in its queue are dropped and counted. It does not
//! know which requests there are, nor what in them is secret: whoever adds an entry leaves that out.

mod entry;
mod writer;

use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{SyncSender, sync_channel};
use std::thread;

pub use crate::access_log::entry::Entry;
use crate::access_log::writer::{Output, Writer};

/// How many lines may wait to be written.
const QUEUED: usize = 4096;

/// Where the lines go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Destination {
    /// To standard output.
    Stdout,
    /// To the end of a file, which is created if it is missing.
    File(PathBuf),
}

/// See the module. Clones write the same log.
#[derive(Clone, Debug)]
pub struct AccessLog(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    entries: SyncSender<Entry>,
    dropped: AtomicU64,
    reopens: Arc<AtomicBool>,
}

impl AccessLog {
    /// Opens the log.
    ///
    /// # Errors
    /// If the file cannot be opened for writing, or no thread started.
    pub fn open(to: &Destination) -> io::Result<Self> {
        let output = match to {
            Destination::Stdout => Output::Stdout(io::stdout()),
            Destination::File(path) => Output::file(path)?,
        };
        let ((entries, received), reopens) = (sync_channel(QUEUED), Arc::new(AtomicBool::new(false)));
        let writer = Writer { output, reopens: Arc::clone(&reopens) };
        thread::Builder::new().name("access-log".to_owned()).spawn(move || writer.run(&received))?;
        Ok(Self(Arc::new(Shared { entries, dropped: AtomicU64::new(0), reopens })))
    }

    /// Adds an entry, some time later; or drops it.
    pub fn add(&self, entry: Entry) {
        if self.0.entries.try_send(entry).is_err() {
            self.0.dropped.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// How many entries were dropped, since the file could not be written as fast.
    #[must_use]
    pub fn dropped(&self) -> u64 {
        self.0.dropped.load(Ordering::Relaxed)
    }

    /// Has the next line written to the file that is then at its path: what rotates logs has moved the one before.
    pub fn reopen(&self) {
        self.0.reopens.store(true, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests;
