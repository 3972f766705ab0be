//! Runs the pool: passes requests and events to it, and performs its actions.
//!
//! [`Supervisor`] is the interface for the proxy, which parses requests and writes answers: the module knows nothing of HTTP.

mod accounts;
pub mod answering;
mod clock;
mod driver;
mod ended_answers;
mod ending;
pub mod explainer;
pub mod generation;
pub mod handed_over;
mod handle;
pub mod held;
pub mod inputs;
mod local;
pub mod names;
pub mod open_at_server;
mod pictures;
mod preview;
mod promises;
pub mod remembering;
pub mod sent_media;
mod serving;
mod settings;
mod showing;
pub mod stream;
mod streams;
pub mod tune_request;
pub mod tuners;
pub mod vital_tasks;
pub mod warm_up;
mod warm_ups;
pub mod zaps;

pub use crate::supervisor::handle::random;
pub use crate::supervisor::settings::Settings;

use std::sync::Arc;

use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::supervisor::driver::Driver;
use crate::supervisor::explainer::Explainer;
use crate::supervisor::generation::Generations;
use crate::supervisor::generation::own::workshop::Workshop;
use crate::supervisor::handed_over::News;
use crate::supervisor::handed_over::estate::{Estate, Inherited, InheritedOpenings};
use crate::supervisor::handed_over::late::LateNews;
use crate::supervisor::handle::Handle;
use crate::supervisor::held::caller::Callers;
use crate::supervisor::held::client_openings::ClientOpenings;
use crate::supervisor::held::opener::Opener;
use crate::supervisor::inputs::Inputs;
use crate::supervisor::inputs::prefetch::OpenedChannel;
use crate::supervisor::inputs::provider::Provider;
use crate::supervisor::names::Names;
use crate::supervisor::pictures::Pictures;
use crate::supervisor::remembering::{Moment, Remembering, since_1970};
use crate::supervisor::streams::Streams;
use crate::supervisor::tuners::Tuners;
use crate::supervisor::tuners::learned::LearnedLimits;
use crate::supervisor::vital_tasks::VitalTasks;
use crate::supervisor::warm_ups::WarmUps;
use crate::supervisor::zaps::Zaps;
use crate::upstream::jellyfin::{Jellyfin, Login};
use domain::key::{Channel, DeviceId, ItemId, LiveStreamId, PlaySessionId, StreamKey};
use domain::openings::{ClientOpening, Mention, MentionKind, PlaybackReport};
use domain::pool::{Event, Limits, Pool};
use domain::produce::Produce;
use domain::reason::OpeningRefusal;
use domain::signal::{Signal, Whose};
use domain::time::Timestamp;
use domain::viewer::{Account, Viewer};

/// The interface of the supervisor. Clones share everything.
#[derive(Clone, Debug)]
pub struct Supervisor {
    handle: Handle,
    streams: Arc<Streams>,
    inputs: Inputs,
    openings: Arc<ClientOpenings>,
    late: LateNews,
    callers: Callers,
    tuners: Arc<Tuners>,
    explainer: Explainer,
    zaps: Zaps,
    pictures: Pictures,
    names: Names,
    remembering: Remembering,
    warm_ups: WarmUps,
    driver: Arc<Driver>,
    tasks: TaskTracker,
    vital: VitalTasks,
    ended: CancellationToken,
}

