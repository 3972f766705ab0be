//! The state as it is shown: made from the pool's snapshot when somebody asks, and then shown to everybody for a second.
//!
//! Metrics, API and dashboard show the same, so that they agree. It changes nothing.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use tokio::sync::Mutex;
use tokio::task::spawn_blocking;
use tokio::time::Instant;

use crate::admin::facts::{Facts, Figures};
use crate::admin::problem::Problem;
use crate::admin::{facts, sentences, views, waits};
use crate::background::survived;
use crate::supervisor::Supervisor;
use crate::supervisor::warm_up::ChannelWarmth;
use crate::webhooks::Webhooks;
use domain::consumer::Presence;
use domain::key::ItemId;
use domain::pool::foresight::Forethought;
use domain::pool::{ConsumerView, Snapshot, StreamView, WarmedUpView};
use domain::producer::State;
use domain::time::Timestamp;
use domain::zap::{Zap, ZapBook};

/// How old the state may be that is shown.
const FRESH: Duration = Duration::from_secs(1);

/// A snapshot, and what is shown of it.
#[derive(Debug)]
pub(super) struct Moment {
    /// The pool.
    pub(super) snapshot: Snapshot,
    /// The same as it is shown.
    pub(super) state: views::State,
    /// The zaps.
    pub(super) zaps: ZapBook,
    /// How warm each channel is of which something is open.
    warmths: BTreeMap<ItemId, ChannelWarmth>,
    /// What is only counted.
    pub(super) figures: Figures,
    made: Instant,
}

/// See the module.
#[derive(Debug)]
pub(super) struct Published {
    supervisor: Supervisor,
    facts: Facts,
    /// Whoever finds it too old makes it anew, and all who ask meanwhile wait for that one.
    last: Mutex<Option<Arc<Moment>>>,
}

impl Published {
    pub(super) fn new(supervisor: Supervisor, facts: Facts) -> Self {
        Self { supervisor, facts, last: Mutex::default() }
    }

    /// The state, a second old at most. With many viewers it takes some milliseconds to make, in a thread that serves none of them.
    ///
    /// # Errors
    /// [`Problem::Broken`] if that has died.
    pub(super) async fn moment(self: &Arc<Self>) -> Result<Arc<Moment>, Problem> {
        let mut last = self.last.lock().await;
        if let Some(moment) = last.as_ref().filter(|moment| moment.made.elapsed() < FRESH) {
            return Ok(Arc::clone(moment));
        }
        let this = Arc::clone(self);
        let made = spawn_blocking(move || survived("what is shown", || this.make())).await;
        let made = made.ok().flatten().ok_or(Problem::Broken)?;
        Ok(Arc::clone(last.insert(Arc::new(made))))
    }

    /// The last zaps that are over, from the one with this number on.
    pub(super) fn zaps_from(&self, first: u64) -> Vec<views::Zap> {
        let now = (self.supervisor.now(), SystemTime::now());
        let numbered: Vec<_> = self.supervisor.zaps().read(|book| {
            let oldest = book.count() - book.over().count() as u64;
            book.over().cloned().zip(oldest..).filter(|(_, id)| *id >= first).collect()
        });
        let users = self.supervisor.users_of(numbered.iter().map(|(zap, _)| zap.zapper.account));
        let user = |zap: &Zap| self.supervisor.names().user(users.get(&zap.zapper.account)?);
        numbered.iter().map(|(zap, id)| self.zap(zap, *id, user(zap), now)).collect()
    }

    /// How many zaps are over.
    pub(super) fn zaps_over(&self) -> u64 {
        self.supervisor.zaps().read(ZapBook::count)
    }

    /// Who is told what happens.
    pub(super) fn webhooks(&self) -> &Webhooks {
        &self.facts.webhooks
    }

