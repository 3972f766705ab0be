//! Gives back the live streams that clients have opened at the server, and keeps their ledger entries and credentials.
//!
//! A ledger entry is written at the opening, so that a later process of the gateway can give it back. The module does not know
//! when an opening is to be given back: the pool decides.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::timeout;
use tokio_util::task::TaskTracker;
use tracing::{debug, info};

use crate::supervisor::handed_over::News;
use crate::supervisor::handed_over::late::LateNews;
use crate::supervisor::handle::{Handle, random};
use crate::supervisor::held::caller::Callers;
use crate::supervisor::held::opener::Opener;
use crate::supervisor::held::opening_book::{Book, BookParts, Known};
use crate::supervisor::streams::Streams;
use crate::upstream::jellyfin::{Hold, Login, Place, Playback};
use crate::upstream::ledger::Entry;
use domain::key::{DeviceId, ItemId, LiveStreamId, OpeningId, PlaySessionId};
use domain::openings::{ClientOpening, Mention};
use domain::pool::Event;
use domain::reason::ReturnReason;
use domain::viewer::Account;

/// How long a client's report waits while its opening is checked or renewed.
const RENEWAL_TIMEOUT: Duration = Duration::from_secs(5);

/// The openings of clients.
#[derive(Debug)]
pub(in crate::supervisor) struct ClientOpenings {
    handle: Handle,
    callers: Callers,
    streams: Arc<Streams>,
    tasks: TaskTracker,
    late: LateNews,
    next: AtomicU64,
    book: Mutex<Book>,
}

impl ClientOpenings {
    pub(in crate::supervisor) fn new(
        handle: Handle,
        callers: Callers,
        streams: Arc<Streams>,
        (tasks, late): (TaskTracker, LateNews),
    ) -> Self {
        Self { handle, callers, streams, tasks, late, next: AtomicU64::default(), book: Mutex::default() }
    }

    /// What another process goes on with.
    pub(in crate::supervisor) fn parts(&self) -> BookParts {
        self.book().parts()
    }

    /// Goes on with the openings of another process, which the pool knows by the same names.
    pub(in crate::supervisor) fn go_on_with(&self, parts: BookParts) {
        let book = Book::of_parts(parts);
        let next = book.known.last_key_value().map_or(0, |(id, _)| id.0 + 1);
        self.next.store(next, Ordering::Relaxed);
        *self.book() = book;
    }

    /// Records a live stream that a client has opened, in the ledger and in the pool.
    pub(in crate::supervisor) fn opened(&self, opening: ClientOpening, opener: Opener) {
        self.note(opening, opener, Event::Opened);
    }

    /// Records a live stream that the gateway has opened again for a client that plays on.
    pub(in crate::supervisor) fn reopened(&self, opening: ClientOpening, opener: Opener) {
        self.note(opening, opener, Event::Reopened);
    }

    fn note(
        &self,
        opening: ClientOpening,
        opener: Opener,
        event: impl FnOnce(OpeningId, ClientOpening) -> Event,
    ) {
        let name = format!("{:032x}", random());
        let Opener { login, user, prefix, item } = opener;
        self.callers.ledger.note(&name, |entry| {
            *entry = Entry {
                prefix: prefix.clone(),
                item: item.as_ref().map(ToString::to_string).unwrap_or_default(),
                user: user.clone(),
                live_stream: Some(opening.live_stream.to_string()),
                opening: opening.name.clone(),
                without_job: true,
                client: Some(
                    opening.play_session.as_ref().map(|play| play.as_str().to_owned()).unwrap_or_default(),
                ),
                ..Entry::default()
            }
        });
        let place = item.map(|item| Place { prefix, item, user });
        self.add(Known { opening, name, login: Some(login), place }, event);
    }

