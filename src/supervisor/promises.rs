//! What the lists of a stream promise: target durations, from what is known of the channel's lengths.
//!
//! A list that has begun keeps its promise, so what does not fit it is remembered for the channel's next stream. The module does not
//! know the content.

use std::time::Duration;

use moka::sync::Cache;

use domain::cutter::Rule;
use domain::key::Channel;
use domain::playlist;
use domain::produce::ProductionMethod;
use domain::window::{Listing, Promise, Window};

/// The usual length of a piece: short, since a player that plays what it has needs the next one as soon.
const PIECE: Duration = Duration::from_millis(500);
/// The longest first piece of a stream, whose audio may be late.
const FIRST: Duration = Duration::from_millis(2200);
/// The shortest target duration: players poll as often.
const SHORTEST_TARGET: Duration = Duration::from_secs(1);

/// What is known of the lengths in each channel.
pub(super) type KnownLengths = Cache<Channel, Lengths>;

/// The longest that a channel was seen to have, which the lists of its next stream promise.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Lengths {
    /// Of the pieces that did not fit a list.
    piece: Duration,
    /// Of the times between two random access points.
    group: Duration,
    /// Of the server's segments that did not fit a list.
    segment: Duration,
}

/// How a piece or a segment of the server's can be listed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fit {
    /// As it is.
    AsItIs,
    /// Cut into pieces.
    InPieces,
    /// Not at all: the lists promise shorter segments.
    Not,
}

/// The promises of one stream.
#[derive(Debug)]
pub(super) struct Promises {
    lengths: KnownLengths,
    channel: Channel,
    /// The length at which the server cuts segments.
    cut: Duration,
}

impl Promises {
    pub(super) const fn new(lengths: KnownLengths, channel: Channel, cut: Duration) -> Self {
        Self { lengths, channel, cut }
    }

    /// What the lists of a stream promise whose first piece has the duration `first`, and is made by `method`.
    pub(super) fn of(&self, method: ProductionMethod, first: Duration) -> Promise {
        match method {
            ProductionMethod::Adopted => Promise::Segments(self.target_of_segments(first)),
            ProductionMethod::Own => {
                Promise::Pieces { target: self.target_of_pieces(first), group: self.known().group }
            }
        }
    }

    /// The target duration that the server's segments need, the first of which lasts `first`.
    pub(super) fn target_of_segments(&self, first: Duration) -> Duration {
        playlist::target_duration(first.max(self.known().segment), self.cut)
    }

    fn target_of_pieces(&self, first: Duration) -> Duration {
        playlist::least_target(first.max(self.known().piece)).max(SHORTEST_TARGET)
    }

    /// The rule by which pieces are cut for `window`, or for one that is to be made.
    pub(super) fn rule<P>(&self, window: Option<&Window<P>>, largest: usize) -> Rule {
        let promised = window.and_then(|window| window.target(Listing::Fine));
        Rule {
            piece: PIECE,
            target: promised.unwrap_or_else(|| self.target_of_pieces(Duration::ZERO)),
            first: if promised.is_some() { Duration::ZERO } else { FIRST },
            largest,
        }
    }

    /// How what `method` has made can be listed by `window`.
    pub(super) fn fit<P>(&self, window: &Window<P>, method: ProductionMethod, duration: Duration) -> Fit {
        match (window.fits(duration), method) {
            (true, _) => Fit::AsItIs,
            (false, ProductionMethod::Adopted) if window.takes_pieces() => Fit::InPieces,
            (false, ProductionMethod::Adopted) => {
                self.remember(|known| known.segment = known.segment.max(duration));
                Fit::Not
            }
            (false, ProductionMethod::Own) => {
                self.remember(|known| known.piece = known.piece.max(duration));
                Fit::Not
            }
        }
    }

    /// Remembers the longest time between two random access points.
    pub(super) fn remember_distance(&self, longest: Duration) {
        self.remember(|known| known.group = known.group.max(longest));
    }

    fn known(&self) -> Lengths {
        self.lengths.get(&self.channel).unwrap_or_default()
    }

    fn remember(&self, change: impl FnOnce(&mut Lengths)) {
        let before = self.known();
        let mut known = before;
        change(&mut known);
        if known != before {
            self.lengths.insert(self.channel.clone(), known);
        }
    }
}
