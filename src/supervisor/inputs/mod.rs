//! Maps each of the pool's input ids to an open input, and opens and closes inputs as the pool decides.
//!
//! The pool decides which inputs exist and which members they have. The module does not know which streams are made from them.

mod ffmpeg_input;
pub(super) mod open_input;
pub mod prefetch;
pub mod provider;
mod provider_connections;
pub mod raw_readers;
mod tap;
mod warm_up;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio_util::task::TaskTracker;
use tracing::debug;

use crate::background::noted;
use crate::feed::Limits;
use crate::supervisor::handle::Handle;
use crate::supervisor::held::caller::Callers;
use crate::supervisor::inputs::open_input::{InputSpec, OpenInput};
use crate::supervisor::inputs::provider::Provider;
use crate::supervisor::stream::Stream;
use crate::upstream::jellyfin::Login;
use domain::inputs::{InputKey, Joined, LineupInput, Wanted};
use domain::key::{Channel, InputId, LiveStreamId, MediaSourceId, StreamId};
use domain::lineup;
use domain::pool::{Event, Pool};
use domain::reason::Failure;
use domain::viewer::Account;

/// All inputs that the pool knows. Clones share them.
#[derive(Clone, Debug)]
pub struct Inputs {
    handle: Handle,
    callers: Callers,
    limits: Limits,
    /// How much of the past a reader of a raw stream gets at once.
    burst: Duration,
    provider: Option<Arc<Provider>>,
    tasks: TaskTracker,
    open: Arc<Mutex<HashMap<InputId, Arc<OpenInput>>>>,
}

impl Inputs {
    pub(super) fn new(
        handle: Handle,
        callers: Callers,
        (limits, burst): (Limits, Duration),
        provider: Option<Provider>,
        tasks: TaskTracker,
    ) -> Self {
        let provider = provider.map(Arc::new);
        Self { handle, callers, limits, burst, provider, tasks, open: Arc::default() }
    }

    /// Lets a stream join an input of its channel, which is opened if none is: the provider's if possible, or else the server's
    /// raw stream. `tuner_requested` is awaited if the server has no tuner left.
    ///
    /// # Errors
    /// [`Failure::Busy`] if the provider has no connection left and the server shares no raw stream.
    pub(super) fn join(
        &self,
        id: StreamId,
        stream: &Stream,
        tuner_requested: impl Future<Output = bool> + Send + 'static,
    ) -> Result<Arc<OpenInput>, Failure> {
        let tap = || InputSpec::tap(self.callers.about(&stream.access), None, tuner_requested);
        self.joined(&stream.channel.source, Some(&stream.channel), tap, |pool, wanted| {
            pool.join_input(id, wanted, self.handle.now()).ok()
        })
        .ok_or(Failure::Busy)
    }

    /// Opens an input that the pool has decided to open.
    pub(super) fn open(&self, id: InputId, replaces: Option<InputId>) {
        let Some(input) = self.get(id) else { return };
        let replaced = replaces.and_then(|replaced| self.get(replaced));
        let (handle, provider) = (self.handle.clone(), self.provider.as_deref());
        input.open(id, replaced, (&handle, provider), &self.tasks);
        self.tasks.spawn(async move {
            if noted("the watch over an input", watch(&handle, id, input)).await.is_none() {
                handle.tell(Event::InputEnded(id, Failure::Panicked));
            }
        });
    }

    /// Closes an input that the pool has decided to close.
    pub(super) fn close(&self, id: InputId) {
        let (handle, input) = (self.handle.clone(), self.get(id));
        self.tasks.spawn(async move {
            let _told = handle.tell_at_end(Event::InputClosed(id));
            if let Some(input) = input {
                input.close().await;
            }
        });
    }

    /// Removes an input, which is closed.
    pub(super) fn remove(&self, id: InputId) {
        self.inputs().remove(&id);
    }

    /// Whether the gateway holds a consumer of this live stream for one of the inputs.
    pub(super) fn holds(&self, live_stream: &LiveStreamId) -> bool {
        let inputs = self.inputs();
        let mut accesses = inputs.values().filter_map(|input| input.access());
        accesses.any(|access| access.live_stream == *live_stream)
    }

