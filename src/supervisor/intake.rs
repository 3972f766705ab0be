//! A channel's input while it is open: its feed, and what is held for its sake, at the server or of the provider's
//! connections. One owner, one way out.
//!
//! It does not know who needs it.

use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::timeout;
use tokio_util::task::TaskTracker;

use crate::feed::{Feed, Limits};
use crate::supervisor::access::Access;
use crate::supervisor::caller::Caller;
use crate::supervisor::hold::{Holding, Parting};
use crate::supervisor::provider::Pulled;
use crate::supervisor::seats::Seat;
use crate::supervisor::shared::random;
use crate::supervisor::tap::{Tap, Whereabouts};
use crate::upstream::jellyfin::{Hold, RawPath};
use domain::feeding::FeedState;
use domain::reason::Failure;

/// How long the closing of the one before is waited for.
const PREDECESSOR: Duration = Duration::from_secs(10);

/// See the module.
#[derive(Debug)]
pub(super) struct Intake {
    pub(super) feed: Feed,
    origin: Origin,
}

/// Where it comes from.
#[derive(Debug)]
enum Origin {
    /// The server, which writes it on its disk.
    Server(Box<Tapped>),
    /// The provider. The seat goes with whoever pulls.
    Provider(Weak<Seat>),
}

/// How the server may be called about it, and what is held there until it is given back.
#[derive(Debug)]
struct Tapped {
    access: Arc<Access>,
    held: Mutex<Option<Held>>,
    tasks: TaskTracker,
}

/// What is held at the server, under its name in the ledger.
#[derive(Debug)]
struct Held {
    caller: Caller,
    name: String,
    holding: Holding,
}

impl Intake {
    /// Taps the raw stream that the server shares, at `raw` if that is known already, and takes a consumer of it. What it
    /// `replaces` is closed first: the server knows both openings by the same name, and would close either.
    pub(super) fn tap(
        caller: Caller,
        raw: Option<RawPath>,
        replaces: Option<Arc<Self>>,
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
        let closed = async move {
            if let Some(replaced) = replaces {
                let _ = timeout(PREDECESSOR, replaced.close()).await;
            }
        };
        let (holding, mut first_attempt) = Holding::take(caller.clone(), closed, held, freed, tasks);
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
            origin: Origin::Server(Box::new(Tapped { access, held, tasks: tasks.clone() })),
        }
    }

    /// What is pulled from the provider: the server has no part in it.
    pub(super) fn pulled(Pulled { feed, seat }: Pulled) -> Self {
        Self { feed, origin: Origin::Provider(seat) }
    }

    /// How the server may be called about it, if it comes from there.
    pub(super) fn access(&self) -> Option<&Arc<Access>> {
        match &self.origin {
            Origin::Server(tapped) => Some(&tapped.access),
            Origin::Provider(_) => None,
        }
    }

    /// Which playlist's connection it has.
    pub(super) fn playlist(&self) -> Option<usize> {
        match &self.origin {
            Origin::Server(_) => None,
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
            FeedState::Failed(failure) | FeedState::BackingOff { failure, .. } => failure,
            FeedState::Connecting { .. } | FeedState::Flowing { .. } => Failure::Stalled,
            FeedState::Ended => Failure::Ended,
        }
    }

    /// Whether the server writes on its disk what comes.
    pub(super) const fn is_on_disk(&self) -> bool {
        matches!(self.origin, Origin::Server(_))
    }

    /// Ends the feed, and gives back what is held for it.
    pub(super) async fn close(&self) {
        let state = *self.feed.state().borrow();
        self.feed.stop();
        let tapped = match &self.origin {
            Origin::Server(tapped) => tapped,
            Origin::Provider(_) => return self.feed.ended().await,
        };
        let held = tapped.held.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(held) = held {
            // In a task of its own: whoever waits for it may give up, and it has to come to its end all the same.
            let _ = tapped.tasks.spawn(held.give_back(state)).await;
        }
    }
}

impl Held {
    /// Gives it back, for a feed that was in this `state` at its end.
    async fn give_back(self, state: FeedState) {
        let Self { caller, name, holding } = self;
        // A server that could not be reached may have been restarted since.
        let parting = match state {
            FeedState::Failed(Failure::Unreachable) => Parting::GiveBackNamed,
            FeedState::Connecting { .. }
            | FeedState::Flowing { .. }
            | FeedState::BackingOff { .. }
            | FeedState::Failed(_)
            | FeedState::Ended => Parting::GiveBack,
        };
        let closed = holding.part(parting).await;
        caller.settle(&name, closed);
    }
}
