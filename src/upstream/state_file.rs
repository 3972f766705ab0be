//! A small file in the state directory, which is replaced as a whole at each change.
//!
//! It does not wait for the disk: the kernel keeps the bytes if the process dies. What cannot be read, because the machine died in
//! the middle or because somebody else wrote it, counts as nothing.

use std::fs;
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt;
use std::path::PathBuf;

use serde::Serialize;
use serde::de::DeserializeOwned;
use tracing::warn;

/// See the module. Without a path, nothing is kept.
#[derive(Debug)]
pub struct StateFile {
    path: Option<PathBuf>,
    /// What it holds, for log lines.
    content: &'static str,
}

impl StateFile {
    /// The file at `path`, which holds `content`.
    #[must_use]
    pub const fn new(path: Option<PathBuf>, content: &'static str) -> Self {
        Self { path, content }
    }

    /// What was last written.
    #[must_use]
    pub fn read<T: DeserializeOwned>(&self) -> Option<T> {
        let path = self.path.as_ref()?;
        let text = fs::read(path).ok()?;
        match serde_json::from_slice(&text) {
            Ok(content) => Some(content),
            Err(error) => {
                warn!(path = %path.display(), cause = %error, "cannot read {}: it is begun anew", self.content);
                None
            }
        }
    }

    /// Replaces the content. If that fails, the last one stays.
    pub fn write(&self, content: &impl Serialize) {
        let Some(path) = &self.path else { return };
        let replaced = || {
            let new = path.with_extension("new");
            let mut file =
                fs::OpenOptions::new().create(true).truncate(true).write(true).mode(0o600).open(&new)?;
            file.write_all(serde_json::to_string(content)?.as_bytes())?;
            fs::rename(&new, path)
        };
        if let Err(error) = replaced() {
            warn!(path = %path.display(), cause = %error, "cannot write {}", self.content);
        }
    }
}