    /// Takes over the entries of clients that an earlier process left in the ledger. Their clients may still be watching, so the
    /// pool treats them like new openings.
    pub(in crate::supervisor) fn inherit(&self, left: BTreeMap<String, Entry>) {
        for (name, entry) in left {
            // If the server was restarted, closing an opening without a unique name would close another client's.
            let (Some(live_stream), Some(unique)) = (entry.live_stream, entry.opening) else {
                self.callers.ledger.strike(&name);
                continue;
            };
            let opening = ClientOpening {
                account: None,
                device: None,
                live_stream: LiveStreamId::new(live_stream),
                item: ItemId::parse(&entry.item),
                play_session: entry.client.filter(|play| !play.is_empty()).map(PlaySessionId::new),
                name: Some(unique),
                abandoned: false,
            };
            let place =
                ItemId::parse(&entry.item).map(|item| Place { prefix: entry.prefix, item, user: entry.user });
            self.add(Known { opening, name, login: None, place }, Event::Opened);
        }
    }

    /// Forgets an opening, which its client or the server closes.
    pub(in crate::supervisor) fn forget(&self, opening: OpeningId) {
        let known = {
            let mut book = self.book();
            book.doubted.remove(&opening);
            book.known.remove(&opening)
        };
        if let Some(known) = known {
            self.callers.ledger.strike(&known.name);
        }
    }

    /// Records that the client's Stop may have closed the opening. Whether it has depends on the server's version, as with a job
    /// that timed out (docs/jellyfin.md 6).
    pub(in crate::supervisor) fn mark_uncertain(&self, opening: OpeningId) {
        if let Some(known) = self.book().known.get(&opening) {
            self.callers.ledger.note(&known.name, |entry| entry.without_job = false);
        }
    }

    /// Gives an opening back on its client's behalf.
    pub(in crate::supervisor) fn give_back(self: &Arc<Self>, id: OpeningId, reason: ReturnReason) {
        if reason == ReturnReason::PassedOn {
            // Its job has timed out.
            self.mark_uncertain(id);
        }
        let known = self.book().retire(id);
        let this = Arc::clone(self);
        self.tasks.spawn(async move {
            let _told = this.handle.tell_at_end(Event::OpeningReturned(id));
            if let Some(known) = known {
                info!(reason = reason.as_str(), live_stream = %known.opening.live_stream, "closing the live stream of a client that has left");
                let said_goodbye = reason == ReturnReason::Silent && this.say_goodbye(&known).await;
                if said_goodbye {
                    this.handle.tell(Event::SaidGoodbye(id));
                } else {
                    this.close(known).await;
                }
            }
        });
    }

    /// The server closes an opening by itself, or has done so: its client has none any more.
    pub(in crate::supervisor) fn leave_to_server(&self, opening: OpeningId) {
        if let Some(known) = self.book().retire(opening) {
            self.callers.ledger.strike(&known.name);
        }
    }

    /// Whether a report of `account` may be about an opening that is gone or is said goodbye for, or whose client is not known yet.
    pub(in crate::supervisor) fn needs_care(&self, account: Account) -> bool {
        if self.handle.pool().goodbyes(account).next().is_some() {
            return true;
        }
        let book = self.book();
        let is_theirs =
            |id: &OpeningId| book.known.get(id).is_some_and(|known| known.opening.account == Some(account));
        book.doubted.iter().any(is_theirs)
            || book.known.values().any(|known| known.login.is_none())
            || book.former.keys().any(|(known, _)| *known == account)
    }

    /// Marks all openings as doubted: the server cannot be reached, and may have forgotten them in a restart.
    pub(in crate::supervisor) fn doubt_all(&self) {
        let mut book = self.book();
        let all: Vec<_> = book.known.keys().copied().collect();
        book.doubted.extend(all);
    }

