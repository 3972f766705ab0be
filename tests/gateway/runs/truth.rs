//! What viewers truly do, told by the viewers themselves, and what follows for the server's tuners.

use std::collections::BTreeSet;
use std::sync::{Mutex, MutexGuard};
use std::time::Duration;

use tokio::time::Instant;

/// Half of the width within which a moment is compared.
pub(crate) const SLACK: Duration = Duration::from_secs(5);

/// How a viewer leaves a channel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Manner {
    /// It says so, or opens another channel and plays that.
    Told,
    /// It falls silent.
    Silent,
    /// It never asked for a playlist.
    Unplayed,
}

/// How long the gateway may take to learn that a viewer has left.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Patience {
    /// A viewer that fell silent.
    pub(crate) silent: Duration,
    /// An opening that was never played.
    pub(crate) unfollowed: Duration,
}

impl Patience {
    fn of(self, manner: Manner) -> Duration {
        match manner {
            Manner::Told => Duration::ZERO,
            Manner::Silent => self.silent,
            Manner::Unplayed => self.unfollowed,
        }
    }
}

/// A channel that a viewer has opened.
#[derive(Clone, Debug)]
pub(crate) struct Stay {
    pub(crate) device: String,
    pub(crate) channel: usize,
    /// The play session, once the opening was answered.
    pub(crate) play_session: Option<String>,
    /// From the request for the opening.
    pub(crate) from: Duration,
    pub(crate) until: Option<(Duration, Manner)>,
}

/// An opening that was refused.
#[derive(Clone, Debug)]
pub(crate) struct Refusal {
    pub(crate) device: String,
    pub(crate) channel: usize,
    pub(crate) from: Duration,
    pub(crate) until: Duration,
    pub(crate) error: String,
}

/// All that viewers have done, by the time since the start.
#[derive(Debug)]
pub(crate) struct Truth {
    started: Instant,
    patience: Patience,
    inner: Mutex<Inner>,
}

#[derive(Debug, Default)]
struct Inner {
    stays: Vec<Stay>,
    refusals: Vec<Refusal>,
    /// Answers that no viewer may get.
    faults: Vec<String>,
    /// When each disturbance ended.
    disturbances: Vec<Duration>,
    playlists: usize,
}

impl Truth {
    pub(crate) fn new(patience: Patience) -> Self {
        Self { started: Instant::now(), patience, inner: Mutex::default() }
    }

    pub(crate) fn now(&self) -> Duration {
        self.started.elapsed()
    }

    /// A device asks for a channel. Returns the number of its stay.
    pub(crate) fn asks(&self, device: &str, channel: usize) -> usize {
        let from = self.now();
        let mut inner = self.inner();
        inner.stays.push(Stay { device: device.to_owned(), channel, play_session: None, from, until: None });
        inner.stays.len() - 1
    }

    pub(crate) fn opened(&self, stay: usize, play_session: &str) {
        self.inner().stays[stay].play_session = Some(play_session.to_owned());
    }

    pub(crate) fn refused(&self, stay: usize, error: String) {
        let until = self.now();
        let mut inner = self.inner();
        let Stay { device, channel, from, .. } = inner.stays[stay].clone();
        inner.stays[stay].until = Some((until, Manner::Told));
        inner.refusals.push(Refusal { device, channel, from, until, error });
    }

    /// A viewer has left at `at`, or never came back then.
    pub(crate) fn left(&self, stay: usize, at: Duration, manner: Manner) {
        self.inner().stays[stay].until = Some((at, manner));
    }

    /// A viewer that had left is there again.
    pub(crate) fn is_back(&self, stay: usize) {
        self.inner().stays[stay].until = None;
    }

    pub(crate) fn fault(&self, what: String) {
        let line = format!("{:>8.3} {what}", self.now().as_secs_f64());
        eprintln!("fault {line}");
        self.inner().faults.push(line);
    }

    pub(crate) fn playlist(&self) {
        self.inner().playlists += 1;
    }

    /// The openings whose answers have not reached their viewers: whoever is killed now may have learned of them or not.
    pub(crate) fn unanswered(&self) -> usize {
        let now = self.now();
        let waits =
            |stay: &&Stay| stay.play_session.is_none() && stay.until.is_none_or(|(until, _)| now < until);
        self.inner().stays.iter().filter(waits).count()
    }