    /// Adds a viewer's credential to an input, unless one of the account is known.
    pub(super) fn add_login(&self, input: InputId, account: Account, login: &Login, user: Option<&str>) {
        let input = self.get(input);
        if let Some(access) = input.as_ref().and_then(|input| input.access()) {
            access.remember_if_new(account, login, user);
        }
    }

    /// Forgets the credential of `account`, which has been revoked.
    pub(super) fn forget(&self, account: Account) {
        let inputs = self.inputs();
        inputs.values().filter_map(|input| input.access()).for_each(|access| access.forget(account));
    }

    /// Lets a member join an input of the channel with the media source `source`, with the pool's method `join`. If the input is
    /// new and a tap, `tap` makes it; a tap is possible only if `channel` is given.
    fn joined(
        &self,
        source: &MediaSourceId,
        channel: Option<&Channel>,
        tap: impl FnOnce() -> InputSpec,
        join: impl FnOnce(&mut Pool, &Wanted) -> Option<Joined>,
    ) -> Option<Arc<OpenInput>> {
        let lineup = self.provider.as_ref().map(|provider| provider.lineup());
        let listed = lineup.as_ref().and_then(|lineup| lineup.find(source));
        let served = lineup.as_ref().is_some_and(|lineup| lineup.is_served(source));
        self.handle.ask(|pool, _| {
            let wanted = Wanted {
                lineup: listed.and_then(|listed| self.wanted(listed, served, pool)),
                tap: channel.cloned(),
            };
            self.enter(pool, &wanted, join, |key| match key {
                InputKey::Lineup(_) => listed.cloned().map(InputSpec::Lineup),
                InputKey::Tap(_) => Some(tap()),
            })
        })
    }

    /// Joins an input and, if it is new, inserts it. Runs under the pool's lock, so that no other task sees an id of the pool's
    /// that is missing here.
    fn enter(
        &self,
        pool: &mut Pool,
        wanted: &Wanted,
        join: impl FnOnce(&mut Pool, &Wanted) -> Option<Joined>,
        spec: impl FnOnce(&InputKey) -> Option<InputSpec>,
    ) -> Option<Arc<OpenInput>> {
        let mut inputs = self.inputs();
        for (&id, input) in inputs.iter().filter(|(_, input)| !input.is_alive()) {
            // The task that watches the input may not have told the pool of its end yet.
            pool.handle_event(Event::InputEnded(id, input.failure()), self.handle.now());
        }
        let Joined { input: id, key, opens } = join(pool, wanted)?;
        if opens {
            debug!(input = id.0, ?key, "opening the input");
            let input = OpenInput::new(spec(&key)?, self.limits, self.tasks.clone());
            inputs.insert(id, Arc::new(input));
        }
        inputs.get(&id).cloned()
    }

    /// The channel of the lineup as an input, if any of its sources can be pulled. If the server pulls the channel from the
    /// provider itself, it already occupies a connection, so the gateway opens a second one only where they are unlimited.
    fn wanted(&self, channel: &lineup::LineupChannel, served: bool, pool: &Pool) -> Option<LineupInput> {
        let playlists = self.provider.as_ref()?.playlists(channel);
        let unlimited = || channel.sources.iter().all(|source| pool.is_unlimited(source.playlist));
        (!playlists.is_empty()).then(|| LineupInput {
            channel: channel.id.clone(),
            playlists,
            may_open: served || unlimited(),
        })
    }

    fn get(&self, id: InputId) -> Option<Arc<OpenInput>> {
        self.inputs().get(&id).cloned()
    }

    fn inputs(&self) -> MutexGuard<'_, HashMap<InputId, Arc<OpenInput>>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Tells the pool of the growth and the end of an input.
async fn watch(handle: &Handle, id: InputId, input: Arc<OpenInput>) {
    let mut growth = input.feed.growth();
    while growth.changed().await.is_ok() {
        let counts = input.feed.counts();
        handle.tell(Event::InputGrew { input: id, held: counts.held, pulled: counts.bytes });
    }
    handle.tell(Event::InputEnded(id, input.failure()));
}