    /// Makes sure that the opening that a client's report names is the client's own, before the report is forwarded. If the
    /// opening is gone and the client `plays`, opens the live stream anew on its behalf. Otherwise the server would believe in
    /// a playback without an opening, and the client's `Stopped` would take somebody else's consumer (docs/jellyfin.md 7).
    /// Returns whether the report may name the live stream; waits for the server for a few seconds at most.
    pub(in crate::supervisor) async fn own_opening(
        self: &Arc<Self>,
        mention: Mention,
        (login, device): (Login, Option<DeviceId>),
        plays: bool,
    ) -> bool {
        let Some((account, live_stream)) = mention.account.zip(mention.live_stream.clone()) else {
            return true;
        };
        let mut renewal = self.renewal((account, live_stream.clone()), mention, (login, device), plays);
        // The renewal drops its end when it is over. It goes on if nobody waits: what the server is asked to open, it opens.
        let _ = timeout(RENEWAL_TIMEOUT, renewal.changed()).await;
        !self.handle.pool().is_closed_for(account, &live_stream)
    }

    /// The renewal of a client's opening that is under way, or a new one.
    fn renewal(
        self: &Arc<Self>,
        key: (Account, LiveStreamId),
        mention: Mention,
        (login, device): (Login, Option<DeviceId>),
        plays: bool,
    ) -> watch::Receiver<()> {
        let mut book = self.book();
        // One whose task has panicked is not under way.
        if let Some(under_way) = book.renewals.get(&key).filter(|renewal| renewal.has_changed().is_ok()) {
            return under_way.clone();
        }
        let (over, renewal) = watch::channel(());
        book.renewals.insert(key.clone(), renewal.clone());
        let this = Arc::clone(self);
        self.tasks.spawn(async move {
            let (account, live_stream) = &key;
            this.goodbyes_said(*account, live_stream).await;
            this.claim(&mention, &login, device.as_ref());
            this.settle_doubts(*account, live_stream, &login).await;
            let is_gone = {
                let pool = this.handle.pool();
                pool.is_closed_for(*account, live_stream) && !pool.has_opening(&mention)
            };
            let former = this.book().former.get(&key).cloned();
            if let Some(former) = former.filter(|_| is_gone && plays) {
                this.renew(former, &mention, &login).await;
            }
            this.book().renewals.remove(&key);
            drop(over);
        });
        renewal
    }

    /// Waits until no goodbye for the live stream is under way: it would remove the server's record of a report that comes first.
    async fn goodbyes_said(&self, account: Account, live_stream: &LiveStreamId) {
        self.handle.until(|pool| pool.goodbyes(account).all(|said| said != live_stream)).await;
    }

    /// Stores the credential of a client whose opening an earlier process recorded.
    fn claim(&self, mention: &Mention, login: &Login, device: Option<&DeviceId>) {
        let claimed = self.handle.ask(|pool, _| pool.claim(mention, device));
        let mut book = self.book();
        for id in claimed {
            if let Some(known) = book.known.get_mut(&id) {
                known.login = Some(login.clone());
                known.opening.account = mention.account;
                known.opening.device = device.cloned();
            }
        }
    }

    /// Finds out whether the doubted openings of an account are still open.
    async fn settle_doubts(&self, account: Account, live_stream: &LiveStreamId, login: &Login) {
        let doubted = self.book().doubted_of(account, live_stream);
        for (id, known) in doubted {
            let Some(place) = &known.place else { continue };
            let hold =
                Hold { live_stream: live_stream.clone(), opening: known.opening.name.clone(), raw: None };
            match self.callers.jellyfin.is_open(place, &hold, login).await {
                Ok(is_open) => {
                    self.book().doubted.remove(&id);
                    if !is_open {
                        info!(%live_stream, "a client's opening has ended with the server's process");
                        self.book().retire(id);
                        self.callers.ledger.strike(&known.name);
                        self.handle.tell(Event::OpeningLost(id));
                    }
                }
                // The server cannot tell yet.
                Err(_) => return,
            }
        }
    }

