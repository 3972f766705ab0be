//! The server's tuners, as the proxy deals with them; and the task that asks the server how many it has and which recordings it is
//! to make, and tells the pool.
//!
//! It asks with the gateway's own credential, else with that of a viewer. What follows from the answers, and what is given up for
//! a tuner, is the pool's.

pub mod asking;
pub(super) mod learned;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use http::StatusCode;
use tokio::sync::{Notify, watch};
use tokio::time::{Instant, sleep, timeout};
use tracing::{debug, info, warn};

use crate::supervisor::handle::Handle;
use crate::supervisor::tuners::asking::Asking;
use crate::upstream::jellyfin::{Error, Jellyfin, Login, Place};
use crate::upstream::live_tv::Recording;
use domain::key::{AskingId, DeviceId, ItemId, MediaSourceId};
use domain::pool::{Event, Open, Pool};
use domain::reason::LimitSource;
use domain::time::Timestamp;
use domain::tuners::{HostKind, HostView, Needed, Timer, TimerStatus, TunerHost, TunerLimit};
use domain::viewer::Account;

/// Between two questions for the limit.
const LIMIT_HOLDS: Duration = Duration::from_secs(600);
/// Between two questions for the timers.
const TIMERS_HOLD: Duration = Duration::from_secs(60);
/// How long a client that was denied a tuner waits until the server has told its channel's source.
const TELLING: Duration = Duration::from_secs(3);
/// How long after a start it is asked whether the recording has begun: by then the server has opened the channel or given up.
const BEGUN: Duration = Duration::from_secs(11);

/// See the module.
#[derive(Debug)]
pub struct Tuners {
    handle: Handle,
    jellyfin: Jellyfin,
    gateway_login: Option<Login>,
    /// The places of the playlists in `lineup:`, by the MD5 of their URL or their device's.
    playlists: BTreeMap<String, usize>,
    viewer: Mutex<Viewer>,
    /// Notified when there is a reason to ask at once.
    reason_to_ask: Notify,
    next_asking: AtomicU64,
}

/// As which viewer the server may be asked.
#[derive(Debug, Default)]
struct Viewer {
    /// What stands before the server's own paths; known from the first viewer on.
    prefix: String,
    login: Option<(Account, Login)>,
}

impl Tuners {
    pub(super) fn new(
        handle: Handle,
        jellyfin: Jellyfin,
        gateway_login: Option<Login>,
        playlists: BTreeMap<String, usize>,
    ) -> Self {
        Self {
            handle,
            jellyfin,
            gateway_login,
            playlists,
            viewer: Mutex::default(),
            reason_to_ask: Notify::new(),
            next_asking: AtomicU64::default(),
        }
    }

    /// The server may be asked as this viewer, and is found behind `prefix`.
    pub fn introduce(&self, account: Account, prefix: &str, login: &Login) {
        let mut viewer = self.viewer();
        if viewer.login.is_none() {
            prefix.clone_into(&mut viewer.prefix);
            viewer.login = Some((account, login.clone()));
            self.reason_to_ask.notify_one();
        }
    }

    /// The server's timers have changed: asks for them at once.
    pub fn timers_changed(&self) {
        self.reason_to_ask.notify_one();
    }

    /// Whether somebody tells how many tuners `wanted` can have one of.
    #[must_use]
    pub fn is_limit_told(&self, wanted: Option<&MediaSourceId>) -> bool {
        self.handle.pool().is_tuner_limit_told(wanted, self.handle.now())
    }

    /// The media source of a channel that was denied a tuner, where that tells which of several hosts had none. The server is asked for
    /// one that has never been open.
    pub async fn source_of(&self, place: &Place, login: &Login) -> Option<MediaSourceId> {
        let (known, has_several_hosts) = {
            let pool = self.handle.pool();
            (pool.source_of(&place.item), pool.has_several_tuner_hosts())
        };
        if known.is_some() || !has_several_hosts {
            return known;
        }
        self.ask_for_source(place, login).await
    }

    /// The media source of a channel as the server tells it, which opens nothing for that.
    pub(super) async fn ask_for_source(&self, place: &Place, login: &Login) -> Option<MediaSourceId> {
        let asked = timeout(TELLING, self.jellyfin.only_source(place, login)).await;
        let source =
            asked.ok()?.inspect_err(|error| debug!(cause = %error, "cannot ask for a channel's source"));
        let source = source.ok()??;
        self.handle.ask(|pool, _| pool.item_has_source(&place.item, &source));
        Some(source)
    }

