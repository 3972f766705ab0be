//! Owns an open input: its feed and, for a tap, the consumer that the gateway holds at the server; closes both.
//!
//! It does not know which streams and readers use the input.

use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::background::noted;
use crate::feed::{Feed, Limits};
use crate::supervisor::handle::{Handle, random};
use crate::supervisor::held::access::Access;
use crate::supervisor::held::caller::Caller;
use crate::supervisor::held::hold::{Holding, Parting};
use crate::supervisor::inputs::provider::Provider;
use crate::supervisor::inputs::tap::{Tap, TapPath};
use crate::upstream::jellyfin::{Hold, RawPath};
use domain::feeding::FeedState;
use domain::key::InputId;
use domain::lineup;
use domain::pool::{Event, Open, OwnOpening};
use domain::reason::Failure;

/// How long a tap waits until its predecessor is closed.
const PREDECESSOR_TIMEOUT: Duration = Duration::from_secs(10);

/// The origin of a new input.
pub(in crate::supervisor) enum InputSpec {
    /// The provider, for this channel of the lineup.
    Lineup(lineup::LineupChannel),
    /// The raw stream that the server shares.
    Tap {
        /// Calls the server about the channel.
        caller: Box<Caller>,
        /// The raw stream's path, if it is known already.
        raw: Option<RawPath>,
        /// Frees a tuner; awaited if the server has none left. True if one was freed.
        tuner_requested: Pin<Box<dyn Future<Output = bool> + Send>>,
    },
}

/// An input that is open, or is about to be.
#[derive(Debug)]
pub(in crate::supervisor) struct OpenInput {
    pub(in crate::supervisor) feed: Feed,
    /// The credentials for calls to the server, if the input is a tap.
    access: Option<Arc<Access>>,
    /// The origin; `None` once the input is being pulled.
    spec: Mutex<Option<InputSpec>>,
    held: Mutex<Option<HeldConsumer>>,
    tasks: TaskTracker,
    closed: CancellationToken,
}

/// The consumer that is held at the server, and its name in the ledger.
#[derive(Debug)]
struct HeldConsumer {
    caller: Caller,
    name: String,
    holding: Holding,
}

impl InputSpec {
    /// A tap of the channel that `caller` calls about.
    pub(in crate::supervisor) fn tap(
        caller: Caller,
        raw: Option<RawPath>,
        tuner_requested: impl Future<Output = bool> + Send + 'static,
    ) -> Self {
        Self::Tap { caller: Box::new(caller), raw, tuner_requested: Box::pin(tuner_requested) }
    }
}

impl OpenInput {
    /// An input that is not pulled yet. Its members can already wait for its feed.
    pub(in crate::supervisor) fn new(spec: InputSpec, limits: Limits, tasks: TaskTracker) -> Self {
        let access = match &spec {
            InputSpec::Lineup(_) => None,
            InputSpec::Tap { caller, .. } => Some(Arc::clone(&caller.access)),
        };
        let (spec, held) = (Mutex::new(Some(spec)), Mutex::default());
        Self { feed: Feed::new(limits), access, spec, held, tasks, closed: CancellationToken::new() }
    }

    /// Begins to pull the input. A tap waits until its predecessor is closed, because the server gives both openings the same live
    /// stream id and could close the wrong one.
    pub(in crate::supervisor) fn open(
        &self,
        id: InputId,
        replaced: Option<Arc<Self>>,
        (handle, provider): (&Handle, Option<&Provider>),
        tasks: &TaskTracker,
    ) {
        let spec = self.spec.lock().unwrap_or_else(PoisonError::into_inner).take();
        match spec {
            None => {}
            Some(InputSpec::Lineup(channel)) => {
                let inputs = provider.map(|provider| provider.inputs(&channel, id, handle, tasks));
                self.feed.pull(inputs.unwrap_or_default(), tasks);
            }
            Some(InputSpec::Tap { caller, raw, tuner_requested }) => {
                let closed = async move {
                    if let Some(replaced) = replaced {
                        let _ = timeout(PREDECESSOR_TIMEOUT, replaced.closed.cancelled()).await;
                    }
                };
                let handle = handle.clone();
                let tell = move |state| handle.tell(Event::OwnOpening(Open::Input(id), 0, state));
                let tap = self.hold(*caller, raw, closed, tell, tuner_requested);
                self.feed.pull(vec![Arc::new(tap)], tasks);
            }
        }
    }

    /// Opens a consumer of the live stream once `begin` is ready, and returns the tap of its raw stream, at `raw` if that is known.
    fn hold(
        &self,
        caller: Caller,
        raw: Option<RawPath>,
        begin: impl Future<Output = ()> + Send + 'static,
        tell: impl Fn(OwnOpening) + Send + Sync + 'static,
        tuner_requested: impl Future<Output = bool> + Send + 'static,
    ) -> Tap {
        let name = format!("{:032x}", random());
        caller.record_item(&name);
        caller.ledger.note(&name, |entry| entry.without_job = true);
        let initial = raw.map_or(TapPath::Unknown, TapPath::Known);
        let (found, path) = watch::channel(initial);
        let (opened, record) = (found.clone(), caller.hold_recorder(&name));
        let on_change = move |hold: Option<&Hold>| {
            record(hold);
            if let Some(hold) = hold {
                let shared = hold.raw.clone().map(TapPath::Known);
                opened.send_replace(shared.unwrap_or(TapPath::Missing(Failure::Unsuitable)));
            }
        };
        let (holding, mut first_attempt) =
            Holding::take(caller.clone(), begin, on_change, tell, tuner_requested, &self.tasks);
        // If it dies, the tap waits until its deadline.
        self.tasks.spawn(noted("the wait for a tap's first opening", async move {
            if let Err(failure) = first_attempt.outcome().await {
                found.send_if_modified(|path| {
                    let unknown = *path == TapPath::Unknown;
                    if unknown {
                        *path = TapPath::Missing(failure);
                    }
                    unknown
                });
            }
        }));
        let jellyfin = caller.jellyfin.clone();
        *self.held.lock().unwrap_or_else(PoisonError::into_inner) =
            Some(HeldConsumer { caller, name, holding });
        Tap { jellyfin, path }
    }

    /// The credentials for calls to the server, if the input is a tap.
    pub(in crate::supervisor) const fn access(&self) -> Option<&Arc<Access>> {
        self.access.as_ref()
    }

    /// Whether the feed has not ended.
    pub(in crate::supervisor) fn is_alive(&self) -> bool {
        !self.feed.state().borrow().is_over()
    }

    /// The reason why the feed has ended or carries no data.
    pub(in crate::supervisor) fn failure(&self) -> Failure {
        match *self.feed.state().borrow() {
            FeedState::Failed(failure) | FeedState::BackingOff { failure, .. } => failure,
            FeedState::Connecting { .. } | FeedState::Flowing { .. } => Failure::Stalled,
            FeedState::Ended => Failure::Ended,
        }
    }

    /// Ends the feed, and closes the consumer that is held for it.
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

impl std::fmt::Debug for InputSpec {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Lineup(_) => "Lineup",
            Self::Tap { .. } => "Tap",
        })
    }
}

impl HeldConsumer {
    /// Closes the consumer of a feed that ended in this `state`.
    async fn give_back(self, state: FeedState) {
        let Self { caller, name, holding } = self;
        // A server that could not be reached may have been restarted.
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