    /// Opens the live stream once more on the client's behalf.
    async fn renew(&self, former: Known, mention: &Mention, login: &Login) {
        let Known { opening: ClientOpening { account, device, live_stream, .. }, place, .. } = former;
        let (Some(place), Some(source)) = (place, live_stream.media_source()) else { return };
        let jellyfin = &self.callers.jellyfin;
        let held = match jellyfin.hold(&place, &source, login).await {
            Ok(held) => held,
            Err(error) => {
                debug!(cause = %error, %live_stream, "could not reopen the live stream of a client that plays on");
                return;
            }
        };
        if held.live_stream != live_stream {
            // The server gives each opening a live stream of its own, so the client cannot use this one.
            let _ = jellyfin.close(&place.prefix, &held.live_stream, login).await;
            return;
        }
        info!(%live_stream, "opened a live stream again for a client that plays on");
        let play_session = mention.play_session.clone();
        let opening = ClientOpening {
            account,
            device,
            live_stream,
            item: Some(place.item.clone()),
            play_session,
            name: held.opening,
            abandoned: false,
        };
        let Place { prefix, item, user } = place;
        let opener = Opener { login: login.clone(), user, prefix, item: Some(item) };
        let news = |(opening, opener)| News::Reopened(opening, opener);
        self.late.pass((opening, opener), news, |(opening, opener)| self.reopened(opening, opener));
    }

    /// Reports on the client's behalf that it has stopped. Returns whether the server accepted the report.
    async fn say_goodbye(&self, known: &Known) -> bool {
        let (Some(login), Some(place)) = (&known.login, &known.place) else { return false };
        let playback = Playback {
            item: place.item.as_str(),
            play_session: known.opening.play_session.as_ref().map(PlaySessionId::as_str).unwrap_or_default(),
            live_stream: known.opening.live_stream.as_str(),
        };
        let jellyfin = &self.callers.jellyfin;
        let hold = Hold {
            live_stream: known.opening.live_stream.clone(),
            opening: known.opening.name.clone(),
            raw: None,
        };
        // What has ended with the server's process is closed already, and a goodbye would take another consumer.
        let said = match jellyfin.is_open(place, &hold, login).await {
            Ok(true) => jellyfin.stopped(&place.prefix, &playback, login).await,
            Ok(false) => Ok(()),
            Err(error) => Err(error),
        };
        match said {
            Ok(()) => {
                self.callers.ledger.strike(&known.name);
                true
            }
            Err(error) => {
                debug!(cause = %error, "the server refused a Stopped report on a client's behalf");
                false
            }
        }
    }

    /// Closes an opening with the first credential that is known; without one it becomes a leftover.
    async fn close(&self, known: Known) {
        let Callers { jellyfin, gateway_login, ledger, leftovers } = &self.callers;
        let Known { name, login, opening, .. } = known;
        ledger.note(&name, |entry| {
            entry.client = None;
        });
        let Some(entry) = ledger.entry(&name) else { return };
        if let Some((account, login)) = opening.account.zip(login.as_ref()) {
            leftovers.offer(account, login, entry.user.as_deref());
        }
        let openers = gateway_login.clone().or(login).map(|login| (login, entry.user.clone()));
        let Some((login, user)) = openers.or_else(|| self.streams.viewers_login()) else {
            debug!(item = entry.item, "no credential is known with which to close a client's live stream");
            leftovers.keep(&name);
            return;
        };
        leftovers.close(name, jellyfin, &login, user.as_deref()).await;
    }

    fn add(&self, known: Known, event: impl FnOnce(OpeningId, ClientOpening) -> Event) {
        let id = OpeningId(self.next.fetch_add(1, Ordering::Relaxed));
        let opening = known.opening.clone();
        {
            let mut book = self.book();
            if let Some(account) = opening.account {
                book.former.remove(&(account, opening.live_stream.clone()));
            }
            book.doubt_namesakes(&opening);
            book.known.insert(id, known);
        }
        self.handle.tell(event(id, opening));
    }

    fn book(&self) -> MutexGuard<'_, Book> {
        self.book.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