    /// Whether an idle channel has to go before the server is asked to open this item's.
    #[must_use]
    pub fn must_make_way(&self, item: Option<&ItemId>) -> bool {
        self.handle.pool().must_make_way(item, self.handle.now())
    }

    /// The server is asked to open a channel, until the value is dropped.
    #[must_use]
    pub fn ask(&self, item: Option<ItemId>) -> Asking {
        Asking::new(self.handle.clone(), AskingId(self.next_asking.fetch_add(1, Ordering::Relaxed)), item)
    }

    /// The server has opened the channel for which a tuner was freed.
    pub fn denial_proved(&self) {
        self.handle.tell(Event::DenialProved);
    }

    /// Frees a tuner for a client that was denied one for `wanted`, if that is known. Returns true once one has been freed.
    pub async fn free_tuner(&self, wanted: Option<MediaSourceId>) -> bool {
        self.handle.free_tuner(wanted).await
    }

    /// The server denies a device a tuner for `item`: returns true once one has been freed, by what the device itself leaves or
    /// by an idle channel.
    pub async fn free_tuner_for(
        &self,
        account: Option<Account>,
        device: Option<&DeviceId>,
        item: &ItemId,
        wanted: Option<MediaSourceId>,
    ) -> bool {
        if let Some((account, device)) = account.zip(device) {
            self.handle.tell(Event::Zapping(account, device.clone(), item.clone()));
        }
        self.free_tuner(wanted).await
    }

    /// What may free a tuner without anybody's doing.
    #[must_use]
    pub fn unsettled(&self) -> BTreeSet<Open> {
        self.handle.unsettled()
    }

    /// The server denied an opening a tuner while others were under way: waits for how those end. Returns whether anything has ended
    /// that was unsettled `before`, so that the answer may be another now.
    pub async fn settle(&self, before: &BTreeSet<Open>, wanted: Option<&MediaSourceId>) -> bool {
        self.handle.settle(before, wanted).await
    }

    /// Whether a tuner is known to be free for `wanted`.
    #[must_use]
    pub fn is_one_free(&self, wanted: Option<&MediaSourceId>) -> bool {
        self.handle.pool().is_tuner_free(wanted, self.handle.now())
    }

    /// The server had no tuner left for `item`, and none could be freed: what they are needed for, if that is why.
    #[must_use]
    pub fn taken_from(&self, item: &ItemId) -> Option<Vec<Needed>> {
        self.handle.ask(|pool, now| pool.tuners_taken_from(item, now))
    }

    /// Frees a tuner for a recording of `item` that begins at once, if none is known to be free. Returns true once one has been freed.
    pub async fn free_tuner_for_recording(&self, item: Option<&ItemId>) -> bool {
        let wanted = item.and_then(|item| self.handle.pool().source_of(item));
        self.handle.free_tuner_for_recording(wanted).await
    }

    /// The credential of `account` is worth nothing any more.
    pub(super) fn forget(&self, account: Account) {
        let mut viewer = self.viewer();
        viewer.login.take_if(|(known, _)| *known == account);
    }

