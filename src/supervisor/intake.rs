//! A channel's input while it is open: its feed, and what the gateway holds at the server for its sake. One owner, one way
//! out.
//!
//! It does not know who needs it.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::timeout;
use tokio_util::task::TaskTracker;

use crate::domain::feeding::State;
use crate::domain::reason::Failure;
use crate::feed::{Feed, Limits};
use crate::supervisor::access::Access;
use crate::supervisor::caller::Caller;
use crate::supervisor::hold::{Holding, Parting};
use crate::supervisor::shared::random;
use crate::supervisor::tap::{Tap, Whereabouts};
use crate::upstream::jellyfin::{Hold, RawPath};

/// How long the closing of the one before is waited for.
const PREDECESSOR: Duration = Duration::from_secs(10);

/// See the module.
#[derive(Debug)]
pub(super) struct Intake {
    pub(super) access: Arc<Access>,
    pub(super) feed: Feed,
    held: Mutex<Option<Held>>,
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
        Self {
            access: Arc::clone(&caller.access),
            feed: Feed::start(vec![Arc::new(tap)], limits, tasks),
            held: Mutex::new(Some(Held { caller, name, holding })),
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
    pub(super) fn is_on_disk(&self) -> bool {
        true
    }

    /// Ends the feed, and gives back what is held for it.
    pub(super) async fn close(&self) {
        let state = *self.feed.state().borrow();
        self.feed.stop();
        let held = self.held.lock().unwrap_or_else(PoisonError::into_inner).take();
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
}