    fn make(&self) -> Moment {
        let (snapshot, now) = (self.supervisor.snapshot(), self.supervisor.now());
        let zaps = self.supervisor.zaps().read(ZapBook::clone);
        let streams = snapshot.streams.iter().map(|stream| self.stream(stream, now)).collect();
        let state = views::State {
            at: moment(SystemTime::now()),
            version: env!("CARGO_PKG_VERSION"),
            uptime: self.supervisor.uptime().as_secs_f64(),
            upstream: self.facts.upstream.clone(),
            slots: self.supervisor.slots(),
            streams,
            warmed_up: snapshot.warmed_up.iter().map(|warmed| self.warmed_up(warmed, now)).collect(),
            tuners: tuners(&snapshot),
            counts: facts::counts(&snapshot.tally),
            zaps: waits::summary(&zaps, self.facts.slo),
        };
        let figures = Figures::now(&self.facts, &self.supervisor);
        let warmths = ChannelWarmth::of_all(&snapshot);
        Moment { snapshot, state, zaps, warmths, figures, made: Instant::now() }
    }

    /// The channels whose names are known, in the order of their items.
    pub(super) async fn channels(self: &Arc<Self>) -> Result<Vec<views::WarmChannel>, Problem> {
        let moment = self.moment().await?;
        let channels = self.supervisor.names().channels_known().into_iter().map(|(item, known)| {
            let warmth = moment.warmths.get(&item).copied().unwrap_or(ChannelWarmth::Cold);
            views::WarmChannel::of(views::Channel::of(&item, Some(known)), warmth)
        });
        Ok(channels.collect())
    }

    /// A channel, and how warm it is now.
    pub(super) fn warm_channel(&self, item: &ItemId) -> views::WarmChannel {
        views::WarmChannel::of(self.channel(item), self.supervisor.warmth_of(item))
    }

    fn warmed_up(&self, warmed: &WarmedUpView, now: Timestamp) -> views::WarmedUp {
        views::WarmedUp {
            channel: self.channel(&warmed.item),
            ready: warmed.is_ready,
            goes_in: warmed.until.map(|until| until.since(now).as_secs_f64()),
            by: warmed.by.as_str(),
            why: sentences::warmed_up(warmed.why.as_ref()),
        }
    }

    /// The configuration in effect, without its secrets.
    pub(super) fn config(&self) -> serde_json::Value {
        self.facts.running.get().shown()
    }

    /// The last decisions about channels that nobody watches, the oldest first.
    pub(super) fn decisions(&self) -> Vec<views::Decision> {
        let now = (self.supervisor.now(), SystemTime::now());
        self.supervisor.decisions().iter().map(|decision| self.decision(decision, now)).collect()
    }

    fn decision(&self, decision: &Forethought, (now, today): (Timestamp, SystemTime)) -> views::Decision {
        let device = decision.wanted_by.as_ref().and_then(|(_, device)| device.as_ref());
        views::Decision {
            at: moment(today - now.since(decision.at)),
            verdict: decision.verdict,
            channel: self.channel(&decision.item),
            why: sentences::decided(decision),
            worth: decision.worth.index,
            price: decision.price,
            wanted: decision.worth.wanted,
            within: decision.worth.horizon,
            spares: decision.worth.spared,
            device: device.map(|device| device.as_str().to_owned()),
            instead_of: decision.instead_of.as_ref().map(|item| self.channel(item)),
            runner_up: decision.runner_up.as_ref().map(|(item, _)| self.channel(item)),
        }
    }

    /// A channel, with its name as far as it is known.
    pub(super) fn channel(&self, item: &ItemId) -> views::Channel {
        views::Channel::of(item, self.supervisor.names().channel(item))
    }

    fn stream(&self, stream: &StreamView, now: Timestamp) -> views::Stream {
        let failed = match stream.state {
            State::BackingOff { retry_at, failure } => Some((failure.as_str(), retry_at.since(now))),
            State::Starting | State::Live | State::Resting | State::Retiring(_) => None,
        };
        let present = stream.consumers.iter().filter(|viewer| viewer.verdict.state.is_present());
        views::Stream {
            id: stream.id.0,
            channel: self.channel(&stream.item),
            profile: stream.profile.clone(),
            method: stream.method.as_str(),
            state: state_name(stream.state),
            failure: failed.map(|(failure, _)| failure),
            retry_in: failed.map(|(_, wait)| wait.as_secs_f64()),
            why: sentences::why(stream, now),
            generation: stream.generation,
            age: now.since(stream.begun).as_secs_f64(),
            idle: stream.idle_since.map(|since| now.since(since).as_secs_f64()),
            goes_in: stream.goes_at.map(|at| at.since(now).as_secs_f64()),
            pinned: stream.is_pinned,
            encodes: stream.encodes,
            memory: stream.held,
            viewers: present.map(|viewer| self.viewer(viewer, now)).collect(),
        }
    }

