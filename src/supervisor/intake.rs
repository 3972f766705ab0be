//! A channel's input while it is open: its feed, and what is held for its sake, at the server or of the provider's
//! connections. One owner, one way out.
//!
//! It does not know who needs it.

use std::sync::{Arc, Mutex, PoisonError, Weak};

use tokio::sync::watch;
use tokio_util::task::TaskTracker;

use crate::domain::feeding::State;
use crate::domain::reason::Failure;
use crate::feed::{Feed, Limits};
use crate::supervisor::access::Access;
use crate::supervisor::caller::Caller;
use crate::supervisor::hold::{Holding, Parting};
use crate::supervisor::provider::Pulled;
use crate::supervisor::seats::Seat;
use crate::supervisor::shared::random;
use crate::supervisor::tap::{Tap, Whereabouts};
use crate::upstream::jellyfin::{Hold, RawPath};

/// See the module.
#[derive(Debug)]
pub(super) struct Intake {
    pub(super) feed: Feed,
    origin: Origin,
    tasks: TaskTracker,
}

/// Where it comes from.
#[derive(Debug)]
enum Origin {
    /// The server, which writes it on its disk; what is held there, until it is given back.
    Server(Arc<Access>, Mutex<Option<Held>>),
    /// The provider. The seat goes with whoever pulls.
    Provider(Weak<Seat>),
}

/// What is held at the server, under its name in the ledger.
#[derive(Debug)]
struct Held {
    caller: Caller,
    name: String,
    holding: Holding,
}

impl Intake {
    /// Taps the raw stream that the server shares, at `raw` if that is known already, and takes a consumer of it.
    pub(super) fn tap(
        caller: Caller,
        raw: Option<RawPath>,
        limits: Limits,
        freed: impl Future<Output = bool> + Send + 'static,
        tasks: &TaskTracker,
    ) -> Self {
        let name = format!("{:032x}", random());
        caller.note_place(&name);
        caller.ledger.note(&name, |entry| entry.without_job = true);
        let known = raw.map_or(Whereabouts::Unknown, Whereabouts::Known);
        let (tell, path) = watch::channel(known);
        let (told, noted) = (tell.clone(), caller.noted(&name));
        let held = move |hold: Option<&Hold>| {
            noted(hold);
            if let Some(hold) = hold {
                let shared = hold.raw.clone().map(Whereabouts::Known);
                told.send_replace(shared.unwrap_or(Whereabouts::Nowhere(Failure::Unsuitable)));
            }
        };
        let (holding, mut first_attempt) = Holding::take(caller.clone(), held, freed, tasks);
        tasks.spawn(async move {
            if let Err(failure) = first_attempt.outcome().await {
                tell.send_if_modified(|path| {
                    let unknown = *path == Whereabouts::Unknown;
                    if unknown {
                        *path = Whereabouts::Nowhere(failure);
                    }
                    unknown
                });
            }
        });
        let tap = Tap { jellyfin: caller.jellyfin.clone(), path };
        let access = Arc::clone(&caller.access);
        let held = Mutex::new(Some(Held { caller, name, holding }));
        Self {
            feed: Feed::start(vec![Arc::new(tap)], limits, tasks),
            origin: Origin::Server(access, held),
            tasks: tasks.clone(),
        }
    }

    /// What is pulled from the provider: the server has no part in it.
    pub(super) fn pulled(Pulled { feed, seat }: Pulled, tasks: &TaskTracker) -> Self {
        Self { feed, origin: Origin::Provider(seat), tasks: tasks.clone() }
    }

    /// How the server may be called about it, if it comes from there.
    pub(super) const fn access(&self) -> Option<&Arc<Access>> {
        match &self.origin {
            Origin::Server(access, _) => Some(access),
            Origin::Provider(_) => None,
        }
    }

    /// Which playlist's connection it has.
    pub(super) fn playlist(&self) -> Option<usize> {
        match &self.origin {
            Origin::Server(..) => None,
            Origin::Provider(seat) => seat.upgrade().map(|seat| seat.playlist()),
        }
    }

    /// Whether anything comes, or may yet come.
    pub(super) fn is_alive(&self) -> bool {
        !self.feed.state().borrow().is_over()
    }

    /// How it ended, or why it might as well have.
    pub(super) fn failure(&self) -> Failure {
        match *self.feed.state().borrow() {
            State::Failed(failure) | State::BackingOff { failure, .. } => failure,
            State::Connecting { .. } | State::Flowing { .. } => Failure::Stalled,
            State::Ended => Failure::Ended,
        }
    }

    /// Whether the server writes on its disk what comes.
    pub(super) const fn is_on_disk(&self) -> bool {
        matches!(self.origin, Origin::Server(..))
    }

    /// Ends the feed, and gives back what is held for it.
    pub(super) async fn close(&self) {
        let state = *self.feed.state().borrow();
        self.feed.stop();
        let held = match &self.origin {
            Origin::Server(_, held) => held.lock().unwrap_or_else(PoisonError::into_inner).take(),
            Origin::Provider(_) => return self.feed.ended().await,
        };
        if let Some(Held { caller, name, holding }) = held {
            // A server that could not be reached may have been restarted since.
            let parting = match state {
                State::Failed(Failure::Unreachable) => Parting::GiveBackNamed,
                State::Connecting { .. }
                | State::Flowing { .. }
                | State::BackingOff { .. }
                | State::Failed(_)
                | State::Ended => Parting::GiveBack,
            };
            let closed = holding.part(parting).await;
            caller.settle(&name, closed);
        }
    }

    /// The same, for whoever cannot wait.
    pub(super) fn close_soon(self: Arc<Self>) {
        let tasks = self.tasks.clone();
        tasks.spawn(async move { self.close().await });
    }
}
