//! A stretch of a stream on disk: a file without a name, and places in it.

use std::fs::File;
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::fs::FileExt as _;
use std::path::Path;
use std::sync::atomic::Ordering;
use std::sync::{Arc, mpsc};

use bytes::Bytes;

use crate::spool::figures::Figures;
use domain::spool::ExtentId;

/// How a file without a name is created in a folder.
pub(super) type Create = fn(&Path) -> io::Result<Box<dyn Medium>>;

/// What an extent is written to.
pub(super) trait Medium: std::fmt::Debug + Send + Sync {
    fn write(&self, bytes: &[u8], offset: u64) -> io::Result<()>;
    fn read(&self, bytes: &mut [u8], offset: u64) -> io::Result<()>;
    /// Frees the space.
    fn clear(&self) -> io::Result<()>;
    /// A descriptor of it, for another process.
    fn descriptor(&self) -> io::Result<OwnedFd>;
}

impl Medium for File {
    fn write(&self, bytes: &[u8], offset: u64) -> io::Result<()> {
        self.write_all_at(bytes, offset)
    }

    fn read(&self, bytes: &mut [u8], offset: u64) -> io::Result<()> {
        self.read_exact_at(bytes, offset)
    }

    fn clear(&self) -> io::Result<()> {
        self.set_len(0)
    }

    fn descriptor(&self) -> io::Result<OwnedFd> {
        self.try_clone().map(OwnedFd::from)
    }
}

/// Creates a file that is gone when it is closed.
pub(super) fn create(folder: &Path) -> io::Result<Box<dyn Medium>> {
    Ok(Box::new(tempfile::tempfile_in(folder)?))
}

/// See the module. Its space is free when it is dropped, which is told to `gone`.
#[derive(Debug)]
pub(super) struct Extent {
    id: ExtentId,
    medium: Box<dyn Medium>,
    gone: mpsc::Sender<ExtentId>,
    figures: Arc<Figures>,
}

impl Extent {
    pub(super) fn new(
        id: ExtentId,
        medium: Box<dyn Medium>,
        (gone, figures): (mpsc::Sender<ExtentId>, &Arc<Figures>),
    ) -> Self {
        figures.extents.fetch_add(1, Ordering::Relaxed);
        Self { id, medium, gone, figures: Arc::clone(figures) }
    }

    pub(super) const fn id(&self) -> ExtentId {
        self.id
    }

    pub(super) fn clear(&self) -> io::Result<()> {
        self.medium.clear()
    }

    pub(super) fn descriptor(&self) -> io::Result<OwnedFd> {
        self.medium.descriptor()
    }

    pub(super) fn write(&self, bytes: &[u8], offset: u64) -> io::Result<()> {
        self.medium.write(bytes, offset)
    }
}

impl Drop for Extent {
    fn drop(&mut self) {
        self.figures.extents.fetch_sub(1, Ordering::Relaxed);
        let _ = self.gone.send(self.id);
    }
}

/// Where a piece lies. While there is one, the piece can be read.
#[derive(Clone, Debug)]
pub struct Place {
    pub(super) extent: Arc<Extent>,
    pub(super) offset: u64,
    pub(super) length: usize,
}

impl Place {
    pub(super) const fn new(extent: Arc<Extent>, offset: u64, length: usize) -> Self {
        Self { extent, offset, length }
    }

    /// Reads the piece. This blocks for as long as the disk takes.
    ///
    /// # Errors
    /// If the disk cannot be read.
    pub fn read(&self) -> io::Result<Bytes> {
        let mut bytes = vec![0; self.length];
        self.extent.medium.read(&mut bytes, self.offset)?;
        Ok(bytes.into())
    }
}
