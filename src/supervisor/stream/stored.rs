//! A piece of a stream as the window holds it: in memory, or as a place on disk.
//!
//! It does not know which pieces are old.

use tokio::task::spawn_blocking;
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
        *self = Self::Disk(Media { body: bytes::Bytes::new(), ..media.clone() }, place);
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

/// Reads pieces; `None` if any of them cannot be read.
pub(super) async fn read(pieces: Vec<Stored>) -> Option<Vec<Media>> {
    let is_in_memory = pieces.iter().all(|piece| piece.in_memory().is_some());
    let all = || pieces.into_iter().map(Stored::read).collect();
    if is_in_memory { all() } else { spawn_blocking(all).await.ok().flatten() }
}
