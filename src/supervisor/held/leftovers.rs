//! Closes leftovers: jobs and consumers at the server that this process or an earlier one could not close in time.
//!
//! They are tried again by themselves, with the gateway's own credential or else the last viewer's: ever more rarely, and once more
//! whenever a viewer tunes. The server ends a job that nobody polls after a minute. Only 10.11 then keeps the job's consumer open
//! (docs/jellyfin.md 6 and 7); on other versions closing it again would remove a viewer's. The module does not know why something
//! was left open. What an earlier process of the gateway left is closed only if it can be shown to be still the same opening.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use http::StatusCode;
use tokio::sync::{Notify, watch};
use tokio::time::{Instant, sleep_until};
use tokio_util::task::TaskTracker;
use tracing::{debug, info, warn};

use crate::upstream::jellyfin::{Error, Hold, Jellyfin, Login, Place};
use crate::upstream::ledger::{Entry, Ledger};
use domain::key::{ItemId, LiveStreamId};
use domain::viewer::Account;

/// The versions that keep the consumer open when a job times out.
const VERSION_KEEPING_CONSUMERS: &str = "10.11.";
/// The delay after the first attempt to close a leftover. It doubles with each.
const FIRST_DELAY: Duration = Duration::from_secs(10);
/// The longest delay between two attempts.
const LONGEST_DELAY: Duration = Duration::from_secs(600);
/// The most attempts, some three hours, before a leftover is left to the next viewer and the next process.
const ATTEMPTS: u32 = 24;

/// The leftovers, by their name in the ledger.
#[derive(Debug)]
pub(in crate::supervisor) struct Leftovers {
    ledger: Arc<Ledger>,
    leftovers: Mutex<BTreeMap<String, Leftover>>,
    /// The credential of the last viewer, and its user, for a gateway that has none of its own.
    viewer: Mutex<Option<(Account, Login, Option<String>)>>,
    /// Notified when a leftover may be due, or a credential is known.
    changed: Notify,
    /// Whether one is due or being closed; changes under the lock of `leftovers`.
    is_busy: watch::Sender<bool>,
}

#[derive(Debug)]
struct Leftover {
    entry: Entry,
    failures: u32,
    /// When it may be tried again for a viewer that tunes.
    rested: Instant,
    /// When it is tried again by itself; `None` after too many attempts.
    due: Option<Instant>,
}

impl Leftover {
    fn new(entry: Entry) -> Self {
        let now = Instant::now();
        Self { entry, failures: 0, rested: now, due: Some(now) }
    }

    fn is_due(&self) -> bool {
        self.due.is_some_and(|due| due <= Instant::now())
    }

    fn has_failed(self) -> Self {
        let (failures, now) = (self.failures + 1, Instant::now());
        let delay = FIRST_DELAY.saturating_mul(1 << self.failures.min(16)).min(LONGEST_DELAY);
        let due = (failures < ATTEMPTS).then_some(now + delay);
        Self { failures, rested: now + FIRST_DELAY, due, ..self }
    }
}

impl Leftovers {
    /// The leftovers that an earlier process left in the ledger.
    pub(in crate::supervisor) fn new(ledger: Arc<Ledger>, left: BTreeMap<String, Entry>) -> Self {
        let left = left.into_iter().map(|(name, entry)| (name, Leftover::new(entry))).collect();
        Self {
            ledger,
            leftovers: Mutex::new(left),
            viewer: Mutex::default(),
            changed: Notify::new(),
            is_busy: watch::channel(false).0,
        }
    }

    /// Adds the ledger's entry `name`, which could not be closed.
    pub(in crate::supervisor) fn keep(&self, name: &str) {
        if let Some(entry) = self.ledger.entry(name) {
            self.leftovers().insert(name.to_owned(), Leftover::new(entry));
            self.changed.notify_one();
        }
    }

    /// Their names in the ledger.
    pub(in crate::supervisor) fn names(&self) -> Vec<String> {
        self.leftovers().keys().cloned().collect()
    }

