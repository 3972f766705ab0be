//! What is known of the server's tuners: their hosts, what each can have open at once, the timers, and what was done for those.
//!
//! When an idle channel has to go is decided in `guard`.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::key::MediaSourceId;
use crate::reason::LimitSource;
use crate::time::Timestamp;
use crate::tuners::harm::{Collision, Harm};
use crate::tuners::hosts::{HostKind, Hosts, TunerHost};
use crate::tuners::learning::{Learned, Learning};
use crate::tuners::limits::{self, Scope, Settings, TunerLimit};
use crate::tuners::occupancy::{Occupancy, Use};
use crate::tuners::providers::Providers;
use crate::tuners::timers::Timer;

/// The name under which is remembered what was learned of the sources that are on no host of the server's.
const OTHERS: &str = "others";

/// Within which time an opening has to be granted once an idle channel has gone for it, if that is why.
const PROVED: Duration = Duration::from_secs(30);
/// How long a tuner that counts as free is held to be taken after the server has denied one: by then the timers have been asked for.
const UNSEEN: Duration = Duration::from_secs(90);

/// See the module.
#[derive(Clone, Debug)]
pub struct ServerTuners {
    pub(super) settings: Settings,
    pub(super) hosts: Hosts,
    /// The providers of the playlists in `lineup:`.
    pub(super) providers: Providers,
    /// Whether the server has told its hosts.
    pub(super) are_hosts_told: bool,
    /// What was learned, by the host's name.
    learning: BTreeMap<String, Learning>,
    harm: Harm,
    denial: Option<Denial>,
    /// Until when a tuner that counts as free is held to be taken.
    unseen_until: Option<Timestamp>,
    pub(super) timers: Vec<Timer>,
    /// What was done for each timer.
    pub(super) helped: BTreeMap<String, Helped>,
    /// When a tuner was last freed for a recording whose timer was not known yet.
    pub(super) helped_ahead: Option<Timestamp>,
    /// Until when the timers have been considered.
    pub(super) considered: Timestamp,
}

/// What is known of one tuner host at a moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HostView {
    /// The server's name for it.
    pub id: String,
    /// How many channels it can have open at once; `None` if anything.
    pub limit: Option<TunerLimit>,
    /// How many of its tuners stay free.
    pub reserve: u32,
    /// Channels that may be open on it, and the gateway's own pulls from its provider.
    pub in_use: usize,
    /// Those of them that are open for nobody.
    pub idle: usize,
}

impl ServerTuners {
    /// Knows nothing but what the operator has set, also for the providers of the playlists in `lineup:`: how many connections each
    /// allows; 0 is no number.
    #[must_use]
    pub fn new(settings: Settings, connections: impl IntoIterator<Item = u32>) -> Self {
        Self {
            settings,
            hosts: Hosts::default(),
            providers: Providers::new(connections),
            are_hosts_told: false,
            learning: BTreeMap::new(),
            harm: Harm::default(),
            denial: None,
            unseen_until: None,
            timers: Vec::new(),
            helped: BTreeMap::new(),
            helped_ahead: None,
            considered: Timestamp::default(),
        }
    }

    /// The operator has set something else.
    pub const fn set(&mut self, settings: Settings) {
        self.settings = settings;
    }

    /// The server has told its tuner hosts.
    pub fn set_hosts(&mut self, hosts: Vec<TunerHost>) {
        self.hosts.set(hosts);
        self.are_hosts_told = true;
    }

    /// The server has told its timers.
    pub fn set_timers(&mut self, timers: Vec<Timer>, now: Timestamp) {
        let told = timers.iter().filter_map(|timer| timer.source.clone().zip(timer.playlist.clone()));
        told.for_each(|(source, playlist)| self.hosts.tell(source, playlist));
        let helped = |timer: &Timer| self.helped.get(&timer.id).copied().unwrap_or(Helped::none(now));
        self.helped = timers.iter().map(|timer| (timer.id.clone(), helped(timer))).collect();
        self.timers = timers;
        self.look_for_late(now);
    }

    /// What an earlier process has learned, by the host's name.
    pub fn recall(&mut self, learned: BTreeMap<String, Learned>) {
        self.learning = learned.into_iter().map(|(id, learned)| (id, Learning::new(learned))).collect();
    }

    /// What has been learned, by the host's name.
    #[must_use]
    pub fn learned(&self) -> BTreeMap<String, Learned> {
        let known = self.learning.iter().map(|(id, learning)| (id.clone(), learning.learned()));
        known.filter(|(_, learned)| *learned != Learned::default()).collect()
    }

