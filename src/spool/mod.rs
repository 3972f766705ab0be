//! Keeps old pieces of streams on disk, in files that have no name: they are gone with the process, however it ends.
//!
//! All writing is done by one thread, so that a slow disk delays no viewer. The module does not know what a piece is, nor who may
//! still ask for it; `domain::spool` decides how the disk space is shared.

mod extent;
mod figures;
pub mod handed_over;
mod owner;
mod writer;

use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, mpsc};
use std::thread;

use bytes::Bytes;

pub use crate::spool::extent::Place;
use crate::spool::figures::Figures;
pub use crate::spool::figures::SpoolView;
pub use crate::spool::owner::Owner;
use crate::spool::writer::{Job, Writer};
use domain::spool::Budget;

/// The most that waits to be written, in bytes: a disk that is slower than that loses pieces.
const QUEUED: u64 = 64 << 20;

/// The spool.
#[derive(Clone, Debug)]
pub struct Spool {
    jobs: mpsc::Sender<Job>,
    figures: Arc<Figures>,
    budget: u64,
    next_roll: Arc<AtomicU64>,
}

/// The pieces of one owner. They are forgotten when it is dropped; the space of each is free when its [`Place`] is dropped too.
#[derive(Debug)]
pub struct Roll {
    spool: Spool,
    id: u64,
}

impl Spool {
    /// Opens a spool in this folder, which is created if it is missing, of at most `budget` bytes.
    ///
    /// # Errors
    /// If no file can be written in the folder, or no thread started.
    pub fn open(folder: &Path, budget: u64) -> io::Result<Self> {
        Self::with(folder, budget, extent::create)
    }

    /// The same, with files from `create`.
    fn with(folder: &Path, budget: u64, create: extent::Create) -> io::Result<Self> {
        std::fs::create_dir_all(folder)?;
        drop(create(folder)?);
        let (jobs, received) = mpsc::channel();
        let figures = Arc::new(Figures::default());
        let writer = Writer::new(PathBuf::from(folder), budget, create, Arc::clone(&figures));
        thread::Builder::new().name("spool".to_owned()).spawn(move || writer.run(&received))?;
        Ok(Self { jobs, figures, budget, next_roll: Arc::default() })
    }

    /// What it is up to.
    #[must_use]
    pub fn view(&self) -> SpoolView {
        let get = |figure: &AtomicU64| figure.load(Ordering::Relaxed);
        SpoolView {
            used: get(&self.figures.extents) * Budget::new(self.budget).extent(),
            budget: self.budget,
            unlisted: get(&self.figures.unlisted),
            dropped: get(&self.figures.dropped),
            failures: get(&self.figures.failures),
        }
    }

    /// A new roll.
    #[must_use]
    pub fn roll(&self) -> Roll {
        Roll { spool: self.clone(), id: self.next_roll.fetch_add(1, Ordering::Relaxed) }
    }
}

impl Roll {
    /// Writes a piece behind the earlier ones, some time later. Its owner is told then.
    pub fn store(&self, piece: u64, bytes: Bytes, owner: Arc<dyn Owner>) {
        let size = bytes.len() as u64;
        let Figures { queued, dropped, .. } = &*self.spool.figures;
        if queued.fetch_add(size, Ordering::Relaxed) + size > QUEUED {
            queued.fetch_sub(size, Ordering::Relaxed);
            dropped.fetch_add(1, Ordering::Relaxed);
            owner.lost(piece);
            return;
        }
        // The thread lives as long as this spool.
        let _ = self.spool.jobs.send(Job::Store { roll: self.id, piece, bytes, owner });
    }
}

impl Drop for Roll {
    fn drop(&mut self) {
        let _ = self.spool.jobs.send(Job::End { roll: self.id });
    }
}

#[cfg(test)]
mod tests;
