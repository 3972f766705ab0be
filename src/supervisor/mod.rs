//! Gives the pool a clock and hands. Requests state wishes here; only the driver performs what the pool decides.
//!
//! It knows nothing of HTTP: who asks, and in which words an answer is given, is the proxy's business.

mod driver;
mod ended_answers;
pub mod generation;
mod handle;
pub mod held;
pub mod inputs;
pub mod stream;
mod streams;
#[cfg(test)]
mod tests;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::body::Body;
use crate::feed;
use crate::supervisor::driver::Driver;
use crate::supervisor::generation::Generations;
use crate::supervisor::generation::own::workshop::{Encoding, Workshop};
use crate::supervisor::handle::{Handle, random};
use crate::supervisor::held::caller::Callers;
use crate::supervisor::held::client_openings::{self, ClientOpenings, Opener};
use crate::supervisor::held::leftovers::Leftovers;
use crate::supervisor::inputs::Inputs;
use crate::supervisor::inputs::prefetch::OpenedChannel;
use crate::supervisor::inputs::provider::Provider;
use crate::supervisor::inputs::raw_readers::Denied;
use crate::supervisor::stream::{Brief, Playlist, Stream, WindowSize};
use crate::supervisor::streams::Streams;
use crate::upstream::jellyfin::{Jellyfin, Login, Recipe};
use crate::upstream::ledger::Ledger;
use domain::cadence::Class;
use domain::encoding::demand::Demand;
use domain::key::{Channel, ChannelId, ConsumerId, ItemId, LiveStreamId, MediaSourceId, StreamKey};
use domain::openings::{ClientOpening, Mention, MentionKind, PlaybackReport};
use domain::pool::{Admission, Event, Limits, Pool, Said, SegmentRequest, Snapshot, Tune, Warmth};
use domain::produce::Produce;
use domain::reason::RefuseReason;
use domain::signal::{Signal, Whose};
use domain::viewer::{Account, Viewer};

/// What the streams have to keep to.
#[derive(Debug)]
pub struct Settings {
    /// What the pool may use.
    pub limits: Limits,
    /// How windows are cut.
    pub size: WindowSize,
    /// What is kept of inputs.
    pub feed: feed::Limits,
    /// The provider's channels, if any are known.
    pub provider: Option<Provider>,
    /// The connections that each playlist of the provider allows; 0: any number.
    pub connections: Vec<u32>,
    /// How profiles are made that an input does not satisfy; `None` leaves them to the server.
    pub encoding: Option<Encoding>,
    /// The gateway's own credential, if it has one.
    pub gateway_login: Option<Login>,
    /// The file that records what is open at the server.
    pub ledger: Option<PathBuf>,
}

/// A viewer's wish.
#[derive(Debug)]
pub struct Wish {
    /// What it asks for.
    pub key: StreamKey,
    /// Who asks.
    pub viewer: Viewer,
    /// How its player can be expected to behave.
    pub class: Class,
    /// How its stream may come about.
    pub produce: Produce,
    /// What it asks of the encoding; `None` if that cannot be read.
    pub demand: Option<Demand>,
    /// As whom the gateway may act to serve it.
    pub login: Login,
    /// The user behind the login; `None` for a key that belongs to nobody.
    pub user: Option<String>,
}

/// A granted wish.
#[derive(Debug)]
pub struct Lease {
    /// The stream to serve from.
    pub stream: Arc<Stream>,
    /// The token that goes into every URI.
    pub consumer: ConsumerId,
    /// How far the stream was.
    pub warmth: Warmth,
    /// The request that it answers.
    pub answering: Answering,
}

/// See the module; clones are the same.
#[derive(Clone, Debug)]
pub struct Supervisor {
    handle: Handle,
    streams: Arc<Streams>,
    inputs: Inputs,
    openings: Arc<ClientOpenings>,
    callers: Callers,
    /// How much of a channel a raw reader is handed at once.
    burst: Duration,
    tasks: TaskTracker,
    ended: CancellationToken,
}

/// A request that is being answered. Its consumer counts as present until it is dropped.
#[derive(Debug)]
pub struct Answering {
    handle: Handle,
    consumer: ConsumerId,
    outcome: Outcome,
}

#[derive(Clone, Copy, Debug)]
enum Outcome {
    /// The player has given up the request, unless more is said.
    GivenUp,
    /// All of the answer is on its way.
    Whole,
    /// The pool has been told.
    Told,
}

impl Answering {
    fn new(handle: &Handle, consumer: ConsumerId) -> Self {
        Self { handle: handle.clone(), consumer, outcome: Outcome::GivenUp }
    }

    /// All of the answer is on its way.
    pub fn whole(mut self) {
        self.outcome = Outcome::Whole;
    }

    fn told(mut self) {
        self.outcome = Outcome::Told;
    }
}

