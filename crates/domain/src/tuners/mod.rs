//! Knows how many tuners the server has and which recordings it is to make, and decides when a channel that is open for nobody
//! has to go for them.
//!
//! ```text
//! TunerHosts, tuners.limit ─► limits ──┐
//! who has what open ───► occupancy ────┼─► guard ─► one idle channel more has to go, and why
//! LiveTv/Timers ───────────► timers ───┘
//! ```
//!
//! Which idle channel goes is decided by the pool. Players that use the server beside the gateway are not seen.

mod guard;
mod limits;
mod occupancy;
mod timers;

use std::collections::BTreeMap;

use crate::key::MediaSourceId;
use crate::time::Timestamp;
use crate::tuners::guard::Helped;

pub use crate::tuners::guard::Want;
pub use crate::tuners::limits::{Reserve, Settings, TunerLimit};
pub use crate::tuners::occupancy::{Occupancy, Use};
pub use crate::tuners::timers::{Timer, TimerStatus};

/// See the module.
#[derive(Clone, Debug)]
pub struct ServerTuners {
    settings: Settings,
    limit: Option<TunerLimit>,
    timers: Vec<Timer>,
    /// What was done for timers whose tuner is not known to be free, by timer.
    helped: BTreeMap<String, Helped>,
    /// Until when the timers have been considered.
    considered: Timestamp,
}

impl ServerTuners {
    /// Knows nothing but what the operator has set.
    #[must_use]
    pub fn new(settings: Settings) -> Self {
        Self {
            settings,
            limit: limits::limit(settings.limit, &[]),
            timers: Vec::new(),
            helped: BTreeMap::new(),
            considered: Timestamp::default(),
        }
    }

    /// The server has told the `TunerCount` of each of its hosts.
    pub fn set_hosts(&mut self, hosts: &[u32]) {
        self.limit = limits::limit(self.settings.limit, hosts);
    }

    /// The server has told its timers.
    pub fn set_timers(&mut self, timers: Vec<Timer>, now: Timestamp) {
        self.helped.retain(|id, _| timers.iter().any(|timer| timer.id == *id));
        self.timers = timers;
        self.look_for_late(now);
    }

    /// The number of tuners, if it is known.
    #[must_use]
    pub const fn limit(&self) -> Option<TunerLimit> {
        self.limit
    }

    /// The number of tuners that stay free; 0 where the limit is unknown.
    #[must_use]
    pub fn reserve(&self) -> u32 {
        self.limit.map_or(0, |limit| self.settings.reserve.of(limit.count))
    }

    /// Whether all tuners are taken, as far as is known.
    #[must_use]
    pub fn are_taken(&self, open: &Occupancy) -> bool {
        self.limit.is_some_and(|limit| open.in_use() >= limit.count as usize)
    }

    /// Whether all tuners are taken by somebody who needs them.
    #[must_use]
    pub fn are_needed(&self, open: &Occupancy) -> bool {
        self.limit.is_some_and(|limit| open.count(Use::Needed) >= limit.count as usize)
    }

    /// The recordings that are being made.
    pub fn recordings(&self, now: Timestamp) -> impl Iterator<Item = &Timer> {
        self.timers.iter().filter(move |timer| timer.is_recording(now))
    }

    /// Whether a recording is about to use the channel, so that its being open costs nothing.
    #[must_use]
    pub fn is_about_to_record(&self, source: &MediaSourceId, open: &Occupancy, now: Timestamp) -> bool {
        self.due(now).any(|timer| open.concerns(timer, source))
    }
}
