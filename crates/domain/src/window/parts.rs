//! A window taken apart, so that another process of the gateway can go on with it.
//!
//! Numbers, listings and promises go on; content does not: whoever puts the window together again has the payloads. It does not know
//! how the parts travel.

use std::ops::Range;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::playlist::Listed;
use crate::time::Timestamp;
use crate::window::index::{Entry, Index, ListLengths};
use crate::window::pieces::{Piece, Pieces, Place};
use crate::window::text::Text;
use crate::window::{Promise, Run, Window};

/// All of a window but its payloads.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct WindowParts {
    promise: Promise,
    keyed_target: Option<Duration>,
    distance: (Duration, Duration),
    /// The number of the oldest piece.
    oldest: u64,
    pieces: Vec<PieceParts>,
    /// The oldest piece that may be listed.
    listed_from: u64,
    fine: IndexParts,
    keyed: IndexParts,
    growing: Option<RunParts>,
    reached: [Option<u64>; 2],
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct PieceParts {
    size: u64,
    is_in_memory: bool,
    unlisted_at: Option<Timestamp>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct IndexParts {
    entries: Vec<EntryParts>,
    next_sequence: u64,
    discontinuities: u64,
    ends: Duration,
    listed_from: u64,
    recent_from: u64,
    current_from: u64,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct EntryParts {
    listed: Listed,
    pieces: Range<u64>,
    independent: bool,
    begins: Duration,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct RunParts {
    duration: Duration,
    discontinuity: bool,
    independent: bool,
    date: Duration,
    pieces: Range<u64>,
}

impl<P> Window<P> {
    /// The window without its payloads.
    #[must_use]
    pub fn parts(&self) -> WindowParts {
        let piece = |piece: &Piece<P>| PieceParts {
            size: piece.size,
            is_in_memory: piece.place == Place::Memory,
            unlisted_at: piece.unlisted_at,
        };
        WindowParts {
            promise: self.promise,
            keyed_target: self.keyed_target,
            distance: self.distance,
            oldest: self.pieces.oldest(),
            pieces: self.pieces.held.iter().map(piece).collect(),
            listed_from: self.pieces.listed_from,
            fine: IndexParts::of(&self.fine),
            keyed: IndexParts::of(&self.keyed),
            growing: self.growing.clone().map(RunParts::of),
            reached: self.reached,
        }
    }

    /// The payloads of all pieces that are held, by their numbers.
    pub fn payloads(&self) -> impl Iterator<Item = (u64, &P)> {
        (self.pieces.oldest()..).zip(self.pieces.held.iter().map(|piece| &piece.payload))
    }

    /// Puts a window together again, whose lists are as long from now on as `lengths` say. Its stream is interrupted. Where a `payload`
    /// is lost, all that is older is lost as well, and lists reach back no farther than to what is left.
    #[must_use]
    pub fn of_parts(
        parts: WindowParts,
        lengths: ListLengths,
        mut payload: impl FnMut(u64) -> Option<P>,
    ) -> Self {
        let WindowParts { promise, keyed_target, distance, oldest, pieces, listed_from, .. } = parts;
        let mut window = Self::new(0, promise, lengths);
        (window.keyed_target, window.distance) = (keyed_target, distance);
        window.reached(parts.reached);
        window.fine = parts.fine.whole();
        window.keyed = parts.keyed.whole();
        window.growing = parts.growing.map(RunParts::whole);
        let mut lost = None;
        let mut held = Pieces::new();
        (held.next, held.listed_from) = (oldest, listed_from);
        for PieceParts { size, is_in_memory, unlisted_at } in pieces {
            let number = held.next;
            held.next += 1;
            let Some(payload) = payload(number) else {
                lost = Some(number);
                (held.held, held.bytes) = Default::default();
                continue;
            };
            let place = if is_in_memory { Place::Memory } else { Place::Elsewhere };
            held.bytes += if is_in_memory { size } else { 0 };
            held.held.push_back(Piece { payload, size, place, unlisted_at });
        }
        window.pieces = held;
        window.interrupt();
        if let Some(lost) = lost {
            window.lose(lost);
            window.forget_before(lost + 1);
            for index in [&mut window.fine, &mut window.keyed] {
                let first = index.entries.front().map_or(index.next_sequence, |entry| entry.listed.sequence);
                index.listed_from = index.listed_from.max(first);
            }
        }
        window
    }
}

impl IndexParts {
    fn of(index: &Index) -> Self {
        let entry = |entry: &Entry| {
            let Entry { listed, pieces, independent, begins } = entry.clone();
            EntryParts { listed, pieces, independent, begins }
        };
        Self {
            entries: index.entries.iter().map(entry).collect(),
            next_sequence: index.next_sequence,
            discontinuities: index.discontinuities,
            ends: index.ends,
            listed_from: index.listed_from,
            recent_from: index.recent_from,
            current_from: index.current_from,
        }
    }

    fn whole(self) -> Index {
        let Self { next_sequence, discontinuities, ends, listed_from, recent_from, current_from, .. } = self;
        let first = self.entries.first().map_or(next_sequence, |entry| entry.listed.sequence);
        let mut text = Text::new(first);
        self.entries.iter().for_each(|entry| text.push(&entry.listed));
        let entry = |EntryParts { listed, pieces, independent, begins }| Entry {
            listed,
            pieces,
            independent,
            begins,
        };
        Index {
            entries: self.entries.into_iter().map(entry).collect(),
            text,
            next_sequence,
            discontinuities,
            ends,
            listed_from,
            recent_from,
            current_from,
        }
    }
}

impl RunParts {
    fn of(run: Run) -> Self {
        let Run { duration, discontinuity, independent, date, pieces } = run;
        Self { duration, discontinuity, independent, date, pieces }
    }

    fn whole(self) -> Run {
        let Self { duration, discontinuity, independent, date, pieces } = self;
        Run { duration, discontinuity, independent, date, pieces }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::window::{Arrival, JoinPoint, Listing};

    const LENGTHS: ListLengths = ListLengths { least: Duration::from_secs(6), most: Duration::from_secs(60) };
    const PIECE: Duration = Duration::from_millis(500);

    /// Appends pieces, every fourth of which is a random access point. The payload of each is its number.
    fn grow(window: &mut Window<u64>, pieces: Range<u64>, is_new_generation: bool) {
        for number in pieces.clone() {
            let arrival = Arrival {
                duration: PIECE,
                discontinuity: is_new_generation && number == pieces.start,
                independent: number % 4 == 0,
                ends_group: number % 4 == 3,
            };
            let at = PIECE * u32::try_from(number).unwrap();
            window.reached([Some(1000), Some(1000)]);
            window.push(arrival, number, 1, (Timestamp::after_start(at), at));
        }
    }

    fn window() -> Window<u64> {
        let promise = Promise::Pieces { target: Duration::from_secs(1), group: Duration::from_secs(2) };
        let mut window = Window::new(1000, promise, LENGTHS);
        grow(&mut window, 0..38, false);
        window
    }

    /// As another process puts it together, to which the parts have travelled.
    fn passed(window: &Window<u64>, payload: impl FnMut(u64) -> Option<u64>) -> Window<u64> {
        let parts = serde_json::to_string(&window.parts()).unwrap();
        Window::of_parts(serde_json::from_str(&parts).unwrap(), LENGTHS, payload)
    }

    fn list(window: &Window<u64>, listing: Listing) -> Vec<(Listed, Vec<u64>)> {
        let target = window.target(listing).unwrap();
        let start = JoinPoint { listing, sequence: 0, target, plays_from_first: false, longest: None };
        let pieces = |listed: &Listed| window.get(listing, listed.sequence).unwrap().copied().collect();
        window.list(start).map(|listed| (listed, pieces(&listed))).collect()
    }

    #[test]
    fn lists_go_on_where_they_were() {
        let mut old = window();
        let mut new = passed(&old, Some);
        // The rest of a group that the old process had begun is a segment of its own.
        old.interrupt();
        for listing in Listing::ALL {
            assert_eq!(list(&new, listing), list(&old, listing));
            assert_eq!(new.join(listing, PIECE * 8, None), None, "newcomers wait for the next generation");
        }
        for window in [&mut old, &mut new] {
            grow(window, 40..60, true);
        }
        for listing in Listing::ALL {
            assert_eq!(list(&new, listing), list(&old, listing));
            let start = old.join(listing, PIECE * 8, None).unwrap();
            assert_eq!(new.join(listing, PIECE * 8, None), Some(start));
            assert_eq!(new.text(start, false).plain(), old.text(start, false).plain());
        }
        assert_eq!((new.parts(), new.bytes()), (old.parts(), old.bytes()));
    }

    #[test]
    fn what_is_lost_on_the_way_leaves_the_lists() {
        let old = window();
        let new = passed(&old, |number| (number != 13).then_some(number));
        for listing in Listing::ALL {
            let pieces: Vec<_> = list(&new, listing).into_iter().flat_map(|(_, pieces)| pieces).collect();
            assert_eq!(pieces, (16..38).collect::<Vec<_>>(), "from the next random access point on");
            assert_eq!(new.newest(listing), passed(&old, Some).newest(listing));
        }
    }
}