impl Drop for Answering {
    fn drop(&mut self) {
        match self.outcome {
            Outcome::Told => {}
            Outcome::Whole => self.handle.answer_ended(self.consumer, true),
            Outcome::GivenUp => {
                self.handle.answer_ended(self.consumer, false);
                self.handle.wake();
            }
        }
    }
}

impl Supervisor {
    /// Starts the driver.
    #[must_use]
    pub fn new(settings: Settings, jellyfin: Jellyfin) -> Self {
        let Settings { limits, size, feed, provider, connections, encoding, gateway_login, ledger } =
            settings;
        let (ledger, left) = Ledger::open(ledger);
        let ledger = Arc::new(ledger);
        let (of_clients, left) = client_openings::of_clients(left);
        let leftovers = Arc::new(Leftovers::new(Arc::clone(&ledger), left));
        let callers = Callers { jellyfin, gateway_login, ledger, leftovers };
        let (tasks, ended) = (TaskTracker::new(), CancellationToken::new());

        let handle = Handle::new(Pool::new(limits, connections));
        let streams = Arc::new(Streams::new(size));
        let inputs = Inputs::new(handle.clone(), callers.clone(), feed, provider, tasks.clone());
        let openings =
            ClientOpenings::new(handle.clone(), callers.clone(), Arc::clone(&streams), tasks.clone());
        let openings = Arc::new(openings);
        openings.inherit(of_clients);
        let generations = Generations {
            handle: handle.clone(),
            callers: callers.clone(),
            inputs: inputs.clone(),
            workshop: Arc::new(Workshop::new(encoding, callers.clone())),
            tasks: tasks.clone(),
        };
        let driver = Driver {
            handle: handle.clone(),
            streams: Arc::clone(&streams),
            inputs: inputs.clone(),
            generations,
            openings: Arc::clone(&openings),
            tasks: tasks.clone(),
        };
        tokio::spawn(driver.run(ended.clone()));
        let supervisor = Self { handle, streams, inputs, openings, callers, burst: size.join, tasks, ended };
        if let Some(login) = supervisor.callers.gateway_login.clone() {
            supervisor.close_leftovers(login, None);
        }
        supervisor
    }

    /// A viewer requests a playlist, and mentions what it has opened. Grants its wish, or says why not; `recipe` says how to start
    /// the stream, should it not run. Never waits.
    pub fn tune(
        &self,
        wish: Wish,
        mention: &Mention,
        recipe: impl FnOnce() -> Recipe,
    ) -> Result<Lease, RefuseReason> {
        let Wish { key, viewer, class, produce, demand, login, user } = wish;
        let account = viewer.account;
        let tune = Tune { key, viewer, class, produce, fresh: ConsumerId::from_bits(random()) };
        let (lease, input) =
            self.handle.ask(|pool, now| match pool.playlist_requested(tune, mention, now) {
                Admission::Refused(reason) => Err(reason),
                Admission::Serve { stream: id, consumer, warmth } => {
                    let brief = || Brief { recipe: recipe(), demand, produce };
                    let stream = self.streams.get_or_insert(id, brief);
                    let answering = Answering::new(&self.handle, consumer);
                    Ok((Lease { stream, consumer, warmth, answering }, pool.input_of(id)))
                }
            })?;
        if let Some(input) = input {
            self.inputs.introduce(input, account, &login, user.as_deref());
        }
        self.close_leftovers(login.clone(), user.clone());
        lease.stream.access.remember(account, login, user);
        Ok(lease)
    }

    /// The list of a consumer, each segment at the URI that `uri` writes, and whether requests for it can be held; `None` before the
    /// first segment. `said` is the rest of what the request said.
    #[must_use]
    pub fn playlist(
        &self,
        lease: Lease,
        said: &Said<'_>,
        blocking: bool,
        uri: impl FnMut(&mut String, u64),
    ) -> Option<Playlist> {
        let Lease { stream, consumer, answering, .. } = lease;
        let join_point = stream.join_point();
        answering.told();
        let start = self.handle.ask(|pool, now| pool.playlist_answered(consumer, join_point, said, now))?;
        stream.playlist(start, blocking, uri)
    }

    /// A request for a segment with a consumer's token: the stream it is for, if that still runs.
    #[must_use]
    pub fn segment_requested(
        &self,
        consumer: ConsumerId,
        request: &SegmentRequest<'_>,
    ) -> Option<(Arc<Stream>, Answering)> {
        let id = self.handle.ask(|pool, now| pool.request_segment(consumer, request, now))?;
        let answering = Answering::new(&self.handle, consumer);
        match self.streams.get(id) {
            Some(stream) => Some((stream, answering)),
            None => {
                answering.whole();
                None
            }
        }
    }

    /// A viewer gives a signal other than a request for a playlist or a segment.
    pub fn signal(&self, whose: Whose, signal: Signal) {
        self.handle.tell(Event::Signal(whose, signal));
    }

    /// A viewer has been given the server's own stream, and goes on with it.
    pub fn passed_on(&self, viewer: Viewer, channel: Channel) {
        self.handle.tell(Event::PassedOn(viewer, channel));
    }

