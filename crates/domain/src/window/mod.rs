//! Keeps the window of one stream: the pieces that its lists name, and those that an older list has promised.
//!
//! The same pieces are listed in two ways ([`Listing`]): one by one, and in groups from one random access point to another. Both
//! follow RFC 8216bis, sections 6.2.1 and 6.2.2. The list of each viewer starts where that viewer joined and ends with the newest
//! segment, so lists of one kind differ at their start only. It only grows, until it is as long as the window reaches; from then on
//! it slides. The window does not know where pieces come from, who watches, nor where old pieces lie.

mod index;
mod listing;
pub mod parts;
mod pieces;
mod text;

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::playlist::{self, Head, Listed};
use crate::time::Timestamp;
pub use crate::window::index::ListLengths;
use crate::window::index::{FARTHEST_BACK, Index, LISTED_TARGETS, Run};
pub use crate::window::listing::{JoinPoint, Listing, ListingChoice, StartChoice};
use crate::window::pieces::Pieces;
pub use crate::window::text::ListText;

/// The longest target duration of keyed lists that the gateway cuts itself. A group that would be longer is divided.
const LONGEST_GROUP: Duration = Duration::from_secs(6);
/// The shortest such target duration: players poll as often.
const SHORTEST_TARGET: Duration = Duration::from_secs(2);
/// A group may be longer than its target duration by so many milliseconds, where 500 would be too many: others may be a bit longer.
const TOLERANCE: u32 = 400;
/// A group that is shorter than this is listed together with the next one.
const SHORTEST_GROUP: Duration = Duration::from_millis(900);
/// A new viewer's first list has this many segments at least, or lasts `ENOUGH`: a player that begins with less would stand still
/// when it has played it, until the next segment is there.
const HEAD_START: u64 = 2;
/// How long a list of no more than that is held back, for one segment more: about half a segment.
const LONGEST_HOLD: Duration = Duration::from_millis(250);
/// See `HEAD_START`.
const ENOUGH: Duration = Duration::from_secs(4);

/// The facts about a piece that arrives.
#[derive(Clone, Copy, Debug)]
pub struct Arrival {
    /// Its duration.
    pub duration: Duration,
    /// Whether it does not continue the previous piece (another generation, a splice).
    pub discontinuity: bool,
    /// Whether it starts with a random access point.
    pub independent: bool,
    /// Whether the next piece starts with a random access point, or does not continue this one.
    pub ends_group: bool,
}

/// What lists promise. It says too how much a first list needs: of pieces two segments, of another server's segments one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Promise {
    /// Pieces are short: fine lists have this target duration, keyed ones that of the longest group, which is `group` at least.
    Pieces {
        /// The target duration of fine lists.
        target: Duration,
        /// The longest group that the channel is known to have.
        group: Duration,
    },
    /// Pieces are the segments of another server: both kinds of lists have this target duration.
    Segments(Duration),
}

/// The window of a stream; `P` is the payload of a piece.
///
/// Invariants: sequence numbers are consecutive and never reused; target durations never change.
#[derive(Clone, Debug)]
pub struct Window<P> {
    promise: Promise,
    lengths: ListLengths,
    pieces: Pieces<P>,
    fine: Index,
    keyed: Index,
    growing: Option<Run>,
    /// The target duration of keyed lists; `None` before there are enough groups for a list.
    keyed_target: Option<Duration>,
    /// The time since the last random access point, and the longest that there was between two.
    distance: (Duration, Duration),
    /// The segments that the viewer's list reaches back to which reaches farthest, fine and keyed.
    reached: [Option<u64>; 2],
}

