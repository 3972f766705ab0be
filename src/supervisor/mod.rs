//! Gives the pool a clock and hands. Requests state wishes here; only the driver performs what the pool decides.
//!
//! It knows nothing of HTTP: who asks, and in which words an answer is given, is the proxy's business.

mod access;
mod adopt;
mod caller;
pub mod direct;
mod driver;
pub mod encode;
mod ended_answers;
pub mod expected;
mod feeds;
mod front;
mod generation;
mod hardware;
mod hold;
mod intake;
mod known;
mod own;
mod planning;
pub mod provider;
mod reap;
pub mod returns;
mod seats;
mod shared;
pub mod stream;
mod tap;

use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::{Instant, timeout};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::feed;
use crate::supervisor::encode::Encoding;
use crate::supervisor::ended_answers::{Ended, EndedAnswers};
use crate::supervisor::feeds::Feeds;
use crate::supervisor::hardware::ServerHardware;
use crate::supervisor::known::Known;
use crate::supervisor::provider::Provider;
use crate::supervisor::reap::Leftovers;
use crate::supervisor::returns::Returns;
use crate::supervisor::shared::{Shared, random};
use crate::supervisor::stream::{Brief, Playlist, Stream, WindowSize};
use crate::upstream::jellyfin::{Jellyfin, Login, Recipe};
use crate::upstream::ledger::Ledger;
use domain::cadence::Class;
use domain::encoding::demand::Demand;
use domain::key::{Channel, ConsumerId, ItemId, LiveStreamId, StreamKey};
use domain::openings::Mention;
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
    /// With what profiles are made that an input does not satisfy; `None` leaves them to the server.
    pub encoding: Option<Encoding>,
    /// The gateway's own credential, if it has one.
    pub own: Option<Login>,
    /// Where it is written down what is open at the server.
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

/// See the module. A handle; clones share everything.
#[derive(Clone, Debug)]
pub struct Supervisor {
    shared: Arc<Shared>,
}

/// A request that is being answered. Its consumer counts as present until it is dropped.
#[derive(Debug)]
pub struct Answering {
    shared: Arc<Shared>,
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
    fn new(shared: &Arc<Shared>, consumer: ConsumerId) -> Self {
        Self { shared: Arc::clone(shared), consumer, outcome: Outcome::GivenUp }
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
        let whole = match self.outcome {
            Outcome::Told => return,
            Outcome::Whole => true,
            Outcome::GivenUp => false,
        };
        self.shared.ended_answers.push(Ended { consumer: self.consumer, whole, at: self.shared.now() });
        if !whole {
            self.shared.bell.notify_one();
        }
    }
}

impl Supervisor {
    /// Starts the driver.
    #[must_use]
    pub fn new(settings: Settings, jellyfin: Jellyfin) -> Self {
        let Settings { limits, size, feed, provider, encoding, own, ledger } = settings;
        let (ledger, left) = Ledger::open(ledger);
        let ledger = Arc::new(ledger);
        let (of_clients, left) = returns::of_clients(left);
        let shared = Arc::new(Shared {
            epoch: Instant::now(),
            pool: Mutex::new(Pool::new(limits)),
            ended_answers: EndedAnswers::default(),
            bell: Notify::new(),
            streams: RwLock::default(),
            jellyfin,
            own,
            feeds: Feeds::default(),
            feed_limits: feed,
            provider,
            expected: limits.slots,
            warm_feed: limits.warm_feed,
            encoding,
            known: Known::default(),
            hardware: ServerHardware::default(),
            leftovers: Arc::new(Leftovers::new(Arc::clone(&ledger), left)),
            returns: Returns::default(),
            ledger,
            size,
            generations: TaskTracker::new(),
            draining: CancellationToken::new(),
            ended: CancellationToken::new(),
        });
        shared.inherit(of_clients);
        tokio::spawn(driver::run(Arc::clone(&shared)));
        if let Some(own) = shared.own.clone() {
            shared.reap(own, None);
        }
        Self { shared }
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
        let granted = self.shared.ask(|pool, now| match pool.playlist_requested(tune, mention, now) {
            Admission::Refused(reason) => Err(reason),
            Admission::Serve { stream, consumer, warmth } => {
                // Still under the pool's lock, so that nobody sees a stream of the pool's that is not here.
                let brief = || Brief { recipe: recipe(), demand, produce };
                Ok((stream, self.shared.stream_or_insert(stream, brief), consumer, warmth))
            }
        });
        let (id, stream, consumer, warmth) = granted?;
        self.shared.feeds.remember(id, account, &login, user.as_deref());
        self.shared.reap(login.clone(), user.as_deref());
        stream.access.remember(account, login, user);
        Ok(Lease { stream, consumer, warmth, answering: Answering::new(&self.shared, consumer) })
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
        let start = self.shared.ask(|pool, now| pool.playlist_answered(consumer, join_point, said, now))?;
        stream.playlist(start, blocking, uri)
    }

