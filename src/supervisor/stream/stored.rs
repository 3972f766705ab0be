//! A piece of a stream as the window holds it: in memory, or as a place on disk.
//!
//! It does not know which pieces are old.

use std::time::Duration;

use bytes::Bytes;
use http::HeaderValue;
use tokio::sync::Semaphore;
use tokio::task::spawn_blocking;
use tokio::time::timeout;
use tracing::warn;

use crate::spool::Place;
use crate::upstream::jellyfin::Media;

/// A piece.
#[derive(Clone, Debug)]
pub(super) enum Stored {
    /// In memory.
    Memory(Media),
    /// On disk; the media's body is empty.
    Disk(Media, Place),
}

impl Stored {
    /// Lets go of the memory: the piece lies on disk from now on.
    pub(super) fn move_to(&mut self, place: Place) {
        let (Self::Memory(media) | Self::Disk(media, _)) = self;
        // A header's value shares the memory of the whole head that it came in.
        let copied = |value: &HeaderValue| HeaderValue::from_bytes(value.as_bytes());
        let content_type = copied(&media.content_type).unwrap_or_else(|_| media.content_type.clone());
        let modified = media.modified.as_ref().and_then(|modified| copied(modified).ok());
        *self = Self::Disk(Media { body: Bytes::new(), content_type, modified }, place);
    }

    /// Its bytes, if they are in memory.
    pub(super) fn in_memory(&self) -> Option<&Media> {
        match self {
            Self::Memory(media) => Some(media),
            Self::Disk(..) => None,
        }
    }

    fn read(self) -> Option<Media> {
        match self {
            Self::Memory(media) => Some(media),
            Self::Disk(media, place) => match place.read() {
                Ok(body) => Some(Media { body, ..media }),
                Err(cause) => {
                    warn!(%cause, "a piece cannot be read from the spool");
                    None
                }
            },
        }
    }
}

/// How many segments are read from disk at once: a disk that hangs keeps no more threads than these.
static READERS: Semaphore = Semaphore::const_new(32);
/// How long a segment may take to be read.
const PATIENCE: Duration = Duration::from_secs(5);

/// Reads pieces; `None` if any of them cannot be read.
pub(super) async fn read(pieces: Vec<Stored>) -> Option<Vec<Media>> {
    let is_in_memory = pieces.iter().all(|piece| piece.in_memory().is_some());
    let all = || pieces.into_iter().map(Stored::read).collect();
    if is_in_memory {
        return all();
    }
    let from_disk = async {
        let permit = READERS.acquire().await.ok()?;
        let read = move || {
            let _permit = permit;
            all()
        };
        spawn_blocking(read).await.ok().flatten()
    };
    timeout(PATIENCE, from_disk).await.ok().flatten()
}
