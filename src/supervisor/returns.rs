//! Gives back, in its client's name, what a client opened and nothing took over. Written down from the opening on, so that
//! the next life of the gateway waits for what may still follow, and closes it then.
//!
//! It does not know what can follow, nor when it is too late.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tracing::{debug, info};

use crate::supervisor::Supervisor;
use crate::supervisor::shared::{Shared, random};
use crate::upstream::jellyfin::Login;
use crate::upstream::ledger::Entry;
use domain::key::{ItemId, LiveStreamId, OpeningId, PlaySessionId};
use domain::openings::{ClientOpening, Mention, MentionKind, PlaybackReport};
use domain::pool::Event;
use domain::reason::ReturnReason;
use domain::viewer::Account;

/// Where and as whom an opening can be given back.
#[derive(Debug)]
pub struct Opener {
    /// As whom.
    pub login: Login,
    /// The user behind it, if known.
    pub user: Option<String>,
    /// What stands before the server's own paths.
    pub prefix: String,
    /// The channel, if known.
    pub item: Option<ItemId>,
}

/// What may have to be given back.
#[derive(Debug, Default)]
pub(super) struct Returns {
    next: AtomicU64,
    /// By opening: its name in the ledger, and as whom to give it back; nobody's since the gateway's start.
    known: Mutex<BTreeMap<OpeningId, (String, Option<Login>)>>,
}

impl Returns {
    fn add(&self, name: String, login: Option<Login>) -> OpeningId {
        let id = OpeningId(self.next.fetch_add(1, Ordering::Relaxed));
        self.known().insert(id, (name, login));
        id
    }

    fn known(&self) -> MutexGuard<'_, BTreeMap<OpeningId, (String, Option<Login>)>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Supervisor {
    /// A client has opened something at the server.
    pub fn opened(&self, opening: ClientOpening, opener: Opener) {
        let name = format!("{:032x}", random());
        self.shared.ledger.note(&name, |entry| {
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
        self.shared.opened(name, opening, Some(opener.login));
        self.shared.bell.notify_one();
    }

    /// A request mentions openings of clients.
    pub fn mentioned(&self, mention: Mention, kind: MentionKind) {
        self.shared.tell(Event::Mentioned(mention, kind));
        self.shared.bell.notify_one();
    }

    /// The server has accepted a report of an account about a live stream.
    pub fn reported(&self, account: Account, live_stream: LiveStreamId, report: PlaybackReport) {
        self.shared.tell(Event::Reported(account, live_stream, report));
    }
}

impl Shared {
    fn opened(&self, name: String, opening: ClientOpening, login: Option<Login>) {
        let id = self.returns.add(name, login);
        self.tell(Event::Opened(id, opening));
    }

    /// What clients had opened in the last life: they may have gone on meanwhile, so it is waited for as anything is.
    pub(super) fn inherit(&self, left: BTreeMap<String, Entry>) {
        for (name, entry) in left {
            // The server may have been restarted since: what has no name would be taken from whoever came after.
            let (Some(live_stream), Some(unique)) = (entry.live_stream, entry.opening) else {
                self.ledger.strike(&name);
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
            self.opened(name, opening, None);
        }
    }

    /// That of somebody who watches, and the user it belongs to.
    fn a_viewers_login(&self) -> Option<(Login, Option<String>)> {
        let streams = self.streams.read().unwrap_or_else(PoisonError::into_inner);
        streams.values().find_map(|stream| stream.access.logins().into_iter().next())
    }

    pub(super) fn settled(&self, opening: OpeningId) {
        if let Some((name, _)) = self.returns.known().remove(&opening) {
            self.ledger.strike(&name);
        }
    }

    /// Whether a stop gave it back depends on the version, as it does for a job that died.
    pub(super) fn doubted(&self, opening: OpeningId) {
        if let Some((name, _)) = self.returns.known().get(&opening) {
            self.ledger.note(name, |entry| entry.without_job = false);
        }
    }

    pub(super) fn give_back(self: &Arc<Self>, opening: OpeningId, reason: ReturnReason) {
        let Some((name, login)) = self.returns.known().remove(&opening) else { return };
        info!(reason = reason.as_str(), "giving back what a client had opened");
        self.ledger.note(&name, |entry| {
            entry.client = None;
        });
        let Some(entry) = self.ledger.entry(&name) else { return };
        let openers = self.own.clone().or(login).map(|login| (login, entry.user.clone()));
        let Some((login, user)) = openers.or_else(|| self.a_viewers_login()) else {
            debug!("nobody is known who could");
            self.leftovers.keep(&name);
            return;
        };
        let shared = Arc::clone(self);
        self.generations.spawn(async move {
            let taken = BTreeMap::from([(name, entry)]);
            shared.leftovers.close(taken, &shared.jellyfin, &login, user.as_deref()).await;
        });
    }
}

/// Tells what clients had opened from what the gateway had, in what an earlier life left.
pub(super) fn of_clients(
    left: BTreeMap<String, Entry>,
) -> (BTreeMap<String, Entry>, BTreeMap<String, Entry>) {
    left.into_iter().partition(|(_, entry)| entry.client.is_some())
}