impl Supervisor {
    /// Builds the supervisor, with the leftovers of the process before, or with what it has handed over. It opens and closes nothing
    /// before [`begin`](Self::begin).
    #[must_use]
    pub fn new(settings: Settings, jellyfin: Jellyfin, inherited: Option<Inherited>) -> Self {
        let Settings { limits, size, spool, feed, provider, connections, encoding, gateway_login, .. } =
            settings;
        let Settings { ledger, learned_limits, history, never_ahead, playlists, zap_objective, .. } =
            settings;
        let mut pool = Pool::new(limits, connections);
        let learned_limits = LearnedLimits::recalled(learned_limits, &mut pool);
        let streams = Arc::new(Streams::new(size, spool));
        // The clock begins at the calendar's, so that it reaches back to what is remembered.
        let since = Timestamp::after_start(since_1970());
        let (begin, first) = inherited.as_ref().map_or((since, since), Inherited::clock);
        pool.began_at(local::time_of_day(begin.elapsed()));
        let (history, past) = history.unzip();
        let begin_with = |past| remembering::begin_with(past, &mut pool, Moment::now(begin));
        let sources = past.map(begin_with).unwrap_or_default();
        let Estate { ledger, leftovers, openings: inherited } =
            Estate::new(ledger, inherited, &mut pool, &streams);
        let callers = Callers { jellyfin, gateway_login, ledger, leftovers };
        let (tasks, ended) = (TaskTracker::new(), CancellationToken::new());
        let vital = VitalTasks::new(ended.clone());

        let handle = Handle::new(pool, begin, first);
        vital.start("learned limits", learned_limits.run(handle.clone()));
        if let Some(told) = provider.as_ref().map(Provider::told) {
            vital.start("providers", tuners::providers_tell(handle.clone(), told));
        }
        let inputs = Inputs::new(handle.clone(), callers.clone(), (feed, size.join), provider, tasks.clone());
        let late = LateNews::default();
        let openings = ClientOpenings::new(
            handle.clone(),
            callers.clone(),
            Arc::clone(&streams),
            (tasks.clone(), late.clone()),
        );
        let openings = Arc::new(openings);
        match inherited {
            InheritedOpenings::Left(entries) => openings.inherit(entries),
            InheritedOpenings::HandedOver(book) => openings.go_on_with(book),
        }
        let ffmpeg = encoding.as_ref().map(|encoding| encoding.ffmpeg.clone());
        let Callers { jellyfin, gateway_login, .. } = callers.clone();
        let tuners = Tuners::new(handle.clone(), jellyfin.clone(), gateway_login.clone(), playlists);
        let tuners = Arc::new(tuners);
        let names = Names::new(jellyfin.clone(), Arc::clone(&tuners));
        let remembering = Remembering::new(history, handle.clone(), names.clone());
        let generations = Generations {
            handle: handle.clone(),
            callers: callers.clone(),
            inputs: inputs.clone(),
            workshop: Arc::new(Workshop::new(encoding, callers.clone(), (remembering.clone(), sources))),
            tasks: tasks.clone(),
        };
        let warm_ups = WarmUps {
            handle: handle.clone(),
            gateway_login: gateway_login.clone(),
            tuners: Arc::clone(&tuners),
            inputs: inputs.clone(),
            names: names.clone(),
            never_ahead: never_ahead.into(),
        };
        let driver = Arc::new(Driver {
            handle: handle.clone(),
            streams: Arc::clone(&streams),
            inputs: inputs.clone(),
            generations,
            openings: Arc::clone(&openings),
            warm_ups: warm_ups.clone(),
            remembering: remembering.clone(),
            tasks: tasks.clone(),
        });
        if gateway_login.is_some() {
            vital.start("channels", names.clone().tell_order(handle.clone()));
        }
        let explainer = Explainer::new(jellyfin, gateway_login);
        vital.start("tuners", Arc::clone(&tuners).run());
        let pictures = Pictures::new(Arc::clone(&streams), ffmpeg);
        let zaps = Zaps::new(handle.clone(), remembering.clone(), zap_objective);
        Self {
            handle,
            streams,
            inputs,
            openings,
            late,
            callers,
            tuners,
            explainer,
            zaps,
            pictures,
            names,
            remembering,
            warm_ups,
            driver,
            tasks,
            vital,
            ended,
        }
    }

    /// Starts the driver, and closes leftovers from now on.
    pub fn begin(&self) {
        self.vital.start(driver::NAME, Arc::clone(&self.driver).run());
        let Callers { jellyfin, gateway_login, leftovers, .. } = self.callers.clone();
        self.vital.start("leftovers", leftovers.run(jellyfin, gateway_login, self.tasks.clone()));
    }

    /// Tells the pool of a viewer's signal other than a request for a playlist or a segment.
    pub fn signal(&self, whose: Whose, signal: Signal) {
        self.handle.tell(Event::Signal(whose, signal));
    }

    /// Tells the pool that a viewer's request was forwarded, and that it plays a stream of the server's.
    pub fn passed_on(&self, viewer: Viewer, channel: Channel) {
        self.handle.tell(Event::PassedOn(viewer, channel));
    }

    /// Whether a viewer is present on a stream of this channel, and has shown its credential lately.
    #[must_use]
    pub fn is_playing(&self, viewer: &Viewer, channel: &Channel) -> bool {
        self.handle.pool().is_playing(viewer, channel, self.handle.now())
    }

    /// Keeps to other limits from now on.
    pub fn change_limits(&self, limits: Limits) {
        self.handle.tell(Event::LimitsChanged(limits));
    }

    /// The server's tuners.
    #[must_use]
    pub fn tuners(&self) -> &Tuners {
        &self.tuners
    }

    /// Who tells viewers why they were refused a channel.
    #[must_use]
    pub const fn explainer(&self) -> &Explainer {
        &self.explainer
    }

    /// Counts an opening that was refused.
    pub fn opening_refused(&self, reason: OpeningRefusal) {
        self.handle.pool().opening_refused(reason);
    }

    /// Tells the pool that a client is asking the server to open a channel; `None` where the request does not say.
    pub fn opening(&self, item: Option<ItemId>, account: Option<Account>) {
        self.handle.tell(Event::Opening { item, account });
    }

    /// Whether the gateway has a credential of its own.
    #[must_use]
    pub fn has_own_credential(&self) -> bool {
        self.callers.gateway_login.is_some()
    }

    /// Whether the gateway holds a consumer of this live stream.
    #[must_use]
    fn holds(&self, live_stream: &LiveStreamId) -> bool {
        self.inputs.holds(live_stream) || self.streams.holds(live_stream)
    }