impl<P> Window<P> {
    /// An empty window whose lists are about as long as `lengths` say.
    ///
    /// The sequence numbers of its lists start at `first`. That must be higher than any number a player may have seen under the same
    /// URI: of an earlier stream, or before a restart of the gateway.
    #[must_use]
    pub fn new(first: u64, promise: Promise, lengths: ListLengths) -> Self {
        let (longest, keyed_target) = match promise {
            Promise::Pieces { target, group } => (LONGEST_GROUP.max(target), target_of_group(group)),
            Promise::Segments(target) => (target, Some(target)),
        };
        let least = lengths.least.max(keyed_target.unwrap_or(longest) * LISTED_TARGETS);
        Self {
            promise,
            lengths: ListLengths { least, most: lengths.most.max(least) },
            pieces: Pieces::new(),
            fine: Index::new(first),
            keyed: Index::new(first),
            growing: None,
            keyed_target,
            distance: (Duration::ZERO, Duration::ZERO),
            reached: [None; 2],
        }
    }

    /// EXT-X-TARGETDURATION of lists of this kind; `None` before there is enough for one.
    #[must_use]
    pub const fn target(&self, listing: Listing) -> Option<Duration> {
        match (listing, self.promise) {
            (Listing::Fine, Promise::Pieces { target, .. } | Promise::Segments(target)) => Some(target),
            (Listing::Keyed, _) => self.keyed_target,
        }
    }

    /// Whether a piece of this duration can be listed.
    #[must_use]
    pub fn fits(&self, duration: Duration) -> bool {
        match self.promise {
            Promise::Pieces { target, .. } | Promise::Segments(target) => playlist::fits(duration, target),
        }
    }

    /// Whether its lists promise short segments.
    #[must_use]
    pub const fn takes_pieces(&self) -> bool {
        match self.promise {
            Promise::Pieces { .. } => true,
            Promise::Segments(_) => false,
        }
    }

    /// The longest time between two random access points so far.
    #[must_use]
    pub const fn longest_distance(&self) -> Duration {
        self.distance.1
    }

    /// Bytes held in memory.
    #[must_use]
    pub const fn bytes(&self) -> u64 {
        self.pieces.bytes()
    }

    /// The pieces of the segment with this number, while they are held.
    #[must_use]
    pub fn get(&self, listing: Listing, sequence: u64) -> Option<impl Iterator<Item = &P> + Clone> {
        self.pieces.get(&self.index(listing).get(sequence)?.pieces)
    }

    /// The pieces of the oldest segment that lists of this kind name, for a player that asks for an older one.
    #[must_use]
    pub fn oldest(&self, listing: Listing) -> Option<impl Iterator<Item = &P> + Clone> {
        self.get(listing, self.index(listing).list(0).next()?.sequence)
    }

    /// The pieces of the oldest segment that the list of a new viewer may name.
    #[must_use]
    pub fn recent(&self, listing: Listing) -> Option<impl Iterator<Item = &P> + Clone> {
        self.get(listing, self.index(listing).recent_from())
    }

    /// The number of the newest segment; one less than the first before there is any.
    #[must_use]
    pub const fn newest(&self, listing: Listing) -> u64 {
        self.index(listing).newest()
    }

    /// Appends a piece, which began at `date`, since 1970.
    pub fn push(&mut self, arrival: Arrival, payload: P, size: u64, (now, date): (Timestamp, Duration)) {
        let Arrival { duration, discontinuity, independent, ends_group } = arrival;
        let number = self.pieces.push(payload, size);
        self.measure(&arrival);

        if discontinuity
            || self.growing.as_ref().is_some_and(|group| !self.may_grow(group.duration + duration))
        {
            self.list_group();
        }
        let group = self.growing.get_or_insert(Run {
            duration: Duration::ZERO,
            discontinuity,
            independent,
            date,
            pieces: number..number,
        });
        group.duration += duration;
        group.pieces.end = number + 1;
        // A random access point inside a segment is no place to start, so nothing is added to the rest of a divided group.
        if ends_group && (group.duration >= SHORTEST_GROUP || !group.independent) {
            self.list_group();
        }
        let run = Run { duration, discontinuity, independent, date, pieces: number..number + 1 };
        self.fine.push(run, self.reached[0], self.lengths_of(Listing::Fine));
        self.slide(now);
    }

