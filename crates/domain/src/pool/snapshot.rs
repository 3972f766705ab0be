//! What the pool looks like from outside: the one source for whoever shows or counts it.

use std::collections::BTreeMap;

use crate::cadence::Class;
use crate::cadence::laws::Rates;
use crate::consumer::{Consumer, Verdict};
use crate::inputs::Input;
use crate::key::{ConsumerId, InputId, ItemId, StreamId, UserId};
use crate::pool::expected::Expecter;
use crate::pool::foresight::Forethought;
use crate::pool::stream::Stream;
use crate::produce::ProductionMethod;
use crate::producer::State;
use crate::reason::{Failure, LeaveReason, OpeningRefusal, RefuseReason, ReturnReason, StopReason};
use crate::time::Timestamp;
use crate::tuners::{HostView, ProviderView, TunerLimit};
use crate::viewer::Viewer;

/// What has happened since the start.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// Generations started.
    pub starts: u64,
    /// Consumers believed gone who asked again.
    pub revived: u64,
    /// New consumers, by the warmth they met.
    pub tuned: BTreeMap<&'static str, u64>,
    /// Refused adoptions.
    pub refused: BTreeMap<RefuseReason, u64>,
    /// Refused openings.
    pub refused_openings: BTreeMap<OpeningRefusal, u64>,
    /// Streams given back.
    pub stopped: BTreeMap<StopReason, u64>,
    /// Streams whose encoder was stopped, and whose input was kept.
    pub rested: BTreeMap<StopReason, u64>,
    /// Generations that failed.
    pub failures: BTreeMap<Failure, u64>,
    /// What clients had opened, given back in their name.
    pub returned: BTreeMap<ReturnReason, u64>,
    /// Consumers that left.
    pub left: BTreeMap<LeaveReason, u64>,
    /// Channels that were started before anybody asked for them.
    pub ahead: StartsAhead,
    /// Channels that were closed so that a recording had their tuner.
    pub recordings_helped: u64,
}

/// The channels that were started before anybody asked for them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct StartsAhead {
    /// All of them.
    pub made: u64,
    /// Those to which a viewer came, or for which the operator asked, while they were open.
    pub hit: u64,
    /// Those that were closed before.
    pub in_vain: u64,
}

/// The pool at a moment.
#[derive(Clone, Debug)]
pub struct Snapshot {
    /// Every stream, those being given back included.
    pub streams: Vec<StreamView>,
    /// Every input that is not being closed.
    pub inputs: Vec<InputView>,
    /// The channels at which viewers are expected.
    pub warmed_up: Vec<WarmedUpView>,
    /// What was learned of each class: events per hour of viewing.
    pub habits: BTreeMap<Class, Rates>,
    /// What clients have opened and nothing has taken over yet.
    pub openings: usize,
    /// The server's tuners.
    pub tuners: TunersView,
    /// What has happened so far.
    pub tally: Tally,
}

/// The server's tuners at a moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TunersView {
    /// How many there are, and where that is known from; `None` if it is unknown, or differs by host.
    pub limit: Option<TunerLimit>,
    /// How many stay free of what nobody watches.
    pub reserve: u32,
    /// Channels that are open at the server, as far as the gateway knows.
    pub in_use: usize,
    /// Those of them that are open for nobody.
    pub idle: usize,
    /// Those of them that the gateway is giving back.
    pub closing: usize,
    /// Each tuner host of the server's, once it has told them. What may be on several counts on each.
    pub hosts: Vec<HostView>,
    /// The provider of each playlist in `lineup:`.
    pub providers: Vec<ProviderView>,
}

