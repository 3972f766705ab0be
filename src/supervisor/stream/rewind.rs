//! How far back the lists of a stream reach: moves old pieces to the spool, and reads segments wherever their pieces lie.
//!
//! It does not know which pieces are old, nor who reaches back to them.

use std::sync::Arc;

use super::{Stream, WindowSize, stored};
use crate::spool::{Owner, Place};
use crate::upstream::jellyfin::Media;
use domain::window::{ListLengths, Listing};

impl Stream {
    /// The pieces of a segment. A listed one that is lost is answered with the oldest that is not: a player that gets an error ends.
    pub async fn segment(&self, listing: Listing, sequence: u64) -> Option<Vec<Media>> {
        let asked: Option<Vec<_>> = {
            let window = self.read();
            let window = window.as_ref()?;
            if sequence > window.newest(listing) {
                return None;
            }
            window.get(listing, sequence).map(|pieces| pieces.cloned().collect())
        };
        if let Some(asked) = asked
            && let Some(pieces) = stored::read(asked).await
        {
            return Some(pieces);
        }
        let oldest = self.read().as_ref()?.oldest(listing)?.cloned().collect();
        stored::read(oldest).await
    }

    /// The lists of viewers reach back to these segments, fine and keyed ones. What only such lists name goes to disk.
    pub(in crate::supervisor) fn reached(self: &Arc<Self>, reached: [Option<u64>; 2]) {
        let Some(roll) = &self.roll else { return };
        let old = {
            let mut window = self.write();
            let Some(window) = window.as_mut() else { return };
            window.reached(reached);
            window.take_old()
        };
        for (piece, stored) in old {
            if let Some(media) = stored.in_memory() {
                roll.store(piece, media.body.clone(), Arc::clone(self) as Arc<dyn Owner>);
            }
        }
    }

    pub(super) fn lengths(&self) -> ListLengths {
        let WindowSize { length, rewind, .. } = self.size;
        ListLengths { least: length, most: if self.roll.is_some() { rewind.max(length) } else { length } }
    }
}

impl Owner for Stream {
    fn stored(&self, piece: u64, place: Place) {
        if let Some(window) = self.write().as_mut() {
            window.moved(piece, |stored| stored.move_to(place));
        }
    }

    fn lost(&self, piece: u64) {
        if let Some(window) = self.write().as_mut() {
            window.lose(piece);
        }
    }
}