    /// A request for a segment with a consumer's token: the stream it is for, if that still runs.
    #[must_use]
    pub fn segment_requested(
        &self,
        consumer: ConsumerId,
        request: &SegmentRequest<'_>,
    ) -> Option<(Arc<Stream>, Answering)> {
        let id = self.shared.ask(|pool, now| pool.request_segment(consumer, request, now))?;
        let answering = Answering::new(&self.shared, consumer);
        match self.shared.stream(id) {
            Some(stream) => Some((stream, answering)),
            None => {
                answering.whole();
                None
            }
        }
    }

    /// A viewer gives a signal other than a request for a playlist or a segment.
    pub fn signal(&self, whose: Whose, signal: Signal) {
        self.shared.tell(Event::Signal(whose, signal));
    }

    /// A viewer has been given the server's own stream, and goes on with it.
    pub fn passed_on(&self, viewer: Viewer, channel: Channel) {
        self.shared.tell(Event::PassedOn(viewer, channel));
    }

    /// A client asks the server to open a channel, as far as its request says which one and for whom.
    pub fn opening(&self, item: Option<ItemId>, account: Option<Account>) {
        self.shared.tell(Event::Opening { item, account });
    }

    /// A token is about to be revoked: returns once nothing is left that could be released with it alone.
    pub async fn logging_out(&self, account: Account, patience: Duration) {
        self.shared.stop_and_wait(Event::LoggingOut(account), patience).await;
        if self.shared.own.is_none() {
            let only = self.shared.feeds.only_expected_by(account);
            let _ = timeout(patience, self.shared.expect_no_more(only)).await;
        }
        self.shared.feeds.forget(account);
        let streams = self.shared.streams.read().unwrap_or_else(PoisonError::into_inner);
        streams.values().for_each(|stream| stream.access.forget(account));
    }

    /// The revocation of a token has been answered.
    pub fn logged_out(&self, account: Account) {
        self.shared.tell(Event::LoggedOut(account));
    }

    /// Somebody was denied a tuner: returns true once one of ours has been given back.
    pub async fn free_tuner(&self) -> bool {
        self.shared.free_tuner().await
    }

    /// Whether the gateway acts under a credential of its own, whoever asks.
    #[must_use]
    pub fn has_own_credential(&self) -> bool {
        self.shared.own.is_some()
    }

    /// Whether a consumer of this live stream is ours.
    #[must_use]
    pub fn holds(&self, live_stream: &LiveStreamId) -> bool {
        let streams = self.shared.streams.read().unwrap_or_else(PoisonError::into_inner);
        self.shared.feeds.holds(live_stream)
            || streams.values().any(|stream| stream.recipe.live_stream == *live_stream)
    }

    /// Whether the account has given this live stream back, by its own report or in its name.
    #[must_use]
    pub fn has_returned(&self, account: Account, live_stream: &LiveStreamId) -> bool {
        self.shared.pool().has_returned(account, live_stream)
    }

    /// Whether anything runs that nobody watches.
    #[must_use]
    pub fn has_idle(&self) -> bool {
        self.shared.pool().has_idle() || self.shared.feeds.has_unread()
    }

    /// Gives everything back; returns when that is done, or `grace` is over.
    pub async fn shut_down(&self, grace: Duration) {
        self.shared.tell(Event::Shutdown);
        self.shared.bell.notify_one();
        self.shared.draining.cancel();
        let shared = Arc::clone(&self.shared);
        self.shared.generations.spawn(async move { shared.feeds.close().await });
        self.shared.generations.close();
        let _ = timeout(grace, self.shared.generations.wait()).await;
        self.shared.ended.cancel();
    }

    /// The pool as it is.
    #[must_use]
    pub fn snapshot(&self) -> Snapshot {
        self.shared.pool().snapshot(self.shared.now())
    }
}

#[cfg(test)]
mod tests;
