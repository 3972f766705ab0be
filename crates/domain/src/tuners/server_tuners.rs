//! What is known of the server's tuners: their number, the timers, and what was done for those.
//!
//! When an idle channel has to go is decided in `guard`.

use std::collections::BTreeMap;

use crate::key::MediaSourceId;
use crate::time::Timestamp;
use crate::tuners::limits::{self, Settings, TunerLimit};
use crate::tuners::occupancy::Occupancy;
use crate::tuners::timers::Timer;

/// See the module.
#[derive(Clone, Debug)]
pub struct ServerTuners {
    settings: Settings,
    pub(super) limit: Option<TunerLimit>,
    pub(super) timers: Vec<Timer>,
    /// What was done for timers whose tuner is not known to be free, by timer.
    pub(super) helped: BTreeMap<String, Helped>,
    /// Until when the timers have been considered.
    pub(super) considered: Timestamp,
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

    /// Whether anything can have to go: the limit is known, or a timer is.
    #[must_use]
    pub const fn is_concerned(&self) -> bool {
        self.limit.is_some() || !self.timers.is_empty()
    }

    /// Whether all tuners are taken, as far as is known.
    #[must_use]
    pub fn are_taken(&self, open: &Occupancy) -> bool {
        self.limit.is_some_and(|limit| open.in_use() >= limit.count as usize)
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

/// What was done for a timer whose tuner is not known to be free.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Helped {
    /// Whether an idle channel went before its start.
    pub(super) before: bool,
    /// How many went after it.
    pub(super) after: u8,
    /// When the last of those did.
    pub(super) last: Option<Timestamp>,
    /// Whether one more has to go.
    pub(super) now: bool,
}
