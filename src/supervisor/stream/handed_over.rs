//! Hands a stream over to another process of the gateway: what it is, the credentials of its viewers, and its window.
//!
//! Pieces in memory travel beside the parts, and those on disk as the descriptors of their extents. The module does not know how.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, PoisonError};

use bytes::Bytes;
use http::HeaderValue;
use serde::{Deserialize, Serialize};

use super::stored::Stored;
use super::{Stream, StreamSpec, WindowSize};
use crate::spool::handed_over::{Adopted, Extents, PlaceParts};
use crate::spool::{Owner, Spool};
use crate::supervisor::promises::KnownLengths;
use crate::upstream::jellyfin::{Login, Media, Recipe};
use domain::encoding::demand::Demand;
use domain::key::StreamId;
use domain::produce::Produce;
use domain::time::Timestamp;
use domain::viewer::Account;
use domain::window::Window;
use domain::window::parts::WindowParts;

/// The name of a piece: its stream and its number there.
pub type PieceName = (StreamId, u64);

/// All of a stream but its pieces.
#[derive(Debug, Serialize, Deserialize)]
pub(in crate::supervisor) struct StreamParts {
    /// Its name in the pool.
    pub id: StreamId,
    recipe: Recipe,
    demand: Option<Demand>,
    produce: Produce,
    logins: Vec<(Account, Login, Option<String>)>,
    is_exclusive: bool,
    window: Option<WindowParts>,
    pieces: Vec<PieceParts>,
}

/// A piece without its bytes.
#[derive(Debug, Serialize, Deserialize)]
struct PieceParts {
    number: u64,
    content_type: Vec<u8>,
    modified: Option<Vec<u8>>,
    /// Where it lies, if it is on disk.
    place: Option<PlaceParts>,
}

/// What the parts of streams are put together with.
#[derive(Debug)]
pub struct Pieces {
    /// The pieces that were in memory.
    pub in_memory: HashMap<PieceName, Bytes>,
    /// The extents of those on disk.
    pub adopted: Adopted,
}

impl Stream {
    /// The pieces in memory, by number.
    pub(in crate::supervisor) fn in_memory(&self) -> Vec<(u64, Bytes)> {
        let window = self.read();
        let payloads = window.iter().flat_map(|window| window.payloads());
        payloads.filter_map(|(number, stored)| Some((number, stored.in_memory()?.body.clone()))).collect()
    }

    /// Nothing is appended from now on: what comes waits.
    pub(in crate::supervisor) fn freeze(&self) {
        let _window = self.write();
        self.frozen.freeze();
    }

    /// Appends what has waited, and goes on. The lists of viewers reach back to the segments `reached`, fine and keyed ones.
    pub(in crate::supervisor) fn thaw(self: &Arc<Self>, reached: [Option<u64>; 2], now: Timestamp) {
        let mut window = self.write();
        let (waiting, mut old) = (self.frozen.thaw(), Vec::new());
        // One that rests since has been interrupted.
        if !self.pause.lock().unwrap_or_else(PoisonError::into_inner).is_cancelled() {
            let pushed = waiting.into_iter().map(|piece| self.push(&mut window, piece, reached, now).1);
            old.extend(pushed.flatten());
        }
        drop(window);
        self.grown.send_replace(());
        self.store(old);
    }

    /// Another process goes on with it.
    pub(in crate::supervisor) fn is_gone(&self) {
        self.frozen.is_gone();
    }

    /// All of it but its pieces, whose extents are noted in `extents`.
    pub(in crate::supervisor) fn parts(&self, id: StreamId, extents: &mut Extents) -> StreamParts {
        let window = self.read();
        let piece = |(number, stored): (u64, &Stored)| {
            let (media, place) = match stored {
                Stored::Memory(media) => (media, None),
                Stored::Disk(media, place) => (media, Some(extents.note(place))),
            };
            let bytes = |value: &HeaderValue| value.as_bytes().to_vec();
            let modified = media.modified.as_ref().map(bytes);
            PieceParts { number, content_type: bytes(&media.content_type), modified, place }
        };
        StreamParts {
            id,
            recipe: self.recipe.clone(),
            demand: self.demand.clone(),
            produce: self.produce,
            logins: self.access.accounts(),
            is_exclusive: self.access.is_exclusive(),
            window: window.as_ref().map(Window::parts),
            pieces: window.iter().flat_map(|window| window.payloads()).map(piece).collect(),
        }
    }

    /// A stream of which these are the parts.
    pub(in crate::supervisor) fn of_parts(
        parts: StreamParts,
        pieces: &mut Pieces,
        (size, lengths, spool): (WindowSize, KnownLengths, Option<&Spool>),
    ) -> Arc<Self> {
        let StreamParts { id, recipe, demand, produce, logins, is_exclusive, window, pieces: listed } = parts;
        let spec = StreamSpec { recipe, demand, produce, has_opening: false };
        let stream = Self::new(spec, size, lengths, spool);
        logins.into_iter().for_each(|(account, login, user)| stream.access.remember(account, login, user));
        if is_exclusive {
            stream.access.set_exclusive();
        }
        let (mut stored, mut last_of_extent) = (BTreeMap::new(), BTreeMap::new());
        for piece in listed {
            let number = piece.number;
            let place = piece.place.as_ref().and_then(|place| pieces.adopted.place(place));
            last_of_extent.extend(place.iter().map(|place| (place.extent(), (number, place.clone()))));
            let bytes = pieces.in_memory.remove(&(id, number));
            stored.extend(piece.whole(place, bytes).map(|piece| (number, piece)));
        }
        let window =
            window.map(|window| Window::of_parts(window, stream.lengths(), |number| stored.remove(&number)));
        *stream.window.write().unwrap_or_else(PoisonError::into_inner) = window;
        let stream = Arc::new(stream);
        if let Some(spool) = spool {
            for (number, place) in last_of_extent.into_values() {
                spool.owned(&place, number, &(Arc::clone(&stream) as Arc<dyn Owner>));
            }
        }
        stream
    }
}

impl PieceParts {
    fn whole(self, place: Option<crate::spool::Place>, bytes: Option<Bytes>) -> Option<Stored> {
        let content_type = HeaderValue::from_bytes(&self.content_type).ok()?;
        let modified = self.modified.and_then(|modified| HeaderValue::from_bytes(&modified).ok());
        match (self.place, place, bytes) {
            (None, _, Some(body)) => Some(Stored::Memory(Media { body, content_type, modified })),
            (Some(_), Some(place), _) => {
                Some(Stored::Disk(Media { body: Bytes::new(), content_type, modified }, place))
            }
            (None, _, None) | (Some(_), None, _) => None,
        }
    }
}
