//! A channel's input while it is open: its feed, and the consumer that is held at the server for its sake. One owner, one
//! way out.
//!
//! It does not know who needs it.

use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::feed::{Feed, Limits};
use crate::supervisor::handle::{Handle, random};
use crate::supervisor::held::access::Access;
use crate::supervisor::held::caller::Caller;
use crate::supervisor::held::hold::{Holding, Parting};
use crate::supervisor::inputs::provider::Provider;
use crate::supervisor::inputs::tap::{Tap, Whereabouts};
use crate::upstream::jellyfin::{Hold, RawPath};
use domain::feeding::FeedState;
use domain::key::InputId;
use domain::lineup;
use domain::reason::Failure;

/// How long the closing of the input before this one is waited for.
const PREDECESSOR: Duration = Duration::from_secs(10);

/// From where an input is pulled.
pub(in crate::supervisor) enum Brief {
    /// The provider, for this channel of the lineup.
    Lineup(lineup::LineupChannel),
    /// The raw stream that the server shares.
    Tap {
        /// Calls the server about the channel.
        caller: Box<Caller>,
        /// The raw stream's path, if it is known already.
        raw: Option<RawPath>,
        /// Awaited if the server has no tuner left; true if one has been freed.
        tuner_requested: Pin<Box<dyn Future<Output = bool> + Send>>,
    },
}

/// See the module.
#[derive(Debug)]
pub(in crate::supervisor) struct OpenInput {
    pub(in crate::supervisor) feed: Feed,
    /// How the server may be called about it, if it comes from there.
    access: Option<Arc<Access>>,
    /// `None` once it is being pulled.
    brief: Mutex<Option<Brief>>,
    held: Mutex<Option<Held>>,
    tasks: TaskTracker,
    closed: CancellationToken,
}

/// The consumer at the server, under its name in the ledger.
#[derive(Debug)]
struct Held {
    caller: Caller,
    name: String,
    holding: Holding,
}

impl Brief {
    /// The raw stream of the channel that `caller` calls about.
    pub(in crate::supervisor) fn tap(
        caller: Caller,
        raw: Option<RawPath>,
        tuner_requested: impl Future<Output = bool> + Send + 'static,
    ) -> Self {
        Self::Tap { caller: Box::new(caller), raw, tuner_requested: Box::pin(tuner_requested) }
    }
}

impl OpenInput {
    /// An input that is not pulled yet: whoever has joined may wait at its feed.
    pub(in crate::supervisor) fn new(brief: Brief, limits: Limits, tasks: TaskTracker) -> Self {
        let access = match &brief {
            Brief::Lineup(_) => None,
            Brief::Tap { caller, .. } => Some(Arc::clone(&caller.access)),
        };
        let (brief, held) = (Mutex::new(Some(brief)), Mutex::default());
        Self { feed: Feed::new(limits), access, brief, held, tasks, closed: CancellationToken::new() }
    }

    /// Begins to pull it. A tap waits until the input that it replaces is closed: the server knows both openings by the same
    /// name, and would close either.
    pub(in crate::supervisor) fn open(
        &self,
        id: InputId,
        replaced: Option<Arc<Self>>,
        (handle, provider): (&Handle, Option<&Provider>),
        tasks: &TaskTracker,
    ) {
        let brief = self.brief.lock().unwrap_or_else(PoisonError::into_inner).take();
        match brief {
            None => {}
            Some(Brief::Lineup(channel)) => {
                let inputs = provider.map(|provider| provider.inputs(&channel, id, handle, tasks));
                self.feed.pull(inputs.unwrap_or_default(), tasks);
            }
            Some(Brief::Tap { caller, raw, tuner_requested }) => {
                let closed = async move {
                    if let Some(replaced) = replaced {
                        let _ = timeout(PREDECESSOR, replaced.closed.cancelled()).await;
                    }
                };
                let tap = self.hold(*caller, raw, closed, tuner_requested);
                self.feed.pull(vec![Arc::new(tap)], tasks);
            }
        }
    }

    /// Takes a consumer of the raw stream at `raw`, if that is known, once `begin` is over.
    fn hold(
        &self,
        caller: Caller,
        raw: Option<RawPath>,
        begin: impl Future<Output = ()> + Send + 'static,
        tuner_requested: impl Future<Output = bool> + Send + 'static,
    ) -> Tap {
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
        let (holding, mut first_attempt) =
            Holding::take(caller.clone(), begin, held, tuner_requested, &self.tasks);
        self.tasks.spawn(async move {
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
        let jellyfin = caller.jellyfin.clone();
        *self.held.lock().unwrap_or_else(PoisonError::into_inner) = Some(Held { caller, name, holding });
        Tap { jellyfin, path }
    }

    /// How the server may be called about it, if it comes from there.
    pub(in crate::supervisor) const fn access(&self) -> Option<&Arc<Access>> {
        self.access.as_ref()
    }

    /// Whether anything comes, or may yet come.
    pub(in crate::supervisor) fn is_alive(&self) -> bool {
        !self.feed.state().borrow().is_over()
    }

    /// How it ended, or why it might as well have.
    pub(in crate::supervisor) fn failure(&self) -> Failure {
        match *self.feed.state().borrow() {
            FeedState::Failed(failure) | FeedState::BackingOff { failure, .. } => failure,
            FeedState::Connecting { .. } | FeedState::Flowing { .. } => Failure::Stalled,
            FeedState::Ended => Failure::Ended,
        }
    }

    /// Ends the feed, and gives back what is held for it.
    pub(in crate::supervisor) async fn close(&self) {
        let state = *self.feed.state().borrow();
        self.feed.stop();
        let held = self.held.lock().unwrap_or_else(PoisonError::into_inner).take();
        match held {
            Some(held) => held.give_back(state).await,
            None => self.feed.ended().await,
        }
        self.closed.cancel();
    }
}

impl std::fmt::Debug for Brief {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Lineup(_) => "Lineup",
            Self::Tap { .. } => "Tap",
        })
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