    /// The lists of viewers reach back to these segments, fine and keyed ones: what is older than that is not kept for them.
    pub const fn reached(&mut self, reached: [Option<u64>; 2]) {
        self.reached = reached;
    }

    /// The pieces that would have left by now if no viewer's list reached back to them, each once: they are to lie elsewhere.
    pub fn take_old(&mut self) -> Vec<(u64, P)>
    where
        P: Clone,
    {
        let recent = self.oldest_of(Index::recent_from_piece);
        recent.map(|recent| self.pieces.take_old(recent)).unwrap_or_default()
    }

    /// A piece lies elsewhere from now on, which `change` notes in its payload.
    pub fn moved(&mut self, piece: u64, change: impl FnOnce(&mut P)) {
        self.pieces.moved(piece, change);
    }

    /// Lists reach back no farther than to what follows this piece: it will be lost, and what is older.
    pub fn lose(&mut self, piece: u64) {
        self.fine.unlist_before(piece + 1);
        self.keyed.unlist_before(piece + 1);
    }

    /// The same for all pieces of a segment: one of them cannot be read.
    pub fn lose_segment(&mut self, listing: Listing, sequence: u64) {
        if let Some(last) = self.index(listing).get(sequence).map(|entry| entry.pieces.end - 1) {
            self.lose(last);
        }
    }

    /// Where the list of a new viewer starts: with the fewest newest segments that last `span` and start with a random access
    /// point; `None` while there is no such segment, or too few to play on. Who wants to see what began at `since`, after 1970,
    /// starts there, or as soon after it as the stream is kept.
    #[must_use]
    pub fn join(&self, listing: Listing, span: Duration, since: Option<Duration>) -> Option<JoinPoint> {
        let least = match self.promise {
            Promise::Pieces { .. } => HEAD_START,
            Promise::Segments(_) => 1,
        };
        let index = self.index(listing);
        let near_live = index.join(span, least, ENOUGH)?;
        let earlier = since.and_then(|since| index.join_at(since)).filter(|&sequence| sequence < near_live);
        Some(JoinPoint {
            listing,
            sequence: earlier.unwrap_or(near_live),
            target: self.target(listing)?,
            plays_from_first: earlier.is_some(),
            longest: None,
        })
    }

    /// How long the first list of a player is to wait for one more segment: with the fewest that it can begin with, a player stands still
    /// where the next list takes longer than the time it has in hand, as over a distance.
    #[must_use]
    pub fn hold(&self, join: JoinPoint) -> Option<Duration> {
        match (join.listing, self.promise) {
            (Listing::Fine, Promise::Pieces { .. }) => {
                (self.fine.newest() < join.sequence + HEAD_START).then_some(LONGEST_HOLD)
            }
            (Listing::Fine | Listing::Keyed, _) => None,
        }
    }

    /// Whether nothing has come since the stream began or was interrupted.
    #[must_use]
    pub const fn is_interrupted(&self) -> bool {
        self.fine.is_interrupted()
    }

    /// Declares that the stream is interrupted: new viewers start with segments still to come.
    pub fn interrupt(&mut self) {
        self.list_group();
        self.fine.interrupt();
        self.keyed.interrupt();
    }

    /// The segments of the list of a viewer who joined at `start`.
    pub fn list(&self, start: JoinPoint) -> impl Iterator<Item = Listed> {
        let index = self.index(start.listing);
        index.list(index.slid(start))
    }

    /// The text of that list. `blocking` offers blocking playlist reload.
    #[must_use]
    pub fn text(&self, start: JoinPoint, blocking: bool) -> ListText {
        let index = self.index(start.listing);
        let ListLengths { least, most } = self.lengths_of(start.listing);
        let only_grows = most > least && start.longest.is_none() && index.reaches(start.sequence);
        let head = Head {
            target: start.target,
            blocking,
            only_grows,
            plays_from_first: start.plays_from_first && only_grows,
        };
        index.text(index.slid(start), |first| playlist::head(head, first))
    }

