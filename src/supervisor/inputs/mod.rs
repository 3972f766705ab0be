//! The inputs that are open, as the shell has them: by the pool's name for each, its feed and what is held for it.
//!
//! The pool decides which there are and who has joined them. The module does not know what is made of a feed.

mod ffmpeg_input;
pub(super) mod open_input;
pub mod prefetch;
pub mod provider;
mod provider_connections;
pub mod raw_readers;
mod tap;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio_util::task::TaskTracker;
use tracing::debug;

use crate::feed::Limits;
use crate::supervisor::handle::Handle;
use crate::supervisor::held::caller::Callers;
use crate::supervisor::inputs::open_input::{Brief, OpenInput};
use crate::supervisor::inputs::provider::Provider;
use crate::supervisor::stream::Stream;
use crate::upstream::jellyfin::Login;
use domain::inputs::{InputKey, Joined, LineupInput, Wanted};
use domain::key::{Channel, InputId, LiveStreamId, MediaSourceId, StreamId};
use domain::lineup;
use domain::pool::{Event, Pool};
use domain::reason::Failure;
use domain::viewer::Account;

/// See the module; clones are the same.
#[derive(Clone, Debug)]
pub(super) struct Inputs {
    handle: Handle,
    callers: Callers,
    limits: Limits,
    provider: Option<Arc<Provider>>,
    tasks: TaskTracker,
    open: Arc<Mutex<HashMap<InputId, Arc<OpenInput>>>>,
}

impl Inputs {
    pub(super) fn new(
        handle: Handle,
        callers: Callers,
        limits: Limits,
        provider: Option<Provider>,
        tasks: TaskTracker,
    ) -> Self {
        Self { handle, callers, limits, provider: provider.map(Arc::new), tasks, open: Arc::default() }
    }

    /// The input of a stream, opened if need be: the one it has, the provider's if that can be had, or else what the server
    /// shares. `tuner_requested` is awaited if the server has no tuner left.
    pub(super) fn join(
        &self,
        id: StreamId,
        stream: &Stream,
        tuner_requested: impl Future<Output = bool> + Send + 'static,
    ) -> Result<Arc<OpenInput>, Failure> {
        let tap = || Brief::tap(self.callers.about(&stream.access), None, tuner_requested);
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
        self.tasks.spawn(watch(handle, id, input));
    }

    /// Closes an input that the pool has decided to close.
    pub(super) fn close(&self, id: InputId) {
        let (handle, input) = (self.handle.clone(), self.get(id));
        self.tasks.spawn(async move {
            if let Some(input) = input {
                input.close().await;
            }
            handle.tell(Event::InputClosed(id));
        });
    }

    /// An input is gone.
    pub(super) fn remove(&self, id: InputId) {
        self.inputs().remove(&id);
    }

    /// Whether a consumer of this live stream is held for one of them.
    pub(super) fn holds(&self, live_stream: &LiveStreamId) -> bool {
        let inputs = self.inputs();
        let mut accesses = inputs.values().filter_map(|input| input.access());
        accesses.any(|access| access.live_stream == *live_stream)
    }

    /// The server may also be called with this credential about an input.
    pub(super) fn introduce(&self, input: InputId, account: Account, login: &Login, user: Option<&str>) {
        let input = self.get(input);
        if let Some(access) = input.as_ref().and_then(|input| input.access()) {
            access.introduce(account, login, user);
        }
    }

    /// The credential of `account` is worth nothing any more.
    pub(super) fn forget(&self, account: Account) {
        let inputs = self.inputs();
        inputs.values().filter_map(|input| input.access()).for_each(|access| access.forget(account));
    }

    /// Asks the pool to `join` somebody to an input of the channel that a request for `asked` means, and makes the input if
    /// it is new: a tap as `tap` says, where the channel may be tapped.
    fn joined(
        &self,
        asked: &MediaSourceId,
        channel: Option<&Channel>,
        tap: impl FnOnce() -> Brief,
        join: impl FnOnce(&mut Pool, &Wanted) -> Option<Joined>,
    ) -> Option<Arc<OpenInput>> {
        let lineup = self.provider.as_ref().map(|provider| provider.lineup());
        let listed = lineup.as_ref().and_then(|lineup| lineup.find(asked));
        let served = lineup.as_ref().is_some_and(|lineup| lineup.is_served(asked));
        self.handle.ask(|pool, _| {
            let wanted = Wanted {
                lineup: listed.and_then(|listed| self.wanted(listed, served, pool)),
                tap: channel.cloned(),
            };
            self.enter(pool, &wanted, join, |key| match key {
                InputKey::Lineup(_) => listed.cloned().map(Brief::Lineup),
                InputKey::Tap(_) => Some(tap()),
            })
        })
    }

    /// Under the pool's lock, so that nobody sees an input of the pool's that is not here.
    fn enter(
        &self,
        pool: &mut Pool,
        wanted: &Wanted,
        join: impl FnOnce(&mut Pool, &Wanted) -> Option<Joined>,
        brief: impl FnOnce(&InputKey) -> Option<Brief>,
    ) -> Option<Arc<OpenInput>> {
        let mut inputs = self.inputs();
        for (&id, input) in inputs.iter().filter(|(_, input)| !input.is_alive()) {
            // Its end may have been told to nobody yet.
            pool.handle_event(Event::InputEnded(id, input.failure()), self.handle.now());
        }
        let Joined { input: id, key, opens } = join(pool, wanted)?;
        if opens {
            debug!(input = id.0, ?key, "opening");
            let input = OpenInput::new(brief(&key)?, self.limits, self.tasks.clone());
            inputs.insert(id, Arc::new(input));
        }
        inputs.get(&id).cloned()
    }

    /// A channel of the lineup as an input, if any of its sources can be pulled. Where the server tunes at the provider itself,
    /// it has a connection for the channel already: of those that are counted, a second one is too many.
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

/// Tells the pool how an input grows, and of its end.
async fn watch(handle: Handle, id: InputId, input: Arc<OpenInput>) {
    let mut growth = input.feed.growth();
    while growth.changed().await.is_ok() {
        let counts = input.feed.counts();
        handle.tell(Event::InputGrew { input: id, held: counts.held, pulled: counts.bytes });
    }
    handle.tell(Event::InputEnded(id, input.failure()));
}
