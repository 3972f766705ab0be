//! A small file in the state directory, which is replaced as a whole at each change.
//!
//! A thread of its own writes, so that nobody waits for the disk who does not ask to. The contents reach the file in their order, but
//! for those that are out of date before their turn comes. The thread itself does not wait for the disk: the kernel keeps the bytes
//! if the process dies. What cannot be read, because the machine died in the middle or because somebody else wrote it, counts as
//! nothing.

use std::fs;
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};

use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::sync::watch;
use tracing::warn;

use crate::background;

/// See the module. Without a path, nothing is kept. When dropped, it waits until the last content is written.
#[derive(Debug)]
pub struct StateFile {
    path: Option<PathBuf>,
    /// What it holds, for log lines.
    content: &'static str,
    newest: Arc<Mutex<Newest>>,
    /// The number of the content that was written last.
    written: watch::Receiver<u64>,
    /// Rings for the thread that writes; `None` where none runs.
    bell: Option<SyncSender<()>>,
    writer: Option<JoinHandle<()>>,
}

/// The content that was last given, with its number, until its turn comes.
#[derive(Debug, Default)]
struct Newest {
    number: u64,
    text: Option<String>,
}

impl StateFile {
    /// The file at `path`, which holds `content`.
    #[must_use]
    pub fn new(path: Option<PathBuf>, content: &'static str) -> Self {
        let newest = Arc::<Mutex<Newest>>::default();
        let (written, watched) = watch::channel(0);
        let (bell, rings) = sync_channel(1);
        let writer = path.clone().and_then(|path| {
            let newest = Arc::clone(&newest);
            let write = move || write_all(&path, content, &newest, &rings, &written);
            let writer = thread::Builder::new().name("state-file".to_owned()).spawn(write);
            writer.inspect_err(|cause| warn!(%cause, "cannot write {content}")).ok()
        });
        let bell = writer.is_some().then_some(bell);
        Self { path, content, newest, written: watched, bell, writer }
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

    /// Replaces the content, soon. If that fails, the last one stays.
    pub fn write(&self, content: &impl Serialize) {
        let Some(bell) = &self.bell else { return };
        match serde_json::to_string(content) {
            Ok(text) => {
                let mut newest = lock(&self.newest);
                newest.number += 1;
                newest.text = Some(text);
            }
            Err(cause) => warn!(%cause, "cannot write {}", self.content),
        }
        // It may be ringing already.
        let _ = bell.try_send(());
    }

    /// Waits until the file holds what was written, or could not be replaced.
    pub async fn written(&self) {
        if self.bell.is_some() {
            let number = lock(&self.newest).number;
            let _ = self.written.clone().wait_for(|written| *written >= number).await;
        }
    }
}

impl Drop for StateFile {
    fn drop(&mut self) {
        self.bell = None;
        if let Some(writer) = self.writer.take() {
            // A panic of it has been reported where it happened.
            let _ = writer.join();
        }
    }
}

/// Writes the newest content whenever the bell rings, until that is gone.
fn write_all(
    path: &Path,
    content: &str,
    newest: &Mutex<Newest>,
    rings: &Receiver<()>,
    written: &watch::Sender<u64>,
) {
    while rings.recv().is_ok() {
        let (number, text) = {
            let mut newest = lock(newest);
            (newest.number, newest.text.take())
        };
        if let Some(text) = text
            && let Some(Err(cause)) =
                background::survived("a state file's writer", || replace(path, text.as_bytes()))
        {
            warn!(path = %path.display(), %cause, "cannot write {content}");
        }
        written.send_replace(number);
    }
}

fn replace(path: &Path, text: &[u8]) -> io::Result<()> {
    let new = path.with_extension("new");
    let mut file = fs::OpenOptions::new().create(true).truncate(true).write(true).mode(0o600).open(&new)?;
    file.write_all(text)?;
    fs::rename(&new, path)
}

fn lock(newest: &Mutex<Newest>) -> MutexGuard<'_, Newest> {
    newest.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(path: &Path) -> Option<u32> {
        StateFile::new(Some(path.to_owned()), "a number").read()
    }

    #[tokio::test]
    async fn the_last_content_is_written_even_if_nobody_waits_for_it() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("number.json");
        let file = StateFile::new(Some(path.clone()), "a number");
        (0..100).for_each(|number| file.write(&number));
        file.written().await;
        assert_eq!(read(&path), Some(99));
        (100..200).for_each(|number| file.write(&number));
        drop(file);
        assert_eq!(read(&path), Some(199));
    }
}
