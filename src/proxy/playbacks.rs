//! Remembers what was decided for a viewer's playback of a channel when the viewer tuned, for its later requests.
//!
//! It does not know how that is decided, nor what a playback is.

use std::time::Duration;

use http::HeaderName;
use moka::sync::Cache;
use serde::{Deserialize, Serialize};

use domain::clients::TuneConditions;
use domain::produce::Produce;
use domain::profile::ProfileChoice;
use domain::reason::IgnoredWish;
use domain::window::{Listing, StartChoice};

/// The number of playbacks for which it is remembered what was decided.
const PLAYBACKS: u64 = 16_384;

/// What applies to one playback.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(super) struct Decided {
    /// How the stream may be produced.
    pub(super) produce: Produce,
    /// What stands in place of the encoding that the viewer asks for.
    pub(super) profile: Option<ProfileChoice>,
    /// How the list is made.
    pub(super) listing: Listing,
    /// Where it begins.
    pub(super) start: StartChoice,
    /// From which length on it slides.
    pub(super) longest: Option<Duration>,
    /// What the pool goes by.
    pub(super) conditions: TuneConditions,
}

/// What applies to a viewer that asks for a playlist.
#[derive(Debug)]
pub(super) struct Tuning {
    /// The hash of the playback.
    pub(super) playback: u64,
    /// What applies.
    pub(super) decided: Decided,
    /// Whether the viewer has not been served in this playback before.
    pub(super) is_new: bool,
    /// Its wishes without effect.
    pub(super) ignored: Vec<(HeaderName, IgnoredWish)>,
}

/// Remembers what was decided, by playback, until a viewer has been silent for so long that it has left; and which play sessions have
/// begun while the gateway runs.
#[derive(Debug)]
pub(super) struct Playbacks {
    decided: Cache<u64, Decided>,
    begun: Cache<u64, ()>,
}

impl Playbacks {
    /// Remembers each playback for `patience` after its last request.
    pub(super) fn new(patience: Duration) -> Self {
        let begun = Cache::builder().max_capacity(PLAYBACKS).time_to_live(patience).build();
        Self { decided: Cache::builder().max_capacity(PLAYBACKS).time_to_idle(patience).build(), begun }
    }

    pub(super) fn get(&self, playback: u64) -> Option<Decided> {
        self.decided.get(&playback)
    }

    pub(super) fn insert(&self, playback: u64, decided: Decided) {
        self.decided.insert(playback, decided);
    }

    /// A play session, by its hash, begins with an opening.
    pub(super) fn begins(&self, play_session: u64) {
        self.begun.insert(play_session, ());
    }

    /// Whether a play session was seen to begin. One that was not may have been playing before the gateway was started.
    pub(super) fn has_begun(&self, play_session: u64) -> bool {
        self.begun.contains_key(&play_session)
    }
}
