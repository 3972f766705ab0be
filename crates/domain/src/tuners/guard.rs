//! Decides when a channel that is open for nobody has to go: for a recording, or for the reserve.
//!
//! Jellyfin's recorder opens its tuner inside the server, where no proxy can help it. If it is denied one it gives up what comes
//! before the programme, tries again every 60 s and deletes the timer after ten attempts (docs/jellyfin.md 7). So a tuner has to
//! be free before.

use std::time::Duration;

use crate::time::Timestamp;
use crate::tuners::limits::{Scope, TunerLimit};
use crate::tuners::occupancy::{Occupancy, Use};
use crate::tuners::server_tuners::{Helped, ServerTuners};
use crate::tuners::timers::Timer;

/// How long before its start a recording has a tuner: longer than the server takes to close a channel behind others that it opens.
const LEAD: Duration = Duration::from_secs(30);
/// How long after its start a timer that is still `New` counts as one that was denied a tuner.
const LATE: Duration = Duration::from_secs(10);
/// Between two idle channels for the same late timer. The server tries again every 60 s.
const ATTEMPT: Duration = Duration::from_secs(59);
/// How many idle channels a late timer may cost. If that does not help, its channel is dead.
const LATE_HELPS: u8 = 2;

/// An idle channel that has to go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Want {
    /// What it has to go for.
    pub purpose: Purpose,
    /// The tuners of which it has to free one.
    pub scope: Scope,
}

/// What an idle channel has to go for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// A recording.
    Recording,
    /// The tuners that stay free.
    Reserve,
    /// The limit: more channels are open than it allows.
    Limit,
}

impl ServerTuners {
    /// Whether one idle channel more has to go, and for what. Ask again once it is on its way.
    pub fn want(&mut self, open: &Occupancy, now: Timestamp) -> Option<Want> {
        if !open.has_idle() {
            return None;
        }
        let limits: Vec<_> = self.limits(open).collect();
        let known = limits
            .iter()
            .find_map(|&(scope, limit)| Some(Want { purpose: self.known(scope, limit, open, now)?, scope }));
        let is_unknown = limits.is_empty() || self.has_unlimited_host();
        let for_timer = |purpose| Want { purpose, scope: Scope::All };
        if known.is_none() && open.count(Use::Idle) == 0 {
            return None;
        }
        known
            .or_else(|| is_unknown.then(|| self.unknown(open, now))?.map(for_timer))
            .or_else(|| self.late(open, now).map(for_timer))
    }

    /// Time has passed; what depends on it has been asked for.
    pub fn considered(&mut self, now: Timestamp) {
        self.considered = now;
    }

    /// When `want` may have another answer by time alone.
    #[must_use]
    pub fn deadline(&self) -> Option<Timestamp> {
        let waiting = self.timers.iter().filter(|timer| timer.is_waiting(self.considered));
        let timers = waiting.map(Timer::needs_tuner_at).filter(|at| *at > self.considered);
        timers.chain(self.learning_deadline()).min()
    }

    /// The timers that need a tuner now, or in a moment.
    pub(super) fn due(&self, now: Timestamp) -> impl Iterator<Item = &Timer> {
        self.timers.iter().filter(move |timer| timer.is_waiting(now) && timer.needs_tuner_at() <= now)
    }

    /// The timers that should have begun have been denied a tuner: an idle channel goes for each.
    pub(super) fn look_for_late(&mut self, now: Timestamp) {
        for timer in self.timers.iter().filter(|timer| timer.is_waiting(now)) {
            if let Some(helped) = self.helped.get_mut(&timer.id)
                && helped.is_late(timer, now)
            {
                helped.now =
                    helped.after < LATE_HELPS && helped.last.is_none_or(|last| last + ATTEMPT <= now);
            }
        }
    }

    fn known(&self, scope: Scope, limit: TunerLimit, open: &Occupancy, now: Timestamp) -> Option<Purpose> {
        let count = |by| self.open_in(scope, open, |known| known == by);
        let (idle, needed) = (count(Use::Idle), count(Use::Needed));
        if idle == 0 {
            return None;
        }
        let may_need_it = |timer: &&Timer| {
            !open.has(timer) && timer.source.as_ref().is_none_or(|source| self.is_in(scope, source))
        };
        let mut waiting: Vec<_> = self.due(now).filter(may_need_it).collect();
        waiting.dedup_by_key(|timer| (timer.item.clone(), timer.source.clone()));
        let (taken, count, reserve) = (idle + needed, limit.count as usize, self.reserve(limit) as usize);
        if !waiting.is_empty() && taken + waiting.len() > self.certain(scope, limit) as usize {
            Some(Purpose::Recording)
        } else if taken > count {
            Some(Purpose::Limit)
        } else {
            (taken + reserve > count).then_some(Purpose::Reserve)
        }
    }

    /// Without a limit no tuner is known to be free, so one idle channel goes for each recording.
    fn unknown(&mut self, open: &Occupancy, now: Timestamp) -> Option<Purpose> {
        let is_new = |timer: &&Timer| {
            now < timer.starts + LATE
                && !open.has(timer)
                && !self.helped.get(&timer.id).is_some_and(|helped| helped.before)
        };
        let id = self.due(now).find(is_new)?.id.clone();
        self.helped.get_mut(&id)?.before = true;
        // A tuner may have been freed for it when a client scheduled it.
        match self.helped_ahead.take() {
            Some(at) if now < at + LATE => self.unknown(open, now),
            Some(_) | None => Some(Purpose::Recording),
        }
    }

    fn late(&mut self, open: &Occupancy, now: Timestamp) -> Option<Purpose> {
        let is_late = |timer: &&Timer| self.helped.get(&timer.id).is_some_and(|helped| helped.now);
        let timer = self.timers.iter().find(is_late)?;
        let helped = self.helped.get_mut(&timer.id)?;
        helped.now = false;
        if open.has(timer) {
            return None;
        }
        (helped.after, helped.last) = (helped.after + 1, Some(now));
        Some(Purpose::Recording)
    }
}

impl Helped {
    /// Whether the timer should have begun. Who records what has been on for a while schedules it in the past, and the server has yet to
    /// begin when it tells of that.
    fn is_late(&self, timer: &Timer, now: Timestamp) -> bool {
        timer.starts.max(self.told) + LATE <= now
    }
}

impl Timer {
    /// When a tuner has to be free for it.
    fn needs_tuner_at(&self) -> Timestamp {
        self.starts.before(LEAD)
    }
}
