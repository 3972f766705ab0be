//! Keeps the last good copy of each playlist on disk, for a start while the provider is away.
//!
//! A copy holds the bytes as they came, passwords included, so only the gateway's user may read it.

use std::fs;
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use tracing::warn;

use crate::config::Location;
use domain::guid;

/// The place of one playlist's copy; `None` for a file, which needs no copy.
#[derive(Clone, Debug)]
pub(super) struct DiskCache(Option<PathBuf>);

impl DiskCache {
    /// The place in `folder` for the playlist at `location`.
    pub(super) fn new(folder: Option<&Path>, location: &Location) -> Self {
        match (folder, location) {
            (Some(folder), Location::Url(url)) => {
                Self(Some(folder.join(format!("lineup-{}.m3u", guid::md5(url.expose())))))
            }
            (None, _) | (_, Location::File(_)) => Self(None),
        }
    }

    /// The copy, if there is one.
    pub(super) fn load(&self) -> Option<Vec<u8>> {
        self.0.as_ref().and_then(|path| fs::read(path).ok())
    }

    /// Replaces the copy by `bytes`.
    pub(super) fn store(&self, bytes: &[u8]) {
        let Some(path) = &self.0 else { return };
        let replaced = || -> io::Result<()> {
            path.parent().map_or(Ok(()), fs::create_dir_all)?;
            let new = path.with_extension("new");
            let mut file =
                fs::OpenOptions::new().create(true).truncate(true).write(true).mode(0o600).open(&new)?;
            file.write_all(bytes)?;
            fs::rename(&new, path)
        };
        if let Err(error) = replaced() {
            warn!(path = %path.display(), cause = %error, "the copy of a playlist cannot be written");
        }
    }
}