    /// Asks for ever: for the limit now and every ten minutes, for the timers every minute, while anything runs.
    pub(super) async fn run(self: Arc<Self>) {
        let (mut limit_until, mut told) = (None, None);
        loop {
            let asked = self.reason_to_ask.notified();
            if limit_until.is_none_or(|until| until <= Instant::now())
                && let Some(hosts) = self.ask_for_limit().await
            {
                limit_until = Some(Instant::now() + LIMIT_HOLDS);
                if told.as_ref() != Some(&hosts) {
                    self.tell_limit(hosts.clone());
                    told = Some(hosts);
                }
            }
            let runs = |pool: &Pool| !pool.is_empty();
            let has_login = self.login().is_some();
            let is_running = runs(&self.handle.pool());
            let next = if has_login && is_running { Some(self.ask_for_timers().await) } else { None };
            let due = async {
                match next {
                    Some(next) => sleep(next).await,
                    None if has_login => self.handle.until(runs).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                () = asked => {}
                () = due => {}
            }
        }
    }

    /// The server's tuner hosts; `None` if it cannot be asked.
    async fn ask_for_limit(&self) -> Option<Vec<TunerHost>> {
        let (prefix, login) = self.login()?;
        match self.jellyfin.tuner_hosts(&prefix, &login).await {
            Ok(mut hosts) => {
                for host in &mut hosts {
                    if let HostKind::M3u(url) | HostKind::HdHomeRun(url) = &host.kind {
                        host.provider = self.playlists.get(url).copied();
                    }
                }
                Some(hosts)
            }
            Err(error) => {
                debug!(cause = %error, "cannot ask how many tuners there are");
                self.doubt(&error);
                None
            }
        }
    }

    fn tell_limit(&self, hosts: Vec<TunerHost>) {
        let tuners = self.handle.ask(|pool, now| {
            pool.handle_event(Event::TunerHosts(hosts), now);
            pool.tuners_view(now)
        });
        if let Some(TunerLimit { count, source: source @ LimitSource::Configured }) = tuners.limit {
            let (tuners, source, reserve) = (count, source.as_str(), tuners.reserve);
            info!(tuners, source, reserve, "the number of tuners is known");
        }
        for HostView { id, limit, reserve, .. } in tuners.hosts {
            let Some(TunerLimit { count, source }) = limit else { continue };
            match source {
                LimitSource::Server
                | LimitSource::Lineup
                | LimitSource::Device
                | LimitSource::Account
                | LimitSource::Configured => {
                    info!(
                        host = id,
                        tuners = count,
                        source = source.as_str(),
                        reserve,
                        "the number of tuners is known"
                    );
                }
                LimitSource::Learned => info!(
                    host = id,
                    tuners = count,
                    source = source.as_str(),
                    "nobody tells how many channels this tuner host can have open: it is learned, unless tuners.limit is set"
                ),
            }
        }
    }

    /// Asks for the timers. Returns when to ask again.
    async fn ask_for_timers(&self) -> Duration {
        let Some((prefix, login)) = self.login() else { return TIMERS_HOLD };
        let recordings = match self.jellyfin.timers(&prefix, &login).await {
            Ok(recordings) => recordings,
            Err(error) => {
                warn!(cause = %error, "cannot ask for the timers: recordings may lack a tuner");
                self.doubt(&error);
                return TIMERS_HOLD;
            }
        };
        self.handle.ask(|pool, now| {
            let timers: Vec<_> = recordings.into_iter().map(|timer| in_our_time(timer, now)).collect();
            let begun = timers.iter().filter(|timer| timer.status == TimerStatus::New);
            let begun = begun.map(|timer| (timer.starts + BEGUN).since(now)).filter(|wait| !wait.is_zero());
            let next = begun.min().map_or(TIMERS_HOLD, |begun| begun.min(TIMERS_HOLD));
            pool.handle_event(Event::Timers(timers), now);
            next
        })
    }

    /// A viewer that the server does not let in is not asked as again.
    fn doubt(&self, error: &Error) {
        if matches!(error.status(), Some(StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN)) {
            self.viewer().login = None;
        }
    }

    /// What stands before the server's own paths; empty until a viewer has shown it.
    pub(super) fn prefix(&self) -> String {
        self.viewer().prefix.clone()
    }

    /// As whom the server may be asked, and what stands before its own paths.
    pub(super) fn login(&self) -> Option<(String, Login)> {
        let viewer = self.viewer();
        let login = self.gateway_login.clone().or_else(|| viewer.login.clone().map(|(_, login)| login))?;
        Some((viewer.prefix.clone(), login))
    }

    fn viewer(&self) -> MutexGuard<'_, Viewer> {
        self.viewer.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Tells the pool for ever how many connections the providers of the playlists say they allow.
pub(super) async fn providers_tell(handle: Handle, mut told: watch::Receiver<Vec<Option<TunerLimit>>>) {
    let mut known = Vec::new();
    loop {
        let all = told.borrow_and_update().clone();
        for (playlist, &limit) in all.iter().enumerate() {
            if known.get(playlist).copied().flatten() != limit {
                handle.tell(Event::ProviderTold(playlist, limit));
            }
        }
        known = all;
        if told.changed().await.is_err() {
            // Nobody asks any more.
            std::future::pending::<()>().await;
        }
    }
}

/// The timer as the pool knows the time, which is `now`.
fn in_our_time(timer: Recording, now: Timestamp) -> Timer {
    let clock = SystemTime::now();
    let at = |moment: SystemTime| match moment.duration_since(clock) {
        Ok(until) => now + until,
        Err(since) => now.before(since.duration()),
    };
    let (starts, ends) = (at(timer.starts), at(timer.ends));
    let Recording { id, item, source, playlist, status, .. } = timer;
    Timer { id, item, source, playlist, starts, ends, status }
}
