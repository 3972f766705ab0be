//! The thread that writes: it appends each piece to its roll's extent, and begins a new extent when that is full.

use std::collections::{BTreeMap, HashMap};
use std::io;
use std::path::PathBuf;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Weak, mpsc};
use std::time::{Duration, Instant};

use bytes::Bytes;
use tracing::warn;

use crate::background;
use crate::spool::extent::{Create, Extent, Medium, Place};
use crate::spool::figures::Figures;
use crate::spool::owner::Owner;
use domain::spool::{Budget, ExtentId};
use domain::time::Timestamp;

/// The name under which its deaths are logged.
const NAME: &str = "the spool's writer";

/// A disk that could not be written is left alone for so long.
const LEFT_ALONE: Duration = Duration::from_secs(10);

/// What is left of the disk to all others, in bytes.
const RESERVED: u64 = 2 << 30;

/// What the thread is told.
#[derive(Debug)]
pub(super) enum Job {
    /// A piece is to be written.
    Store { roll: u64, piece: u64, bytes: Bytes, owner: Arc<dyn Owner> },
    /// A roll has ended.
    End { roll: u64 },
    /// Another process has filled an extent, which is returned to `adopted`.
    Adopt { medium: Box<dyn Medium>, adopted: mpsc::Sender<Arc<Extent>> },
    /// An extent holds pieces of this owner, up to this one.
    Owned { id: ExtentId, extent: Weak<Extent>, piece: u64, owner: Weak<dyn Owner> },
}

/// An extent that holds pieces.
#[derive(Debug)]
struct Begun {
    extent: Weak<Extent>,
    owner: Weak<dyn Owner>,
    /// The last of its pieces.
    last: u64,
}

/// See the module.
#[derive(Debug)]
pub(super) struct Writer {
    folder: PathBuf,
    create: Create,
    budget: Budget,
    began: Instant,
    /// The extent that each roll is written to, and how far it is filled.
    open: HashMap<u64, (Arc<Extent>, u64)>,
    /// The extents that hold pieces.
    begun: BTreeMap<ExtentId, Begun>,
    /// Until when the disk is left alone.
    failed_until: Option<Instant>,
    figures: Arc<Figures>,
    /// The extents whose space is free.
    gone: (mpsc::Sender<ExtentId>, mpsc::Receiver<ExtentId>),
}

impl Writer {
    pub(super) fn new(folder: PathBuf, budget: u64, create: Create, figures: Arc<Figures>) -> Self {
        let (open, begun, began) = (HashMap::new(), BTreeMap::new(), Instant::now());
        let (budget, gone) = (Budget::new(budget), mpsc::channel());
        Self { folder, create, budget, began, open, begun, failed_until: None, figures, gone }
    }

    /// Works until the process ends. If it dies of a piece, that one is lost, and so are those that come soon.
    pub(super) fn run(mut self, jobs: &mpsc::Receiver<Job>) {
        for job in jobs {
            match job {
                Job::Store { roll, piece, bytes, owner } => {
                    let stored = background::survived(NAME, || self.store(roll, piece, &bytes, &owner));
                    let place = stored.unwrap_or_else(|| {
                        self.leave_alone(roll);
                        None
                    });
                    self.figures.queued.fetch_sub(bytes.len() as u64, Ordering::Relaxed);
                    background::survived(NAME, || match place {
                        Some(place) => owner.stored(piece, place),
                        None => owner.lost(piece),
                    });
                }
                Job::End { roll } => drop(self.open.remove(&roll)),
                Job::Adopt { medium, adopted } => {
                    let extent =
                        Extent::new(self.budget.adopt(), medium, (self.gone.0.clone(), &self.figures));
                    let _ = adopted.send(Arc::new(extent));
                }
                Job::Owned { id, extent, piece, owner } => {
                    self.begun.insert(id, Begun { extent, owner, last: piece });
                }
            }
        }
    }