    /// Drops the pieces that no list names, before their time, because memory is short.
    pub fn shed(&mut self) {
        let oldest = self.pieces.shed();
        self.forget_before(oldest);
    }

    const fn index(&self, listing: Listing) -> &Index {
        match listing {
            Listing::Fine => &self.fine,
            Listing::Keyed => &self.keyed,
        }
    }

    /// A player reads the whole list each time that there is a new segment, which is several times as often where pieces are listed
    /// one by one.
    fn lengths_of(&self, listing: Listing) -> ListLengths {
        let ListLengths { least, most } = self.lengths;
        match (listing, self.promise) {
            (Listing::Fine, Promise::Pieces { .. }) => ListLengths { least, most: least.max(most / 2) },
            (Listing::Fine, Promise::Segments(_)) | (Listing::Keyed, _) => self.lengths,
        }
    }

    /// Whether a group may become as long as `duration`.
    fn may_grow(&self, duration: Duration) -> bool {
        playlist::fits(duration, self.keyed_target.unwrap_or(LONGEST_GROUP))
    }

    fn measure(&mut self, arrival: &Arrival) {
        let (since, longest) = &mut self.distance;
        if arrival.discontinuity {
            *since = Duration::ZERO;
        } else if arrival.independent {
            *longest = (*longest).max(std::mem::take(since));
        }
        *since += arrival.duration;
    }

    /// Lists the group that has grown so far.
    fn list_group(&mut self) {
        let Some(run) = self.growing.take() else { return };
        self.keyed.push(run, self.reached[1], self.lengths_of(Listing::Keyed));
        if self.keyed_target.is_none() {
            // The first group alone may be a short one. No list begins before there are two.
            let (count, total) = self.keyed.extent();
            let longest = self.distance.1.max(self.keyed.longest());
            self.keyed_target =
                target_of_group(longest).filter(|_| count as u64 >= HEAD_START || total >= ENOUGH);
        }
    }

    fn slide(&mut self, now: Timestamp) {
        if let Some(listed_from) = self.oldest_of(Index::listed_from_piece) {
            self.pieces.unlist_before(listed_from, now);
        }
        let oldest = self.pieces.expire(self.promised(), now);
        self.forget_before(oldest);
    }

    /// The oldest of the pieces that `of` names in each listing, and of the group that grows.
    fn oldest_of(&self, of: impl Fn(&Index) -> Option<u64>) -> Option<u64> {
        let growing = self.growing.as_ref().map(|group| group.pieces.start);
        [of(&self.fine), of(&self.keyed), growing].into_iter().flatten().min()
    }

    /// How long a piece is available after it was last listed (6.2.2): for the duration of its segment and that of the longest
    /// playlist that slides. A playlist that reached back farther was fetched anew all the while.
    fn promised(&self) -> Duration {
        let longest = self.keyed_target.unwrap_or(LONGEST_GROUP);
        self.lengths.least + self.distance.1.min(FARTHEST_BACK) + longest * 2
    }

    fn forget_before(&mut self, piece: u64) {
        self.fine.forget_before(piece);
        self.keyed.forget_before(piece);
    }
}

/// The sequence number at which a new stream begins, `unix_time` after 1970: the eighths of a second since 2026. Segments last longer
/// than that on average, so a stream that is started again, even by a later process, begins beyond the numbers it has used.
#[must_use]
pub fn first_sequence(unix_time: Duration) -> u64 {
    const YEAR_2026: Duration = Duration::from_secs(1_767_225_600);
    let since = unix_time.saturating_sub(YEAR_2026);
    since.as_secs() * 8 + u64::from(since.subsec_millis() / 125)
}

/// The target duration of keyed lists whose longest group is as long as `group`; `None` if that is zero.
fn target_of_group(group: Duration) -> Option<Duration> {
    let rounded = Duration::from_secs(group.as_secs() + u64::from(group.subsec_millis() > TOLERANCE));
    (!group.is_zero()).then(|| rounded.clamp(SHORTEST_TARGET, LONGEST_GROUP))
}

#[cfg(test)]
mod tests;
