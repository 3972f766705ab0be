//! Keeps account of a simulation: from what viewers do and what the gateway does, and from nothing else.

use std::collections::BTreeMap;

use crate::simulate::zapping::audience::Zap;
use crate::simulate::zapping::policy::Policy;
use crate::simulate::zapping::row::Row;

const HOUR: f64 = 3_600_000.0;
/// Waits in milliseconds that nobody notices, and those that TR-126 allows.
const UNNOTICED: u64 = 430;
const ALLOWED: u64 = 2000;

/// What a gateway does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Done {
    /// Starts a channel, since a viewer asks for it or ahead of one.
    Started { channel: u32, is_ahead: bool },
    /// Stops one.
    Stopped { channel: u32 },
    /// Shows a viewer its channel, after so many milliseconds. `is_refused` if other viewers have all slots.
    Served { wait: u64, is_warm: bool, is_refused: bool },
}

/// A channel that runs.
#[derive(Clone, Copy, Debug)]
struct Running {
    /// Since when nobody watches it.
    idle_since: Option<u64>,
    /// Whether it was started ahead, within what is measured, and nobody has come yet.
    is_ahead: bool,
}

/// The account.
#[derive(Debug)]
pub(super) struct Ledger {
    /// Only what happens from here on is measured.
    from: u64,
    viewers: BTreeMap<u32, (u32, u64)>,
    watched: BTreeMap<u32, u32>,
    running: BTreeMap<u32, Running>,
    waits: Vec<u64>,
    warm: u64,
    refused: u64,
    viewing: u64,
    idle: u64,
    wasted: u64,
    starts: u64,
    ahead: u64,
    ahead_used: u64,
    cut: u64,
    log: u64,
}

impl Ledger {
    pub(super) const fn new(from: u64) -> Self {
        Self {
            from,
            viewers: BTreeMap::new(),
            watched: BTreeMap::new(),
            running: BTreeMap::new(),
            waits: Vec::new(),
            warm: 0,
            refused: 0,
            viewing: 0,
            idle: 0,
            wasted: 0,
            starts: 0,
            ahead: 0,
            ahead_used: 0,
            cut: 0,
            log: 0xcbf2_9ce4_8422_2325,
        }
    }

    /// A viewer does something, whether or not the gateway notices.
    pub(super) fn zapped(&mut self, zap: &Zap) {
        self.note(zap.at, &[u64::from(zap.viewer), zap.channel.map_or(u64::MAX, u64::from)]);
        if let Some((channel, since)) = self.viewers.remove(&zap.viewer) {
            self.viewing += self.measured(since, zap.at);
            let watchers = self.watched.entry(channel).or_default();
            *watchers = watchers.saturating_sub(1);
            if *watchers == 0
                && let Some(running) = self.running.get_mut(&channel)
            {
                running.idle_since = Some(zap.at);
            }
        }
        let Some(channel) = zap.channel else { return };
        self.viewers.insert(zap.viewer, (channel, zap.at));
        *self.watched.entry(channel).or_default() += 1;
        if let Some(running) = self.running.get_mut(&channel) {
            let since = running.idle_since.take();
            self.ahead_used += u64::from(std::mem::take(&mut running.is_ahead));
            self.idle += since.map_or(0, |since| self.measured(since, zap.at));
        }
    }

    /// The gateway does something.
    pub(super) fn done(&mut self, done: Done, now: u64) {
        let is_measured = now >= self.from;
        match done {
            Done::Started { channel, is_ahead } => {
                self.note(now, &[1, u64::from(channel), u64::from(is_ahead)]);
                let idle_since = (!self.is_watched(channel)).then_some(now);
                let is_ahead = is_ahead && is_measured;
                self.running.insert(channel, Running { idle_since, is_ahead });
                self.starts += u64::from(is_measured);
                self.ahead += u64::from(is_ahead);
            }
            Done::Stopped { channel } => {
                self.note(now, &[2, u64::from(channel)]);
                self.cut += u64::from(self.is_watched(channel));
                let idle_since = self.running.remove(&channel).and_then(|running| running.idle_since);
                let idle = idle_since.map_or(0, |since| self.measured(since, now));
                self.idle += idle;
                self.wasted += idle;
            }
            Done::Served { wait, is_warm, is_refused } => {
                self.note(now, &[3, wait, u64::from(is_warm), u64::from(is_refused)]);
                if is_measured {
                    self.waits.push(wait);
                    self.warm += u64::from(is_warm);
                    self.refused += u64::from(is_refused);
                }
            }
        }
    }

    /// Closes the account at the end of the simulation.
    pub(super) fn close(mut self, policy: Policy, end: u64) -> Row {
        let still_idle = self.running.values().filter_map(|running| running.idle_since);
        self.idle += still_idle.map(|since| self.measured(since, end)).sum::<u64>();
        let still_on = self.viewers.values().map(|&(_, since)| since);
        self.viewing += still_on.map(|since| self.measured(since, end)).sum::<u64>();
        self.waits.sort_unstable();
        let count = self.waits.len();
        let hours = self.viewing as f64 / HOUR;
        let per_tune = |part: u64| part as f64 / count.max(1) as f64;
        let per_hour = |part: f64| part / hours.max(1e-9);
        let minutes = |millis: u64| millis as f64 / 60_000.0;
        let quantile = |percent: usize| {
            let place = (count * percent / 100).min(count.saturating_sub(1));
            self.waits.get(place).map_or(0.0, |&wait| wait as f64 / 1000.0)
        };
        let within = |limit: u64| per_tune(self.waits.partition_point(|&wait| wait <= limit) as u64);
        Row {
            policy,
            tunes: count as u64,
            hours,
            warm: per_tune(self.warm),
            mean: per_tune(self.waits.iter().sum()) / 1000.0,
            p50: quantile(50),
            p95: quantile(95),
            unnoticed: within(UNNOTICED),
            within_2_s: within(ALLOWED),
            idle: per_hour(minutes(self.idle)),
            wasted: per_hour(minutes(self.wasted)),
            starts: per_hour(self.starts as f64),
            precision: (self.ahead > 0).then(|| self.ahead_used as f64 / self.ahead as f64),
            refused: per_tune(self.refused),
            cut: self.cut,
            log: self.log,
        }
    }

    fn is_watched(&self, channel: u32) -> bool {
        self.watched.get(&channel).is_some_and(|&watchers| watchers > 0)
    }

    /// The milliseconds of a span that are measured.
    fn measured(&self, since: u64, until: u64) -> u64 {
        until.saturating_sub(since.max(self.from))
    }

    fn note(&mut self, at: u64, what: &[u64]) {
        for byte in [at].iter().chain(what).flat_map(|number| number.to_le_bytes()) {
            self.log = (self.log ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
        }
    }
}
