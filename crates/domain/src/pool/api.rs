//! The words that pass between the pool and whoever drives it: what it may use, what happens, what is to be done.

use std::collections::BTreeSet;
use std::time::Duration;

use crate::cadence::Class;
use crate::inputs::{Change, ReaderId};
use crate::key::{Channel, ConsumerId, InputId, ItemId, OpeningId, StreamId, StreamKey};
use crate::openings::{ClientOpening, Mention, MentionKind, PlaybackReport};
use crate::produce::{Produce, ProductionMethod};
use crate::reason::{CloseReason, Failure, RefuseReason, ReturnReason, StopReason};
use crate::signal::{Signal, Whose};
use crate::viewer::{Account, Viewer};

/// What the pool may use.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Streams at once.
    pub slots: usize,
    /// How long an adopted stream without consumers is kept.
    pub idle_timeout: Duration,
    /// How long a stream of the gateway's own goes on encoding without consumers.
    pub warm_encode: Duration,
    /// How long it keeps its input without consumers.
    pub warm_feed: Duration,
    /// The least silence that means a consumer has left.
    pub silence: Duration,
    /// The most silence that does not.
    pub patience: Duration,
    /// How long a viewer may wait for a first segment.
    pub cold_timeout: Duration,
    /// What is left to a consumer that has said goodbye.
    pub goodbye: Duration,
    /// How long what a client opened may go unfollowed.
    pub unfollowed: Duration,
    /// Refused starts in a row after which viewers get the server's own answer.
    pub failures: u32,
    /// Bytes that what nobody uses may have on the server's disk, all together.
    pub disk_budget: u64,
    /// Bytes that all windows and inputs together may hold.
    pub memory: u64,
    /// Whether streams can be released without any client's credential.
    pub own_credential: bool,
}

/// A viewer asks for a stream.
#[derive(Clone, Debug)]
pub struct Tune {
    /// What it asks for.
    pub key: StreamKey,
    /// Who asks.
    pub viewer: Viewer,
    /// How its player can be expected to behave.
    pub class: Class,
    /// How the stream may come about.
    pub produce: Produce,
    /// The token it gets, should it be new: drawn by chance, never used before.
    pub fresh: ConsumerId,
}

/// A request for a segment.
#[derive(Clone, Copy, Debug)]
pub struct SegmentRequest<'a> {
    /// The number of the segment.
    pub sequence: u64,
    /// What the player says of itself.
    pub signals: &'a [Signal],
    /// What the use of its connection tells, if that is the player's own.
    pub connection: Option<Signal>,
}

/// What a request for a playlist says besides what it asks for.
#[derive(Clone, Copy, Debug)]
pub struct Said<'a> {
    /// What the player says of itself.
    pub signals: &'a [Signal],
    /// What the use of its connection tells, if that is the player's own.
    pub connection: Option<Signal>,
    /// The opening that it plays.
    pub mention: &'a Mention,
}

/// The answer to a `Tune`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Admission {
    /// Serve it from this stream.
    Serve {
        /// The stream.
        stream: StreamId,
        /// The consumer's token.
        consumer: ConsumerId,
        /// What it will cost the viewer.
        warmth: Warmth,
    },
    /// Pass the request on as it came.
    Refused(RefuseReason),
}

/// How far a stream was when a viewer asked for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Warmth {
    /// It had segments.
    Warm,
    /// Somebody else had already started it.
    Warming,
    /// This viewer started it.
    Cold,
}

impl Warmth {
    /// The one spelling of it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Warm => "warm",
            Self::Warming => "warming",
            Self::Cold => "cold",
        }
    }
}

