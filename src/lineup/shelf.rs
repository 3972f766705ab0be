//! The last good copy of each playlist, so that a start without the provider knows its channels.
//!
//! What is kept is what came; it holds the provider's passwords, so it is for the gateway's eyes only.

use std::fs;
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use tracing::warn;

use crate::config::Location;
use domain::guid;

/// Where the copy of one playlist is; files need none.
#[derive(Clone, Debug)]
pub(super) struct Shelf(Option<PathBuf>);

impl Shelf {
    /// For the playlist at `location`, in `folder`.
    pub(super) fn new(folder: Option<&Path>, location: &Location) -> Self {
        match (folder, location) {
            (Some(folder), Location::Url(url)) => {
                Self(Some(folder.join(format!("lineup-{}.m3u", guid::md5(url.expose())))))
            }
            (None, _) | (_, Location::File(_)) => Self(None),
        }
    }

    /// The copy, if there is one.
    pub(super) fn take(&self) -> Option<Vec<u8>> {
        self.0.as_ref().and_then(|path| fs::read(path).ok())
    }

    /// Keeps `bytes` in its place.
    pub(super) fn put(&self, bytes: &[u8]) {
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
            warn!(path = %path.display(), cause = %error, "a playlist cannot be kept for the next start");
        }
    }
}