    /// A client asks the server to open a channel, as far as its request says which one and for whom.
    pub fn opening(&self, item: Option<ItemId>, account: Option<Account>) {
        self.handle.tell(Event::Opening { item, account });
    }

    /// A token is about to be revoked: returns once nothing is left that could be released with it alone.
    pub async fn logging_out(&self, account: Account, patience: Duration) {
        self.handle.tell_and_wait(Event::LoggingOut(account), patience).await;
        self.inputs.forget(account);
        self.streams.forget(account);
    }

    /// The revocation of a token has been answered.
    pub fn logged_out(&self, account: Account) {
        self.handle.tell(Event::LoggedOut(account));
    }

    /// Somebody was denied a tuner: returns true once one of ours has been given back.
    pub async fn free_tuner(&self) -> bool {
        self.handle.free_tuner().await
    }

    /// Whether the gateway acts under a credential of its own, whoever asks.
    #[must_use]
    pub fn has_own_credential(&self) -> bool {
        self.callers.gateway_login.is_some()
    }

    /// Whether a consumer of this live stream is ours.
    #[must_use]
    pub fn holds(&self, live_stream: &LiveStreamId) -> bool {
        self.inputs.holds(live_stream) || self.streams.holds(live_stream)
    }

    /// Whether the account has given this live stream back, by its own report or in its name.
    #[must_use]
    pub fn has_returned(&self, account: Account, live_stream: &LiveStreamId) -> bool {
        self.handle.pool().has_returned(account, live_stream)
    }

    /// Whether anything runs that nobody watches.
    #[must_use]
    pub fn has_idle(&self) -> bool {
        self.handle.pool().has_idle()
    }

    /// Gives everything back; returns when that is done, or `grace` is over.
    pub async fn shut_down(&self, grace: Duration) {
        self.handle.tell(Event::Shutdown);
        self.tasks.close();
        let all = async {
            self.handle.until(Pool::is_empty).await;
            self.tasks.wait().await;
        };
        let _ = timeout(grace, all).await;
        self.ended.cancel();
    }

    /// The pool as it is.
    #[must_use]
    pub fn snapshot(&self) -> Snapshot {
        self.handle.pool().snapshot(self.handle.now())
    }

    /// A viewer has opened a channel, and will want a stream of it that the gateway may make itself.
    pub fn prefetch(&self, opened: OpenedChannel) {
        self.inputs.prefetch(opened);
    }

    /// A client has opened a live stream at the server.
    pub fn opened(&self, opening: ClientOpening, opener: Opener) {
        self.openings.opened(opening, opener);
    }

    /// A request mentions openings of clients.
    pub fn mentioned(&self, mention: Mention, kind: MentionKind) {
        self.handle.tell(Event::Mentioned(mention, kind));
    }

    /// The server has accepted a report about the playback that it mentions.
    pub fn reported(&self, mention: Mention, report: PlaybackReport) {
        self.handle.tell(Event::Reported(mention, report));
    }

    /// Whether a report of `account` has to be shown to [`own_opening`](Self::own_opening) before it is passed on.
    #[must_use]
    pub fn needs_care(&self, account: Account) -> bool {
        self.openings.needs_care(account)
    }

    /// A client is about to report about its playback. Returns whether the report may name the live stream: whether its client
    /// has an opening of its own, perhaps a new one that was made because it `plays`.
    pub async fn own_opening(&self, mention: &Mention, login: &Login, plays: bool) -> bool {
        self.openings.own_opening(mention, login, plays).await
    }

    /// The server could not be reached: it may be another process when it answers again.
    pub fn server_lost(&self) {
        self.openings.doubt_all();
    }

    /// Whether the lineup has this channel.
    #[must_use]
    pub fn has_channel(&self, id: &ChannelId) -> bool {
        self.inputs.has_channel(id)
    }

    /// How the lineup wishes streams of the channel to be made that a request for `asked` means.
    #[must_use]
    pub fn wished(&self, asked: &MediaSourceId) -> Option<Produce> {
        self.inputs.wished(asked)
    }

    /// A channel's raw stream, from a few seconds ago on and without an end.
    ///
    /// # Errors
    /// See [`Denied`].
    pub async fn read(&self, id: &ChannelId) -> Result<Body, Denied> {
        self.inputs.read(id, self.burst).await
    }

    /// Closes what was left open, if anything was, as the gateway itself or as `login`, which belongs to `user`.
    fn close_leftovers(&self, login: Login, user: Option<String>) {
        let Callers { jellyfin, gateway_login, leftovers, .. } = &self.callers;
        let taken = leftovers.take();
        if taken.is_empty() {
            return;
        }
        let (jellyfin, leftovers) = (jellyfin.clone(), Arc::clone(leftovers));
        let (login, user) = match gateway_login {
            Some(own) => (own.clone(), None),
            None => (login, user),
        };
        self.tasks.spawn(async move { leftovers.close(taken, &jellyfin, &login, user.as_deref()).await });
    }
}