    /// Another process closes them.
    pub(in crate::supervisor) fn forget_all(&self) {
        self.leftovers().clear();
    }

    /// A viewer has come: the leftovers may be closed with its `login`, whose user is `user`, and are tried at once, unless they were
    /// a moment ago.
    pub(in crate::supervisor) fn offer(&self, account: Account, login: &Login, user: Option<&str>) {
        let mut viewer = self.viewer();
        if viewer.as_ref().is_none_or(|(known, ..)| *known != account) {
            *viewer = Some((account, login.clone(), user.map(str::to_owned)));
        }
        drop(viewer);
        let mut leftovers = self.leftovers();
        for leftover in leftovers.values_mut() {
            leftover.due = Some(leftover.due.map_or(leftover.rested, |due| due.min(leftover.rested)));
        }
        if leftovers.values().any(Leftover::is_due) {
            self.is_busy.send_replace(true);
        }
        if !leftovers.is_empty() {
            self.changed.notify_one();
        }
    }

    /// Waits until all leftovers that are due have been tried.
    pub(in crate::supervisor) async fn tried(&self) {
        // The sender lives as long as this value.
        let _ = self.is_busy.subscribe().wait_for(|is_busy| !is_busy).await;
    }

    /// The credential of `account` is worth nothing any more.
    pub(in crate::supervisor) fn forget(&self, account: Account) {
        self.viewer().take_if(|(known, ..)| *known == account);
    }