    fn viewer(&self, viewer: &ConsumerView, now: Timestamp) -> views::Viewer {
        let user = viewer.user.as_ref().and_then(|user| self.supervisor.names().user(user));
        views::Viewer {
            id: viewer_id(viewer),
            user: user.map(|name| name.to_string()),
            device: viewer.viewer.device.as_ref().map(|device| device.as_str().to_owned()),
            player: viewer.class.as_str(),
            presence: presence_name(viewer.verdict.state),
            absence: viewer.verdict.probability,
            because: viewer.verdict.because.iter().map(|evidence| evidence.as_str()).collect(),
            age: now.since(viewer.tuned_at).as_secs_f64(),
        }
    }

    fn zap(
        &self,
        zap: &Zap,
        id: u64,
        user: Option<Arc<str>>,
        (now, clock): (Timestamp, SystemTime),
    ) -> views::Zap {
        let since = |at: Option<Timestamp>| at.map(|at| at.since(zap.begun).as_secs_f64());
        let begun = clock.checked_sub(now.since(zap.begun)).unwrap_or(clock);
        views::Zap {
            id,
            at: moment(begun),
            channel: self.channel(&zap.zapper.item),
            user: user.map(|name| name.to_string()),
            device: zap.zapper.device.as_ref().map(|device| device.as_str().to_owned()),
            outcome: zap.outcome.as_str(),
            reason: zap.reason,
            waited: zap.waited().map(|waited| waited.as_secs_f64()),
            opened: since(zap.opened),
            list_asked: since(zap.list_asked),
            listed: since(zap.listed),
            segment_asked: since(zap.segment_asked),
            segment_sent: since(zap.segment_sent),
            listed_again: since(zap.listed_again),
        }
    }
}

/// A viewer's name in the API. Its token would give its stream away.
pub(super) fn viewer_id(viewer: &ConsumerView) -> String {
    let (account, device) = (viewer.viewer.account.0, viewer.viewer.device.as_ref());
    let mut hash = std::hash::DefaultHasher::new();
    std::hash::Hash::hash(&(account, device, viewer.id.bits()), &mut hash);
    format!("{:016x}", std::hash::Hasher::finish(&hash))
}

/// A moment as RFC 3339 writes it, to the millisecond.
pub(super) fn moment(at: SystemTime) -> String {
    jiff::Timestamp::try_from(at).map_or_else(|_| String::new(), |at| format!("{at:.3}"))
}

const fn state_name(state: State) -> &'static str {
    match state {
        State::Starting => "starting",
        State::Live => "live",
        State::Resting => "resting",
        State::BackingOff { .. } => "backing-off",
        State::Retiring(_) => "retiring",
    }
}

const fn presence_name(presence: Presence) -> &'static str {
    match presence {
        Presence::Joining => "joining",
        Presence::Playing => "playing",
        Presence::Paused => "paused",
        Presence::Thin => "thin",
        Presence::Stalled => "stalled",
        Presence::Suspect => "suspect",
        Presence::Left { .. } => "left",
    }
}

fn tuners(snapshot: &Snapshot) -> views::Tuners {
    let tuners = &snapshot.tuners;
    let hosts = tuners.hosts.iter().map(|host| views::TunerHost {
        id: host.id.clone(),
        limit: host.limit.map(|limit| limit.count),
        reserve: host.reserve,
        in_use: host.in_use,
        idle: host.idle,
    });
    views::Tuners {
        limit: tuners.limit.map(|limit| limit.count),
        source: tuners.limit.map(|limit| limit.source.as_str()),
        reserve: tuners.reserve,
        in_use: tuners.in_use,
        idle: tuners.idle,
        closing: tuners.closing,
        openings: snapshot.openings,
        hosts: hosts.collect(),
    }
}