    /// A client or the gateway asks for an opening.
    pub const fn asked(&mut self, now: Timestamp) {
        self.harm.asked(now);
    }

    /// These channels are open. Learns from that, and from what their opening has ended.
    pub fn observe(&mut self, open: &Occupancy, now: Timestamp) {
        for (item, source) in open.items() {
            self.hosts.recognise(source, item);
        }
        for collision in self.harm.observe(open.opened(), now) {
            self.collided(&collision, open, now);
        }
        for index in self.learned_hosts() {
            let count = self.open_on(index, open, |_| true);
            self.learning_of(index).observe(count, now);
        }
    }

    /// A channel has ended by itself; its last data came at `last`.
    pub fn ended(&mut self, source: &MediaSourceId, last: Timestamp, open: &Occupancy, now: Timestamp) {
        if let Some(collision) = self.harm.ended(source, last, now) {
            self.collided(&collision, open, now);
        }
    }

    /// The server has denied somebody a tuner, and an idle channel goes for it. `others` may be open besides, on whichever host: then
    /// nothing can be learned from it.
    pub fn denied(&mut self, open: &Occupancy, others: usize, now: Timestamp) {
        let on = |index| self.open_on(index, open, |_| true);
        let counts = self.indices().map(|index| u32::try_from(on(index)).unwrap_or(u32::MAX));
        self.denial = (others == 0).then(|| Denial { at: now, open: counts.collect() });
    }

    /// The server has denied somebody a tuner although one counts as free: somebody has it whom the gateway does not see.
    pub fn one_is_unseen(&mut self, now: Timestamp) {
        self.unseen_until = Some(now + UNSEEN);
    }

    /// How many tuners are held to be taken besides those that are known to be.
    pub(super) fn unseen(&self) -> usize {
        usize::from(self.unseen_until.is_some_and(|until| until > self.considered))
    }

    /// The one who was denied a tuner got it once an idle channel had gone. So no more can be open than were then.
    pub fn denial_proved(&mut self, now: Timestamp) {
        let Some(denial) = self.denial.take().filter(|denial| now < denial.at + PROVED) else { return };
        let used: Vec<_> = self.indices().zip(denial.open).filter(|(_, count)| *count > 0).collect();
        // With channels open on several hosts, none tells which one it was.
        if let [(index, count)] = used[..]
            && self.is_learned(index)
        {
            self.learning_of(index).harmed(count, now);
        }
    }

    /// The number of tuners that stay free; 0 where the limit is unknown.
    #[must_use]
    pub fn reserve(&self, limit: TunerLimit) -> u32 {
        match limit.source {
            LimitSource::Server
            | LimitSource::Configured
            | LimitSource::Lineup
            | LimitSource::Device
            | LimitSource::Account => self.settings.reserve.of(limit.count),
            LimitSource::Learned => 0,
        }
    }

    /// Whether anything can have to go.
    #[must_use]
    pub const fn is_concerned(&self) -> bool {
        self.are_hosts_told || self.settings.limit.is_some() || !self.timers.is_empty()
    }

    /// The limits, and the tuners that each is about.
    pub fn limits<'a>(&'a self, open: &'a Occupancy) -> impl Iterator<Item = (Scope, TunerLimit)> + 'a {
        let all = self
            .settings
            .limit
            .map(|count| (Scope::All, TunerLimit { count, source: LimitSource::Configured }));
        let hosts =
            self.indices().filter_map(|index| Some((Scope::Host(index), self.limit_of(index, open)?)));
        all.into_iter().chain(hosts)
    }

    /// Whether a channel takes one of the tuners in `scope`, as far as can be told.
    #[must_use]
    pub fn is_in(&self, scope: Scope, source: &MediaSourceId) -> bool {
        match scope {
            Scope::All => true,
            Scope::Host(index) => self.hosts.may_have(index, source),
        }
    }

    /// An idle channel goes for a recording that begins at once, and whose timer is not known yet.
    pub const fn helped_ahead(&mut self, now: Timestamp) {
        self.helped_ahead = Some(now);
    }