    /// Closes the leftovers as they are due, for ever. Each round is a task of `tasks`, so that a shutdown waits for it.
    pub(in crate::supervisor) async fn run(
        self: Arc<Self>,
        jellyfin: Jellyfin,
        gateway_login: Option<Login>,
        tasks: TaskTracker,
    ) {
        loop {
            let mut due = None;
            if let Some((account, login, user)) = self.credential(gateway_login.as_ref()) {
                let (this, jellyfin, taken) = (Arc::clone(&self), jellyfin.clone(), self.take());
                let round = async move { this.close_all(taken, &jellyfin, &login, user.as_deref()).await };
                let is_refused = tasks.spawn(round).await.is_ok_and(|is_let_in| !is_let_in);
                due = self.next_due();
                if let (true, Some(account)) = (is_refused, account) {
                    self.forget(account);
                    continue;
                }
            }
            let due = async {
                match due {
                    Some(due) => sleep_until(due).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                () = self.changed.notified() => {}
                () = due => {}
            }
        }
    }

    /// Closes the ledger's entry `name` with `login`, whose user is `user`; `None` if it may name any. If that fails it is a leftover.
    pub(in crate::supervisor) async fn close(
        &self,
        name: String,
        jellyfin: &Jellyfin,
        login: &Login,
        user: Option<&str>,
    ) {
        let Some(entry) = self.ledger.entry(&name) else { return };
        self.close_all(BTreeMap::from([(name, Leftover::new(entry))]), jellyfin, login, user).await;
        self.changed.notify_one();
    }

    /// Closes `taken`, and keeps those that fail. Returns whether the server accepts the credential.
    async fn close_all(
        &self,
        taken: BTreeMap<String, Leftover>,
        jellyfin: &Jellyfin,
        login: &Login,
        user: Option<&str>,
    ) -> bool {
        let mut is_let_in = true;
        for (name, leftover) in taken {
            let item = leftover.entry.item.clone();
            match close(jellyfin, login, user, &name, &leftover.entry).await {
                Ok(()) => {
                    info!(item, "closed a leftover at the server");
                    self.ledger.strike(&name);
                }
                Err(error) => {
                    debug!(item, cause = %error, "could not close a leftover at the server");
                    let refusals = [Some(StatusCode::UNAUTHORIZED), Some(StatusCode::FORBIDDEN)];
                    is_let_in &= !refusals.contains(&error.status());
                    let leftover = leftover.has_failed();
                    if leftover.due.is_none() {
                        warn!(item, cause = %error, "a leftover at the server is left until a viewer comes");
                    }
                    self.leftovers().insert(name, leftover);
                }
            }
        }
        is_let_in
    }

    /// Takes the leftovers that are due, for one attempt to close them.
    fn take(&self) -> BTreeMap<String, Leftover> {
        let mut leftovers = self.leftovers();
        let taken: BTreeMap<_, _> = leftovers.extract_if(.., |_, leftover| leftover.is_due()).collect();
        self.is_busy.send_replace(!taken.is_empty());
        taken
    }

    /// When the next leftover is due, after an attempt.
    fn next_due(&self) -> Option<Instant> {
        let leftovers = self.leftovers();
        self.is_busy.send_replace(leftovers.values().any(Leftover::is_due));
        leftovers.values().filter_map(|leftover| leftover.due).min()
    }

    /// The gateway's own credential, or the last viewer's with its account and user.
    fn credential(&self, own: Option<&Login>) -> Option<(Option<Account>, Login, Option<String>)> {
        match own {
            Some(own) => Some((None, own.clone(), None)),
            None => self.viewer().clone().map(|(account, login, user)| (Some(account), login, user)),
        }
    }

    fn leftovers(&self) -> MutexGuard<'_, BTreeMap<String, Leftover>> {
        self.leftovers.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn viewer(&self) -> MutexGuard<'_, Option<(Account, Login, Option<String>)>> {
        self.viewer.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

async fn close(
    jellyfin: &Jellyfin,
    login: &Login,
    user: Option<&str>,
    play_session: &str,
    entry: &Entry,
) -> Result<(), Error> {
    let lives = match &entry.playlist {
        Some(playlist) => jellyfin.exists(playlist).await?,
        None => false,
    };
    jellyfin.end_job(&entry.prefix, play_session, login).await?;
    let (Some(live_stream), Some(item)) = (&entry.live_stream, ItemId::parse(&entry.item)) else {
        return Ok(());
    };
    let user = user.map(str::to_owned).or_else(|| entry.user.clone());
    let place = Place { prefix: entry.prefix.clone(), item, user };
    let hold = Hold {
        live_stream: LiveStreamId::new(live_stream.as_str()),
        opening: entry.opening.clone(),
        raw: None,
    };
    let is_kept = lives
        || entry.without_job
        || jellyfin.version(&entry.prefix).await?.starts_with(VERSION_KEEPING_CONSUMERS);
    let is_ours = match (is_kept, entry.inherited) {
        (false, _) => false,
        (true, false) => !jellyfin.is_another(&place, &hold, login).await?,
        // A server that was started again has other consumers under the same id. The name of the opening tells, or our job: it ends
        // with the server.
        (true, true) => (lives || hold.opening.is_some()) && jellyfin.is_open(&place, &hold, login).await?,
    };
    if is_ours {
        jellyfin.close(&entry.prefix, &hold.live_stream, login).await?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU16, Ordering};

    use tokio::time::sleep;

    use super::*;
    use crate::upstream::fake::Fake;

    const HOUR: Duration = Duration::from_secs(3600);

    /// A server that answers with this status, and a leftover there.
    async fn left(status: u16) -> (Fake, Arc<AtomicU16>, Arc<Leftovers>) {
        let status = Arc::new(AtomicU16::new(status));
        let answer = Arc::clone(&status);
        let fake = Fake::start(move |_| {
            let status = answer.load(Ordering::Relaxed);
            async move { Some((status, String::new())) }
        })
        .await;
        let ledger = Arc::new(Ledger::open(None).0);
        ledger.note("one", |entry| entry.without_job = true);
        let leftovers = Arc::new(Leftovers::new(ledger, BTreeMap::new()));
        leftovers.keep("one");
        (fake, status, leftovers)
    }

    fn run(fake: &Fake, leftovers: &Arc<Leftovers>, own: Option<Login>) {
        tokio::spawn(Arc::clone(leftovers).run(fake.jellyfin.clone(), own, TaskTracker::new()));
    }

    #[tokio::test(start_paused = true)]
    async fn a_leftover_is_tried_again_ever_more_rarely_and_not_for_ever() {
        let (fake, status, leftovers) = left(503).await;
        run(&fake, &leftovers, Some(Login::default()));
        sleep(12 * HOUR).await;
        let at: Vec<_> = fake.asked("/ActiveEncodings").into_iter().map(|(at, _)| at).collect();
        let waits: Vec<_> = at.windows(2).map(|pair| (pair[1] - pair[0]).as_secs()).collect();
        assert_eq!(waits[..8], [10, 20, 40, 80, 160, 320, 600, 600]);
        assert_eq!(at.len(), ATTEMPTS as usize);
        assert!(leftovers.ledger.entry("one").is_some());
        // A viewer comes.
        status.store(204, Ordering::Relaxed);
        leftovers.offer(Account(1), &Login::default(), None);
        sleep(Duration::from_secs(1)).await;
        assert_eq!(leftovers.ledger.entry("one"), None);
    }

    #[tokio::test(start_paused = true)]
    async fn a_leftover_is_closed_although_nobody_comes() {
        let (fake, status, leftovers) = left(503).await;
        run(&fake, &leftovers, Some(Login::default()));
        sleep(Duration::from_secs(60)).await;
        status.store(204, Ordering::Relaxed);
        sleep(Duration::from_secs(120)).await;
        assert_eq!(leftovers.ledger.entry("one"), None);
        let asked = fake.asked("").len();
        sleep(HOUR).await;
        assert_eq!(fake.asked("").len(), asked, "once is enough");
    }

    #[tokio::test(start_paused = true)]
    async fn without_a_credential_of_its_own_the_gateway_waits_for_a_viewers() {
        let (fake, status, leftovers) = left(401).await;
        run(&fake, &leftovers, None);
        sleep(HOUR).await;
        assert_eq!(fake.asked("").len(), 0);
        let offered = async |account| {
            leftovers.offer(Account(account), &Login::default(), None);
            sleep(HOUR).await;
            fake.asked("").len()
        };
        assert_eq!(offered(1).await, 1, "a credential that is refused is not tried again");
        status.store(503, Ordering::Relaxed);
        assert!(offered(2).await > 2, "one that is not refused is");
        let asked = fake.asked("").len();
        leftovers.forget(Account(2));
        sleep(HOUR).await;
        assert!(fake.asked("").len() <= asked + 1, "nor one that is revoked");
    }

    #[tokio::test(start_paused = true)]
    async fn who_opens_a_channel_waits_until_they_have_been_tried() {
        let (fake, status, leftovers) = left(204).await;
        leftovers.tried().await;
        run(&fake, &leftovers, None);
        leftovers.offer(Account(1), &Login::default(), None);
        leftovers.tried().await;
        assert_eq!(leftovers.ledger.entry("one"), None);
        status.store(401, Ordering::Relaxed);
        leftovers.ledger.note("two", |entry| entry.without_job = true);
        leftovers.keep("two");
        leftovers.offer(Account(2), &Login::default(), None);
        leftovers.tried().await;
        assert!(leftovers.ledger.entry("two").is_some());
        leftovers.offer(Account(3), &Login::default(), None);
        leftovers.tried().await;
        assert_eq!(fake.asked("").len(), 2, "it was tried a moment ago");
    }

    #[tokio::test(start_paused = true)]
    async fn viewers_that_come_at_once_are_one_attempt() {
        let (fake, _, leftovers) = left(503).await;
        run(&fake, &leftovers, None);
        for account in 0..5 {
            leftovers.offer(Account(account), &Login::default(), None);
            sleep(Duration::from_secs(1)).await;
        }
        assert_eq!(fake.asked("").len(), 1);
    }
}