/// A stream at a moment.
#[derive(Clone, Debug)]
pub struct StreamView {
    /// Its name.
    pub id: StreamId,
    /// The channel's item.
    pub item: ItemId,
    /// Its profile, in canonical form.
    pub profile: String,
    /// What its producer is.
    pub method: ProductionMethod,
    /// Where its producer stands.
    pub state: State,
    /// Which generation runs.
    pub generation: u32,
    /// When it was started.
    pub begun: Timestamp,
    /// Since when nobody watches it; `None` if somebody does.
    pub idle_since: Option<Timestamp>,
    /// Whether the operator has it kept until its place is needed.
    pub is_pinned: bool,
    /// When it rests, or stops, if nobody comes.
    pub goes_at: Option<Timestamp>,
    /// Whether an encoder works for it.
    pub encodes: bool,
    /// Bytes its window holds.
    pub held: u64,
    /// Who watches, and who did.
    pub consumers: Vec<ConsumerView>,
}

/// An input at a moment.
#[derive(Clone, Debug)]
pub struct InputView {
    /// Its name.
    pub id: InputId,
    /// What is made from it.
    pub streams: Vec<StreamId>,
    /// The channels that are pulled from it, as far as their streams, or the input itself, say so.
    pub items: Vec<ItemId>,
    /// Whether it is being pulled, or is about to be.
    pub is_open: bool,
    /// Whether bytes have come.
    pub is_ready: bool,
    /// Whether a client reads it as it is.
    pub is_read: bool,
    /// Bytes of memory.
    pub held: u64,
    /// Bytes that the server has written on its disk for it.
    pub written: u64,
}

/// A channel that is warmed up, at a moment.
#[derive(Clone, Debug)]
pub struct WarmedUpView {
    /// Its item.
    pub item: ItemId,
    /// Who expects a viewer there.
    pub by: Expecter,
    /// Whether bytes of it have come.
    pub is_ready: bool,
    /// Until when it is kept at most, if no viewer comes.
    pub until: Option<Timestamp>,
    /// Why it was started, if nobody asked for it.
    pub why: Option<Forethought>,
}

/// A consumer at a moment.
#[derive(Clone, Debug)]
pub struct ConsumerView {
    /// Its token.
    pub id: ConsumerId,
    /// Who it is.
    pub viewer: Viewer,
    /// The id of its user, if the server has told it.
    pub user: Option<UserId>,
    /// When it tuned.
    pub tuned_at: Timestamp,
    /// How its player behaves.
    pub class: Class,
    /// Whether it is there, as of the last thing that the pool was told, and why.
    pub verdict: Verdict,
}

impl Snapshot {
    /// Consumers held to be present, over all streams.
    #[must_use]
    pub fn present(&self) -> usize {
        let consumers = self.streams.iter().flat_map(|stream| &stream.consumers);
        consumers.filter(|consumer| consumer.verdict.state.is_present()).count()
    }
}

impl StreamView {
    pub(super) fn of(
        id: StreamId,
        stream: &Stream,
        (idle_since, goes_at): (Option<Timestamp>, Option<Timestamp>),
    ) -> Self {
        Self {
            begun: stream.begun,
            idle_since,
            goes_at,
            is_pinned: stream.is_pinned,
            encodes: stream.encodes(),
            id,
            item: stream.key.channel.item.clone(),
            profile: stream.key.profile.to_string(),
            method: stream.producer.method(),
            state: stream.producer.state(),
            generation: stream.producer.generation(),
            held: stream.held,
            consumers: Vec::new(),
        }
    }
}

impl InputView {
    pub(super) fn of(id: InputId, input: &Input, items: Vec<ItemId>) -> Self {
        Self {
            id,
            streams: input.streams(),
            items,
            is_open: input.is_open(),
            is_ready: input.grew_at().is_some(),
            is_read: input.is_read(),
            held: input.held(),
            written: input.written(),
        }
    }
}

impl ConsumerView {
    pub(super) fn of(id: ConsumerId, consumer: &Consumer, user: Option<UserId>, now: Timestamp) -> Self {
        Self {
            id,
            viewer: consumer.viewer().clone(),
            user,
            tuned_at: consumer.tuned_at(),
            class: consumer.class(),
            verdict: consumer.verdict(now),
        }
    }
}