    /// The gateway or the origin is about to be killed.
    pub(crate) fn disturbance_begins(&self) {
        self.inner().disturbances.push(Duration::MAX / 2);
    }

    /// Both are there again.
    pub(crate) fn disturbance_ends(&self) {
        let now = self.now();
        if let Some(last) = self.inner().disturbances.last_mut() {
            *last = now;
        }
    }

    /// Whether a disturbance lasts, or ended within `before` from now.
    pub(crate) fn is_disturbed(&self, before: Duration) -> bool {
        let now = self.now();
        self.inner().disturbances.last().is_some_and(|last| now < *last + before)
    }

    /// How many openings of a channel may be open at `at`.
    pub(crate) fn openings(&self, channel: usize, at: Duration) -> usize {
        let inner = self.inner();
        let theirs = inner.stays.iter().filter(|stay| stay.channel == channel);
        theirs.filter(|stay| stay.from <= at && at <= self.lasts(stay)).count()
    }

    /// The channels that somebody other than `device` needs at `at`, as far as the gateway can know.
    fn needed(&self, inner: &Inner, device: &str, at: Duration) -> BTreeSet<usize> {
        let others = inner.stays.iter().filter(|stay| stay.device != device);
        let there = others.filter(|stay| stay.from <= at && at <= self.lasts(stay) + Duration::from_secs(1));
        there.map(|stay| stay.channel).collect()
    }

    fn lasts(&self, stay: &Stay) -> Duration {
        stay.until.map_or(Duration::MAX, |(until, manner)| until + self.patience.of(manner))
    }

    /// The refusals that were none of necessity: at no moment of the request did others need all `tuners`.
    pub(crate) fn needless_refusals(&self, tuners: usize) -> Vec<String> {
        let inner = self.inner();
        let needless = inner.refusals.iter().filter(|refusal| {
            let mut moments = vec![refusal.from, refusal.until];
            moments.extend(inner.stays.iter().map(|stay| stay.from));
            let mut moments = moments.into_iter().filter(|at| (refusal.from..=refusal.until).contains(at));
            !moments.any(|at| {
                let mut needed = self.needed(&inner, &refusal.device, at);
                needed.remove(&refusal.channel);
                needed.len() >= tuners
            })
        });
        let told = needless.map(|refusal| {
            let recent = inner.stays.iter().filter(|stay| {
                let ended = stay.until.map_or(Duration::MAX, |(until, _)| until);
                stay.from <= refusal.until && ended.saturating_add(Duration::from_secs(60)) >= refusal.from
            });
            let Refusal { device, channel, from, until, error } = refusal;
            let recent: Vec<_> = recent.collect();
            format!("needless: {device} on {channel} from {from:?} to {until:?}: {error}, after {recent:#?}")
        });
        told.collect()
    }

    pub(crate) fn faults(&self) -> Vec<String> {
        self.inner().faults.clone()
    }

    pub(crate) fn take_faults(&self) -> Vec<String> {
        std::mem::take(&mut self.inner().faults)
    }

    /// What happened, in one line.
    pub(crate) fn summary(&self) -> String {
        let inner = self.inner();
        let (zaps, refusals, playlists) = (inner.stays.len(), inner.refusals.len(), inner.playlists);
        let kills = inner.disturbances.len();
        format!("{zaps} zaps, {refusals} refused, {playlists} playlists, {kills} kills in {:?}", self.now())
    }

    /// All that happened, line by line.
    pub(crate) fn story(&self) -> Vec<String> {
        let inner = self.inner();
        let stays = inner.stays.iter().map(|stay| format!("{stay:?}"));
        stays.chain(inner.refusals.iter().map(|refusal| format!("{refusal:?}"))).collect()
    }

    /// The stays on a channel, for a failure's message.
    pub(crate) fn stays(&self, channel: usize) -> Vec<String> {
        let inner = self.inner();
        inner.stays.iter().filter(|stay| stay.channel == channel).map(|stay| format!("{stay:?}")).collect()
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap()
    }
}