    fn store(&mut self, roll: u64, piece: u64, bytes: &Bytes, owner: &Arc<dyn Owner>) -> Option<Place> {
        if self.failed_until.is_some_and(|until| Instant::now() < until) {
            return None;
        }
        let written = self.write(roll, piece, bytes, owner);
        match (&written, self.failed_until) {
            (Ok(_), Some(_)) => {
                self.failed_until = None;
                warn!(folder = %self.folder.display(), "the spool can be written again");
            }
            (Err(cause), None) => warn!(
                folder = %self.folder.display(),
                %cause,
                "the spool cannot be written: viewers can go back no farther than to what is in memory"
            ),
            (Ok(_), None) | (Err(_), Some(_)) => {}
        }
        match written {
            Ok(place) => place,
            Err(_) => {
                self.figures.failures.fetch_add(1, Ordering::Relaxed);
                self.leave_alone(roll);
                None
            }
        }
    }

    /// Writes nothing for a while, and what comes then to another extent.
    fn leave_alone(&mut self, roll: u64) {
        self.failed_until = Some(Instant::now() + LEFT_ALONE);
        self.open.remove(&roll);
    }

    /// Writes a piece. Returns where it lies; `None` if there is no room.
    fn write(
        &mut self,
        roll: u64,
        piece: u64,
        bytes: &Bytes,
        owner: &Arc<dyn Owner>,
    ) -> io::Result<Option<Place>> {
        let size = bytes.len() as u64;
        if size > self.budget.extent() {
            return Ok(None);
        }
        let has_room = |(_, filled): &&mut (Arc<Extent>, u64)| *filled + size <= self.budget.extent();
        if self.open.get_mut(&roll).as_ref().is_none_or(|open| !has_room(open)) {
            self.open.remove(&roll);
            let Some(extent) = self.begin()? else { return Ok(None) };
            self.open.insert(roll, (extent, 0));
        }
        let Some((extent, filled)) = self.open.get_mut(&roll) else { return Ok(None) };
        extent.write(bytes, *filled)?;
        let place = Place::new(Arc::clone(extent), *filled, bytes.len());
        *filled += size;
        let begun = Begun { extent: Arc::downgrade(extent), owner: Arc::downgrade(owner), last: piece };
        self.begun.insert(extent.id(), begun);
        Ok(Some(place))
    }

    /// Begins an extent, if there is room for one.
    fn begin(&mut self) -> io::Result<Option<Arc<Extent>>> {
        for extent in self.gone.1.try_iter() {
            self.begun.remove(&extent);
            self.budget.ended(extent);
        }
        let now = Timestamp::after_start(self.began.elapsed());
        let room = self.budget.begin(self.is_scarce(), now);
        self.figures.unlisted.fetch_add(room.unlist.len() as u64, Ordering::Relaxed);
        for extent in room.unlist {
            // What comes next belongs to a younger one.
            self.open.retain(|_, (open, _)| open.id() != extent);
            if let Some(begun) = self.begun.get(&extent)
                && let Some(owner) = begun.owner.upgrade()
            {
                owner.lost(begun.last);
            }
        }
        for extent in room.reclaim {
            if let Some(extent) = self.begun.remove(&extent).and_then(|begun| begun.extent.upgrade()) {
                extent.clear()?;
            }
        }
        let Some(id) = room.extent else { return Ok(None) };
        match (self.create)(&self.folder) {
            Ok(medium) => {
                let extent = Extent::new(id, medium, (self.gone.0.clone(), &self.figures));
                Ok(Some(Arc::new(extent)))
            }
            Err(error) => {
                self.budget.ended(id);
                Err(error)
            }
        }
    }

    /// Whether others need what the disk has left.
    fn is_scarce(&self) -> bool {
        let disk = rustix::fs::statvfs(&self.folder);
        disk.is_ok_and(|disk| disk.f_bavail.saturating_mul(disk.f_frsize) < RESERVED)
    }
}
