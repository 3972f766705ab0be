//! Defines the pool's interface: its limits, the requests and events that it takes, and the actions that it returns.

use std::collections::BTreeSet;
use std::time::Duration;

use crate::cadence::Class;
use crate::clients::TuneConditions;
use crate::inputs::{Change, ReaderId};
use crate::key::{
    AskingId, Channel, ConsumerId, DeviceId, InputId, ItemId, MediaSourceId, OpeningId, PlaySessionId,
    StreamId, StreamKey,
};
use crate::openings::{ClientOpening, Mention, MentionKind, PlaybackReport};
use crate::pool::expected::Expecter;
use crate::produce::{Produce, ProductionMethod};
use crate::reason::{
    CloseReason, Failure, RefuseReason, ReturnReason, StopReason, WarmUpRefusal, ZapOutcome,
};
use crate::signal::{Signal, Whose};
use crate::tuners::{self, Timer, TunerHost, TunerLimit};
use crate::value::Thrift;
use crate::viewer::{Account, PlayerKey, Viewer};

/// The limits that the pool keeps to.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// The most streams that run at once.
    pub slots: usize,
    /// How long an adopted stream without consumers is kept.
    pub idle_timeout: Duration,
    /// How long a stream goes on encoding without consumers, wherever it is made.
    pub warm_encode: Duration,
    /// How long a stream that the gateway makes itself keeps its input without consumers.
    pub warm_feed: Duration,
    /// The shortest silence after which a consumer may count as left.
    pub silence: Duration,
    /// The silence after which a consumer counts as left in any case.
    pub patience: Duration,
    /// How long a viewer may wait for a first segment.
    pub cold_timeout: Duration,
    /// What is left to a consumer that has said goodbye.
    pub goodbye: Duration,
    /// How long a client's opening may stay unused before it is given back.
    pub unfollowed: Duration,
    /// Refused starts in a row after which viewers get the server's own answer.
    pub failures: u32,
    /// Bytes on the server's disk that all idle streams and inputs together may occupy.
    pub disk_budget: u64,
    /// Bytes that all windows and inputs together may hold.
    pub memory: u64,
    /// Whether the gateway has a credential of its own, with which it can close streams.
    pub own_credential: bool,
    /// The server's tuners.
    pub tuners: tuners::Settings,
    /// How dear a channel is held to be that is warm for nobody; `None` if nothing is reckoned: then the one left longest ago goes first,
    /// and none is started before anybody asks.
    pub thrift: Option<Thrift>,
    /// Whether channels are started before anybody asks.
    pub starts_ahead: bool,
}

/// A viewer's request for a stream.
#[derive(Clone, Debug)]
pub struct Tune {
    /// The stream that is requested.
    pub key: StreamKey,
    /// The viewer who requests it.
    pub viewer: Viewer,
    /// The player that it is, by which its habits are known.
    pub player: PlayerKey,
    /// The class of its player, which predicts the rhythm of its requests.
    pub class: Class,
    /// The preference for how the stream is produced.
    pub produce: Produce,
    /// What applies to the viewer if it is new.
    pub conditions: TuneConditions,
    /// The token that the viewer gets if it is new: random, and never used before.
    pub fresh: ConsumerId,
}

/// A request for a segment.
#[derive(Clone, Copy, Debug)]
pub struct SegmentRequest<'a> {
    /// The media sequence number of the segment.
    pub sequence: u64,
    /// What the player says of itself.
    pub signals: &'a [Signal],
    /// What the use of its connection tells, if that is the player's own.
    pub connection: Option<Signal>,
}

/// The hints that a request for a playlist carries beside the stream's key.
#[derive(Clone, Copy, Debug)]
pub struct PlaylistHints<'a> {
    /// What the player says of itself.
    pub signals: &'a [Signal],
    /// What the use of its connection tells, if that is the player's own.
    pub connection: Option<Signal>,
    /// The opening that the request mentions.
    pub mention: &'a Mention,
}

/// The answer to a `Tune`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Admission {
    /// The viewer is served from this stream.
    Serve {
        /// The stream.
        stream: StreamId,
        /// The consumer's token.
        consumer: ConsumerId,
        /// How far the stream is.
        warmth: Warmth,
    },
    /// The request is forwarded to the server unchanged.
    Refused(RefuseReason),
}

/// How far a stream was when a viewer requested it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Warmth {
    /// It had segments already.
    Warm,
    /// Another viewer had started it, and it had no segment yet.
    Warming,
    /// This viewer started it.
    Cold,
}