    /// Whether the account has given this live stream back, and another party has it open: whatever the account closes is theirs.
    #[must_use]
    pub fn is_anothers(&self, account: Account, live_stream: &LiveStreamId) -> bool {
        let pool = self.handle.pool();
        let (has_returned, is_open) =
            (pool.has_returned(account, live_stream), pool.is_open_for_others(account, live_stream));
        drop(pool);
        has_returned && (is_open || self.holds(live_stream))
    }

    /// Whether a client has an opening that a request mentions.
    #[must_use]
    pub fn has_opening(&self, mention: &Mention) -> bool {
        self.handle.pool().has_opening(mention)
    }

    /// Opens the input of a channel that a viewer has opened and will request a stream of.
    pub fn prefetch(&self, opened: OpenedChannel) {
        self.inputs.prefetch(opened);
    }

    /// Records a live stream that a client has opened at the server.
    pub fn opened(&self, opening: ClientOpening, opener: Opener) {
        let news = |(opening, opener)| News::Opened(opening, opener);
        self.late.pass((opening, opener), news, |(opening, opener)| self.openings.opened(opening, opener));
    }

    /// Tells the pool that a request mentions openings of clients.
    pub fn mentioned(&self, mention: Mention, kind: MentionKind) {
        self.handle.tell(Event::Mentioned(mention, kind));
    }

    /// Tells the pool that the server has accepted a playback report, which mentions its opening.
    pub fn reported(&self, mention: Mention, report: PlaybackReport) {
        self.handle.tell(Event::Reported(mention, report));
    }

    /// Whether an account has a consumer that plays under this name.
    #[must_use]
    pub fn plays_as(&self, account: Account, play_session: &PlaySessionId) -> bool {
        self.handle.pool().plays_as(account, play_session)
    }

    /// Tells the pool that an account that may watch live TV has shown its credential for what it plays under this name.
    pub fn vouched(&self, account: Account, play_session: PlaySessionId) {
        self.handle.tell(Event::Vouched(account, play_session));
    }

    /// Whether a stream is under way that may serve `key` in the wished way.
    #[must_use]
    pub fn runs(&self, key: &StreamKey, produce: Produce) -> bool {
        self.handle.pool().runs(key, produce)
    }

    /// Whether a stream of this channel has segments to offer.
    #[must_use]
    pub fn is_warm(&self, item: &ItemId) -> bool {
        self.handle.pool().is_warm(item)
    }

    /// Whether a client has openings that a request mentions, and has never reported to the server that it plays by them.
    #[must_use]
    pub fn is_unreported(&self, mention: &Mention) -> bool {
        self.handle.pool().is_unreported(mention)
    }

    /// Whether a `Stopped` of the account may be about what the server has no record of.
    #[must_use]
    pub fn may_lack_record(&self, account: Account) -> bool {
        self.handle.pool().may_lack_record(account)
    }

    /// Whether [`own_opening`](Self::own_opening) has to be called before a report of `account` is forwarded.
    #[must_use]
    pub fn needs_care(&self, account: Account) -> bool {
        self.openings.needs_care(account)
    }

    /// Makes sure that a client that reports about its playback has an opening of its own, which is made anew if the client `plays`.
    /// Returns whether the report may name the live stream.
    pub async fn own_opening(
        &self,
        mention: Mention,
        (login, device): (Login, Option<DeviceId>),
        plays: bool,
    ) -> bool {
        self.openings.own_opening(mention, (login, device), plays).await
    }

    /// Whether the gateway has closed the account's opening of this live stream on its behalf, and it has not opened it since.
    #[must_use]
    pub fn is_closed_for(&self, account: Account, live_stream: &LiveStreamId) -> bool {
        self.handle.pool().is_closed_for(account, live_stream)
    }

    /// A WebSocket of an account, and of this device if it names one, has opened.
    pub fn socket_opened(&self, account: Account, device: Option<DeviceId>) {
        let news = |(account, device)| News::SocketOpened(account, device);
        let here = |(account, device)| self.handle.tell(Event::SocketOpened(account, device));
        self.late.pass((account, device), news, here);
    }

    /// Such a WebSocket has closed.
    pub fn socket_closed(&self, account: Account, device: Option<DeviceId>) {
        let news = |(account, device)| News::SocketClosed(account, device);
        self.late.pass((account, device), news, |(account, device): (_, Option<DeviceId>)| {
            let whose = Whose::Device(account, device.clone());
            self.handle.tell(Event::Signal(whose, Signal::SocketClosed));
            self.handle.tell(Event::SocketClosed(account, device));
        });
    }

    /// Doubts all openings of clients, since the server could not be reached and may have restarted.
    pub fn server_lost(&self) {
        self.openings.doubt_all();
    }

    /// The channels' inputs, which clients may read as they are.
    #[must_use]
    pub const fn inputs(&self) -> &Inputs {
        &self.inputs
    }
}

#[cfg(test)]
mod tests;
