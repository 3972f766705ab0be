//! How far back the lists of a stream reach: moves old pieces to the spool, and reads segments wherever their pieces lie.
//!
//! It does not know which pieces are old, nor who reaches back to them.

use std::sync::Arc;

use super::stored::{self, Stored};
use super::{Stream, WindowSize};
use crate::spool::{Owner, Place};
use crate::upstream::jellyfin::Media;
use domain::window::{ListLengths, Listing};

/// What a request for a segment is answered with.
#[derive(Debug)]
pub struct Segment {
    /// The pieces of a segment.
    pub pieces: Vec<Media>,
    /// Whether it is the one that was asked for.
    pub is_asked_for: bool,
}

impl Stream {
    /// A segment. A listed one that is lost is answered with the oldest that is not: a player that gets an error ends.
    pub async fn segment(&self, listing: Listing, sequence: u64) -> Option<Segment> {
        let asked: Option<Vec<_>> = {
            let window = self.read();
            let window = window.as_ref()?;
            if sequence > window.newest(listing) {
                return None;
            }
            window.get(listing, sequence).map(|pieces| pieces.cloned().collect())
        };
        if let Some(asked) = asked {
            if let Some(pieces) = stored::read(asked).await {
                return Some(Segment { pieces, is_asked_for: true });
            }
            if let Some(window) = self.write().as_mut() {
                window.lose_segment(listing, sequence);
            }
        }
        let oldest = self.read().as_ref()?.oldest(listing)?.cloned().collect();
        let pieces = match stored::read(oldest).await {
            Some(pieces) => pieces,
            None => {
                let in_memory = self.read().as_ref()?.recent(listing)?.cloned().collect();
                stored::read(in_memory).await?
            }
        };
        Some(Segment { pieces, is_asked_for: false })
    }

    /// Has pieces that are too old for memory written to the spool.
    pub(super) fn store(self: &Arc<Self>, old: Vec<(u64, Stored)>) {
        let Some(roll) = &self.roll else { return };
        for (piece, stored) in old {
            if let Some(media) = stored.in_memory() {
                roll.store(piece, media.body.clone(), Arc::clone(self) as Arc<dyn Owner>);
            }
        }
    }

    /// Whether lists reach back to what is too old for memory.
    pub(in crate::supervisor) const fn keeps_old(&self) -> bool {
        self.roll.is_some()
    }

    pub(super) fn lengths(&self) -> ListLengths {
        let WindowSize { length, rewind, .. } = self.size;
        ListLengths { least: length, most: if self.keeps_old() { rewind.max(length) } else { length } }
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
