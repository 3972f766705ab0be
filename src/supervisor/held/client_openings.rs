//! What clients have opened at the server: their entries in the ledger, and the credentials to give them back with.
//!
//! An entry is there from the opening on, so that the next process of the gateway waits for what may still follow, and
//! closes it then. The module does not know what can follow, nor when it is too late: the pool does.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio_util::task::TaskTracker;
use tracing::{debug, info};

use crate::supervisor::handle::{Handle, random};
use crate::supervisor::held::caller::Callers;
use crate::supervisor::streams::Streams;
use crate::upstream::jellyfin::Login;
use crate::upstream::ledger::Entry;
use domain::key::{ItemId, LiveStreamId, OpeningId, PlaySessionId};
use domain::openings::ClientOpening;
use domain::pool::Event;
use domain::reason::ReturnReason;

/// Where and as whom an opening can be given back.
#[derive(Debug)]
pub struct Opener {
    /// The client's credential.
    pub login: Login,
    /// The user behind it, if known.
    pub user: Option<String>,
    /// What stands before the server's own paths.
    pub prefix: String,
    /// The channel, if known.
    pub item: Option<ItemId>,
}

/// See the module.
#[derive(Debug)]
pub(in crate::supervisor) struct ClientOpenings {
    handle: Handle,
    callers: Callers,
    streams: Arc<Streams>,
    tasks: TaskTracker,
    next: AtomicU64,
    /// By opening: its name in the ledger, and the credential it was made with; none if a process before this one saw it.
    known: Mutex<BTreeMap<OpeningId, (String, Option<Login>)>>,
}

impl ClientOpenings {
    pub(in crate::supervisor) fn new(
        handle: Handle,
        callers: Callers,
        streams: Arc<Streams>,
        tasks: TaskTracker,
    ) -> Self {
        Self { handle, callers, streams, tasks, next: AtomicU64::default(), known: Mutex::default() }
    }

    /// A client has opened a live stream at the server.
    pub(in crate::supervisor) fn opened(&self, opening: ClientOpening, opener: Opener) {
        let name = format!("{:032x}", random());
        self.callers.ledger.note(&name, |entry| {
            *entry = Entry {
                prefix: opener.prefix,
                item: opener.item.map(|item| item.to_string()).unwrap_or_default(),
                user: opener.user,
                live_stream: Some(opening.live_stream.to_string()),
                opening: opening.name.clone(),
                without_job: true,
                client: Some(
                    opening.play_session.as_ref().map(|play| play.as_str().to_owned()).unwrap_or_default(),
                ),
                ..Entry::default()
            }
        });
        self.add(name, opening, Some(opener.login));
    }

    /// Takes over the entries of clients from the ledger of the process before this one. Their clients may have gone on
    /// meanwhile, so the pool waits for them as for any other.
    pub(in crate::supervisor) fn inherit(&self, left: BTreeMap<String, Entry>) {
        for (name, entry) in left {
            // The server may have been restarted since: an opening without a name would be taken from whoever came after.
            let (Some(live_stream), Some(unique)) = (entry.live_stream, entry.opening) else {
                self.callers.ledger.strike(&name);
                continue;
            };
            let opening = ClientOpening {
                account: None,
                device: None,
                live_stream: LiveStreamId::new(live_stream),
                play_session: entry.client.filter(|play| !play.is_empty()).map(PlaySessionId::new),
                name: Some(unique),
                abandoned: false,
            };
            self.add(name, opening, None);
        }
    }

    /// An opening will be given back by its client or by the server.
    pub(in crate::supervisor) fn forget(&self, opening: OpeningId) {
        if let Some((name, _)) = self.known().remove(&opening) {
            self.callers.ledger.strike(&name);
        }
    }

    /// A stop may have given an opening back: that depends on the server's version, as it does for a job that died.
    pub(in crate::supervisor) fn mark_uncertain(&self, opening: OpeningId) {
        if let Some((name, _)) = self.known().get(&opening) {
            self.callers.ledger.note(name, |entry| entry.without_job = false);
        }
    }

    /// Gives an opening back in its client's name.
    pub(in crate::supervisor) fn give_back(&self, opening: OpeningId, reason: ReturnReason) {
        let Some((name, login)) = self.known().remove(&opening) else { return };
        info!(reason = reason.as_str(), "giving back a client's opening");
        let Callers { jellyfin, gateway_login, ledger, leftovers } = self.callers.clone();
        ledger.note(&name, |entry| {
            entry.client = None;
        });
        let Some(entry) = ledger.entry(&name) else { return };
        let openers = gateway_login.or(login).map(|login| (login, entry.user.clone()));
        let Some((login, user)) = openers.or_else(|| self.streams.viewers_login()) else {
            debug!("no credential is known to give it back with");
            leftovers.keep(&name);
            return;
        };
        self.tasks.spawn(async move {
            let taken = BTreeMap::from([(name, entry)]);
            leftovers.close(taken, &jellyfin, &login, user.as_deref()).await;
        });
    }

    fn add(&self, name: String, opening: ClientOpening, login: Option<Login>) {
        let id = OpeningId(self.next.fetch_add(1, Ordering::Relaxed));
        self.known().insert(id, (name, login));
        self.handle.tell(Event::Opened(id, opening));
    }

    fn known(&self) -> MutexGuard<'_, BTreeMap<OpeningId, (String, Option<Login>)>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Splits the ledger's entries into those of clients and those of the gateway.
pub(in crate::supervisor) fn of_clients(
    left: BTreeMap<String, Entry>,
) -> (BTreeMap<String, Entry>, BTreeMap<String, Entry>) {
    left.into_iter().partition(|(_, entry)| entry.client.is_some())
}