impl Warmth {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Warm, Self::Warming, Self::Cold];

    /// The spelling in log lines, metrics and headers.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Warm => "warm",
            Self::Warming => "warming",
            Self::Cold => "cold",
        }
    }

    /// What a change of channel meets there.
    #[must_use]
    pub const fn outcome(self) -> ZapOutcome {
        match self {
            Self::Warm => ZapOutcome::Hit,
            Self::Warming => ZapOutcome::Joined,
            Self::Cold => ZapOutcome::Cold,
        }
    }
}

/// An event that the pool is told of.
#[derive(Clone, Debug)]
pub enum Event {
    /// A viewer's request was forwarded, and the server has answered it with a stream of its own.
    PassedOn(Viewer, Channel),
    /// A client is asking the server to open a channel.
    Opening {
        /// The channel's item, if the request names one.
        item: Option<ItemId>,
        /// The client's account, if the request carries a token.
        account: Option<Account>,
    },
    /// The server is asked to open a channel, with its item if that is known. [`Event::Answered`] is to follow.
    Asks(AskingId, Option<ItemId>),
    /// Nobody waits for the server's answer any more.
    AskedInVain(AskingId),
    /// The server has answered.
    Answered(AskingId),
    /// The server denies a device a tuner for this item: the device is about to leave whatever else it plays.
    Zapping(Account, DeviceId, ItemId),
    /// A client has opened a live stream at the server. The pool answers in the end with [`Action::GiveBack`] or
    /// [`Action::ForgetOpening`].
    Opened(OpeningId, ClientOpening),
    /// The gateway has opened a live stream again for a client that plays a stream of the gateway's, as with [`Event::Opened`].
    Reopened(OpeningId, ClientOpening),
    /// A request mentions openings of clients.
    Mentioned(Mention, MentionKind),
    /// The server has accepted a client's playback report, which mentions its opening.
    Reported(Mention, PlaybackReport),
    /// An account that may watch live TV has shown its credential for what it plays under this name.
    Vouched(Account, PlaySessionId),
    /// A WebSocket of an account, and of this device if it names one, has opened.
    SocketOpened(Account, Option<DeviceId>),
    /// Such a WebSocket has closed.
    SocketClosed(Account, Option<DeviceId>),
    /// The server has restarted and forgotten an opening.
    OpeningLost(OpeningId),
    /// The server has accepted a goodbye for an opening that is being given back.
    SaidGoodbye(OpeningId),
    /// An opening that was given back is closed, or has become a leftover.
    OpeningReturned(OpeningId),
    /// The gateway itself asks the server to open the channel of a stream or an input for it, or was refused. Of a stream the
    /// generation counts, of an input 0.
    OwnOpening(Open, u32, OwnOpening),
    /// A viewer has sent a signal other than a request for a playlist or a segment.
    Signal(Whose, Signal),
    /// This account's token is about to be revoked. The pool grants the account nothing until [`Event::LoggedOut`].
    LoggingOut(Account),
    /// The server has answered the revocation of this account's token.
    LoggedOut(Account),
    /// A generation has appended a segment to the stream's window.
    SegmentReady {
        /// The stream.
        stream: StreamId,
        /// The generation's number.
        generation: u32,
        /// The resources that the stream now uses.
        output: Output,
    },
    /// A generation has ended by itself, and is closing everything that it opened.
    Failed {
        /// The stream.
        stream: StreamId,
        /// The generation's number.
        generation: u32,
        /// Why it ended.
        failure: Failure,
    },
    /// A stopped stream has closed everything that it had opened.
    Retired(StreamId),
    /// The pull of an input has ended by itself.
    InputEnded(InputId, Failure),
    /// An input has closed everything that it had open.
    InputClosed(InputId),
    /// An input has received data.
    InputGrew {
        /// The input.
        input: InputId,
        /// Bytes of memory that the input holds.
        held: u64,
        /// Bytes pulled since it was opened.
        pulled: u64,
    },
    /// A client has stopped reading an input. It may come back.
    ReaderLeft(ReaderId),
    /// The server has refused to open a channel because it had no tuner left. The media source, if it is known, tells on which host.
    TunerDenied(Option<MediaSourceId>),
    /// The server has opened the channel after all, once an idle one had been closed for it.
    DenialProved,
    /// A client schedules a recording that begins at once, of this media source if it is known.
    RecordingBegins(Option<MediaSourceId>),
    /// The operator has changed the limits.
    LimitsChanged(Limits),
    /// The server has told its tuner hosts.
    TunerHosts(Vec<TunerHost>),
    /// The provider of the playlist at this place in `lineup:` tells how many connections it allows; `None` if it tells that no more.
    ProviderTold(usize, Option<TunerLimit>),
    /// The server has told its timers.
    Timers(Vec<Timer>),
    /// The server begins to send a live stream of its own to a player of this account, on this device if it names one.
    MediaBegins(Account, Option<DeviceId>),
    /// What such a player was sent has ended.
    MediaEnds(Account, Option<DeviceId>),
    /// The share of this machine's CPU time that was idle, as [`Action::MeasureCpu`] asked; `None` if the system does not tell.
    CpuMeasured(Option<f64>),
    /// A reader needs a connection of one of these playlists, and all of them are occupied.
    ConnectionNeeded(Vec<usize>),
    /// The channels in the order in which players step through them.
    ChannelOrder(Vec<ItemId>),
    /// A channel that [`Action::WarmUp`] named was not started.
    NotStarted(ItemId, WarmUpRefusal),
    /// The gateway is shutting down.
    Shutdown,
}

