//! The pieces of a window, by number: their payloads, which of them take memory, and how long each one stays.
//!
//! It does not know how pieces are listed, nor where a payload lies that takes no memory.

use std::collections::VecDeque;
use std::ops::Range;
use std::time::Duration;

use crate::time::Timestamp;

/// A piece.
#[derive(Clone, Debug)]
pub(super) struct Piece<P> {
    pub(super) payload: P,
    pub(super) size: u64,
    pub(super) place: Place,
    /// When the last list dropped it; `None` while it may be listed.
    pub(super) unlisted_at: Option<Timestamp>,
}

/// Where a payload lies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// In memory.
    Memory,
    /// Elsewhere: it takes no memory.
    Elsewhere,
}

/// All pieces that are held. Numbers are consecutive and never reused.
#[derive(Clone, Debug)]
pub(super) struct Pieces<P> {
    pub(super) held: VecDeque<Piece<P>>,
    /// The number of the next piece.
    pub(super) next: u64,
    /// The oldest piece that may be listed.
    pub(super) listed_from: u64,
    /// The oldest piece that has not been offered to be moved.
    unoffered_from: u64,
    pub(super) bytes: u64,
}

impl<P> Pieces<P> {
    pub(super) const fn new() -> Self {
        Self { held: VecDeque::new(), next: 0, listed_from: 0, unoffered_from: 0, bytes: 0 }
    }

    /// Appends a piece of this size, in bytes. Returns its number.
    pub(super) fn push(&mut self, payload: P, size: u64) -> u64 {
        self.held.push_back(Piece { payload, size, place: Place::Memory, unlisted_at: None });
        self.bytes += size;
        self.next += 1;
        self.next - 1
    }

    /// The bytes that the payloads take in memory.
    pub(super) const fn bytes(&self) -> u64 {
        self.bytes
    }

    /// The payloads of these pieces; `None` unless all of them are held.
    pub(super) fn get(&self, pieces: &Range<u64>) -> Option<impl Iterator<Item = &P> + Clone> {
        let from = self.index(pieces.start)?;
        let to = from + usize::try_from(pieces.end - pieces.start).ok()?;
        (to <= self.held.len()).then(|| self.held.range(from..to).map(|piece| &piece.payload))
    }

    /// The pieces before `number` that take memory, may be listed and have not been returned before.
    pub(super) fn take_old(&mut self, number: u64) -> Vec<(u64, P)>
    where
        P: Clone,
    {
        let from = self.unoffered_from.max(self.listed_from);
        self.unoffered_from = from.max(number);
        let numbers = from..number;
        numbers
            .filter_map(|number| Some((number, self.held.get(self.index(number)?)?.payload.clone())))
            .collect()
    }

    /// A piece lies elsewhere from now on, which `change` notes in its payload. Nothing happens if it is gone.
    pub(super) fn moved(&mut self, number: u64, change: impl FnOnce(&mut P)) {
        let Some(piece) = self.index(number).and_then(|index| self.held.get_mut(index)) else { return };
        change(&mut piece.payload);
        if piece.place == Place::Memory {
            self.bytes -= piece.size;
        }
        piece.place = Place::Elsewhere;
    }

    /// No list names pieces before `number` any more.
    pub(super) fn unlist_before(&mut self, number: u64, now: Timestamp) {
        for number in self.listed_from..number.min(self.next) {
            if let Some(piece) = self.index(number).and_then(|index| self.held.get_mut(index)) {
                piece.unlisted_at.get_or_insert(now);
            }
        }
        self.listed_from = self.listed_from.max(number);
    }

    /// Drops the pieces that were listed last more than `kept` ago. Returns the number of the oldest one that is held.
    pub(super) fn expire(&mut self, kept: Duration, now: Timestamp) -> u64 {
        self.drop_while(|piece| piece.unlisted_at.is_some_and(|unlisted| now.since(unlisted) > kept))
    }

    /// Drops the pieces that no list names, as far as that frees memory. Returns the number of the oldest one that is held.
    pub(super) fn shed(&mut self) -> u64 {
        self.drop_while(|piece| piece.place == Place::Memory)
    }

    fn drop_while(&mut self, is_over: impl Fn(&Piece<P>) -> bool) -> u64 {
        while let Some(piece) = self.held.pop_front_if(|piece| piece.unlisted_at.is_some() && is_over(piece))
        {
            match piece.place {
                Place::Memory => self.bytes -= piece.size,
                Place::Elsewhere => {}
            }
        }
        self.oldest()
    }

    pub(super) fn oldest(&self) -> u64 {
        self.next - self.held.len() as u64
    }

    fn index(&self, number: u64) -> Option<usize> {
        usize::try_from(number.checked_sub(self.oldest())?).ok()
    }
}
