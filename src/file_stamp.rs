//! Tells whether a file has changed, without reading it.

use std::path::Path;
use std::time::SystemTime;

/// When a file was written, and how long it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FileStamp {
    modified: SystemTime,
    length: u64,
}

impl FileStamp {
    /// The stamp of the file at `path`; `None` if there is none.
    #[must_use]
    pub fn of(path: &Path) -> Option<Self> {
        let seen = std::fs::metadata(path).ok()?;
        Some(Self { modified: seen.modified().ok()?, length: seen.len() })
    }
}