/// Something that happened.
#[derive(Clone, Debug)]
pub enum Event {
    /// A viewer was passed on and has been given the server's own stream.
    PassedOn(Viewer, Channel),
    /// A client asks the server to open a channel, as far as its request says which one and for whom.
    Opening {
        /// The channel's item.
        item: Option<ItemId>,
        /// The client's account.
        account: Option<Account>,
    },
    /// A client has opened a live stream at the server, and `GiveBack` or `ForgetOpening` is to follow.
    Opened(OpeningId, ClientOpening),
    /// A request mentions openings of clients.
    Mentioned(Mention, MentionKind),
    /// The server has accepted a report of an account about a live stream.
    Reported(Mention, PlaybackReport),
    /// An opening has ended with the server process that knew it.
    OpeningLost(OpeningId),
    /// An opening that was given back is closed, or has become a leftover.
    OpeningReturned(OpeningId),
    /// Something was heard of a viewer other than a request for a playlist or a segment.
    Signal(Whose, Signal),
    /// This account's token is about to be revoked; nothing is granted to it until that is done.
    LoggingOut(Account),
    /// The revocation has been answered.
    LoggedOut(Account),
    /// A segment of a generation is in the window.
    SegmentReady {
        /// Whose.
        stream: StreamId,
        /// Which.
        generation: u32,
        /// What came of it.
        output: Output,
    },
    /// A generation came to an end by itself; what it had opened is being closed.
    Failed {
        /// Whose.
        stream: StreamId,
        /// Which.
        generation: u32,
        /// How.
        failure: Failure,
    },
    /// What a stopped stream had opened is closed.
    Retired(StreamId),
    /// The pull of an input has ended by itself.
    InputEnded(InputId, Failure),
    /// Everything that an input had open is closed.
    InputClosed(InputId),
    /// An input has grown.
    InputGrew {
        /// The input.
        input: InputId,
        /// Bytes of memory that it holds.
        held: u64,
        /// Bytes pulled since it was opened.
        pulled: u64,
    },
    /// A client has stopped reading an input; it may come back.
    ReaderLeft(ReaderId),
    /// The server had no tuner left for somebody.
    TunerDenied,
    /// Somebody needs a connection of one of these playlists, and all of them are taken.
    ConnectionNeeded(Vec<usize>),
    /// The gateway is shutting down.
    Shutdown,
}

/// What a segment more means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Output {
    /// The stream's target duration.
    pub target: Duration,
    /// Bytes that the server has written on its disk for it, beside those of its input.
    pub written: u64,
    /// Bytes that the window holds.
    pub held: u64,
    /// Whether it takes an encoder of ours.
    pub encoded: bool,
}

/// Something to do. The supervisor is the only one to do it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// Start this generation of a stream; its end is to be told by `Failed` or, once stopped, by `Retired`.
    Start {
        /// Whose.
        stream: StreamId,
        /// Which.
        generation: u32,
        /// In which way.
        method: ProductionMethod,
    },
    /// End the generation of a stream that runs, but keep its input.
    Rest(StreamId),
    /// End a stream and close what it opened, then tell `Retired`.
    Stop {
        /// Which.
        stream: StreamId,
        /// Why.
        reason: StopReason,
    },
    /// Open an input, once the one that it replaces is closed. Its end is to be told by `InputEnded`, its growth by
    /// `InputGrew`.
    OpenInput {
        /// The input.
        input: InputId,
        /// The one that is being closed.
        replaces: Option<InputId>,
    },
    /// Close an input, then tell `InputClosed`.
    CloseInput {
        /// The input.
        input: InputId,
        /// Why.
        reason: CloseReason,
    },
    /// Give back in its client's name what it opened.
    GiveBack {
        /// What.
        opening: OpeningId,
        /// Why.
        reason: ReturnReason,
    },
    /// What a client opened may have been given back by its stop, should the gateway be asked in its next life.
    MarkUncertain(OpeningId),
    /// What a client opened will be given back by others, and can be forgotten.
    ForgetOpening(OpeningId),
    /// A stream is gone, with everything that it had opened.
    Forget(StreamId),
    /// An input is gone.
    ForgetInput(InputId),
    /// Let go of the segments of a stream that no list names any more: memory is short.
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