    /// Each host of the server's, and the one of all other sources if any of them is open.
    #[must_use]
    pub fn hosts_view(&self, open: &Occupancy) -> Vec<HostView> {
        let view = |index| {
            let count = |by: Option<Use>| self.open_on(index, open, |known| by.is_none_or(|by| by == known));
            let limit = self.limit_of(index, open);
            let reserve = limit.map_or(0, |limit| self.reserve(limit));
            let id = self.name(index).to_owned();
            HostView { id, limit, reserve, in_use: count(None), idle: count(Some(Use::Idle)) }
        };
        let is_shown = |index: &usize| self.hosts.get(*index).is_some() || view(*index).in_use > 0;
        self.indices().filter(is_shown).map(view).collect()
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

    /// When something will have been learned, if nothing changes.
    pub(super) fn learning_deadline(&self) -> Option<Timestamp> {
        self.learned_hosts()
            .into_iter()
            .filter_map(|index| self.learning.get(self.name(index))?.deadline())
            .min()
    }

    /// The channels that can be open at once for certain, where a limit is `limit`.
    pub(super) fn certain(&self, scope: Scope, limit: TunerLimit) -> u32 {
        match (limit.source, scope) {
            (LimitSource::Learned, Scope::Host(index)) => self.learned_of(index).proven,
            (LimitSource::Learned, Scope::All)
            | (
                LimitSource::Server
                | LimitSource::Configured
                | LimitSource::Lineup
                | LimitSource::Device
                | LimitSource::Account,
                _,
            ) => limit.count,
        }
    }

    /// Whether a host has no limit at all, or none that the gateway could know.
    pub(super) fn has_unlimited_host(&self) -> bool {
        let is_gateway =
            |index| self.hosts.get(index).is_some_and(|host| matches!(host.kind, HostKind::Gateway(_)));
        self.indices().any(is_gateway)
    }

    /// The limit of a host that somebody tells.
    pub(super) fn told(&self, index: usize) -> Option<TunerLimit> {
        let host = self.hosts.get(index)?;
        limits::told(host, host.provider.and_then(|playlist| self.providers.limit(playlist)))
    }

    fn limit_of(&self, index: usize, open: &Occupancy) -> Option<TunerLimit> {
        if let Some(told) = self.told(index) {
            return Some(told);
        }
        self.is_learned(index).then(|| {
            let needed = self.open_on(index, open, |by| by == Use::Needed);
            let learned = self.learned_of(index);
            // No recording is put at risk to learn something.
            let count = if open.is_recorded() {
                learned.proven
            } else {
                learned.limit(u32::try_from(needed).unwrap_or(u32::MAX))
            };
            TunerLimit { count, source: LimitSource::Learned }
        })
    }

    /// Whether nobody tells how many channels the host can have open.
    fn is_learned(&self, index: usize) -> bool {
        let is_gateway = |host: &TunerHost| matches!(host.kind, HostKind::Gateway(_));
        let is_told = self.told(index).is_some() || self.hosts.get(index).is_some_and(is_gateway);
        self.settings.limit.is_none() && !is_told
    }

    fn learned_hosts(&self) -> Vec<usize> {
        self.indices().filter(|&index| self.is_learned(index)).collect()
    }

    pub(super) fn learned_of(&self, index: usize) -> Learned {
        self.learning.get(self.name(index)).map(Learning::learned).unwrap_or_default()
    }

    fn learning_of(&mut self, index: usize) -> &mut Learning {
        let name = self.name(index).to_owned();
        self.learning.entry(name).or_default()
    }

    fn collided(&mut self, collision: &Collision, open: &Occupancy, now: Timestamp) {
        for index in self.learned_hosts() {
            if self.hosts.may_have(index, &collision.ended) && self.hosts.may_have(index, &collision.opened) {
                let others = open
                    .count_of(|source, _| *source != collision.ended && self.hosts.may_have(index, source))
                    + self.pulls_in(Scope::Host(index), open, |_| true);
                // As many as were open besides the one that ended.
                self.learning_of(index).harmed(u32::try_from(others).unwrap_or(u32::MAX), now);
            }
        }
    }

    fn name(&self, index: usize) -> &str {
        self.hosts.get(index).map_or(OTHERS, |host| &host.id)
    }

    fn indices(&self) -> impl Iterator<Item = usize> + use<> {
        self.are_hosts_told.then(|| self.hosts.indices()).into_iter().flatten()
    }
}

/// What was open when the server denied a tuner.
#[derive(Clone, Debug)]
struct Denial {
    at: Timestamp,
    /// The number of channels on each host.
    open: Vec<u32>,
}

/// What was done for a timer whose tuner is not known to be free.
#[derive(Clone, Copy, Debug)]
pub(super) struct Helped {
    /// When the server first told of the timer.
    pub(super) told: Timestamp,
    /// Whether an idle channel went before its start.
    pub(super) before: bool,
    /// How many went after it.
    pub(super) after: u8,
    /// When the last of those did.
    pub(super) last: Option<Timestamp>,
    /// Whether one more has to go.
    pub(super) now: bool,
}

impl Helped {
    /// Nothing yet, for a timer that is told now.
    const fn none(now: Timestamp) -> Self {
        Self { told: now, before: false, after: 0, last: None, now: false }
    }
}