/// The resources that a stream uses after another segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Output {
    /// The target duration of the stream's lists, which is the longer one where there are two.
    pub target: Duration,
    /// The segment's duration.
    pub duration: Duration,
    /// Bytes that the server has written to its disk for the segment, without those of the input.
    pub written: u64,
    /// Bytes of memory that the window holds.
    pub held: u64,
    /// Whether the segment's video was encoded, by the gateway or by the server.
    pub encoded: bool,
}

/// An action for the driver of the supervisor, which alone performs actions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// Start a generation of a stream. Its end is reported with [`Event::Failed`] or, after `Stop`, with [`Event::Retired`].
    Start {
        /// The stream.
        stream: StreamId,
        /// The generation's number.
        generation: u32,
        /// The method of production.
        method: ProductionMethod,
    },
    /// End the current generation of a stream, and keep its input.
    Rest {
        /// The stream.
        stream: StreamId,
        /// Why its encoder is stopped.
        reason: StopReason,
    },
    /// End a stream and close everything that it opened, then report [`Event::Retired`].
    Stop {
        /// The stream.
        stream: StreamId,
        /// Why it is stopped.
        reason: StopReason,
    },
    /// Open an input, once the input that it replaces is closed. Its data are reported with [`Event::InputGrew`], its end with
    /// [`Event::InputEnded`].
    OpenInput {
        /// The input.
        input: InputId,
        /// The input with the same origin that is being closed.
        replaces: Option<InputId>,
    },
    /// Close an input, then report [`Event::InputClosed`].
    CloseInput {
        /// The input.
        input: InputId,
        /// Why it is closed.
        reason: CloseReason,
    },
    /// Give back a client's opening on the client's behalf.
    GiveBack {
        /// The opening.
        opening: OpeningId,
        /// Why it is given back.
        reason: ReturnReason,
    },
    /// Record in the ledger that the client's Stop may have closed its opening, for a later process of the gateway.
    MarkUncertain(OpeningId),
    /// Forget a client's opening, which the client or the server closes.
    ForgetOpening(OpeningId),
    /// Forget a client's opening, which the server closes by itself or has closed: its client has none any more.
    LeaveToServer(OpeningId),
    /// Forget a stream, which has closed everything that it had opened.
    Forget(StreamId),
    /// Forget an input, which is closed.
    ForgetInput(InputId),
    /// Warm a channel up with [`Pool::warm_up`](super::Pool::warm_up), or report [`Event::NotStarted`].
    WarmUp(ItemId, Expecter),
    /// Measure how much of the CPU time is idle, then report [`Event::CpuMeasured`].
    MeasureCpu,
    /// Drop the segments that no playlist of the stream lists any more, because memory is short.
    TrimWindow(StreamId),
}

/// Something that is open at the server or at the provider.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Open {
    /// A stream, with what its generations have opened.
    Stream(StreamId),
    /// An input.
    Input(InputId),
    /// What a client opened, and is closed in its name.
    ClientOpening(OpeningId),
    /// What the server is opening for a client.
    Asking(AskingId),
}

/// How far an opening of the gateway's own has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OwnOpening {
    /// The server is asked: it may have opened the channel.
    Asked,
    /// The server has opened the channel.
    Granted,
    /// The server has refused: it has opened nothing.
    Refused,
}

/// What is being closed.
pub type Closing = BTreeSet<Open>;

impl From<Change> for Action {
    fn from(change: Change) -> Self {
        match change {
            Change::Open { input, replaces } => Self::OpenInput { input, replaces },
            Change::Close { input, reason } => Self::CloseInput { input, reason },
        }
    }
}
