//! Lists the reasons for refusing, stopping and failing, one enum per question. Each reason has one spelling in logs,
//! metrics and JSON.

use serde::{Deserialize, Serialize};

/// Declares an enum whose variants have one spelling each, `as_str()`.
macro_rules! reasons {
    ($(#[$doc:meta])* $name:ident { $($(#[$variant_doc:meta])* $variant:ident = $spelling:literal,)+ }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        pub enum $name { $($(#[$variant_doc])* $variant,)+ }

        impl $name {
            /// All variants.
            pub const ALL: &[Self] = &[$(Self::$variant,)+];

            /// The spelling of this reason.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $spelling,)+ }
            }
        }
    };
}

mod notices;
mod requests;
mod warm_up;

pub use crate::reason::notices::NoticeKind;
pub use crate::reason::requests::RouteClass;
pub use crate::reason::warm_up::WarmUpRefusal;

reasons! {
    /// Why the pool refused to share a stream.
    RefuseReason {
        /// Every slot has a stream with a present consumer.
        PoolFull = "pool-full",
        /// Windows and inputs use all the memory allowed, and all of them are needed.
        MemoryFull = "memory-full",
        /// The user has as many consumers of this stream as are allowed.
        Crowded = "crowded",
        /// The viewer already plays the server's own stream, and ours in its place would break it.
        StaysPlain = "stays-plain",
        /// The token of the viewer is being logged out.
        LoggingOut = "logging-out",
        /// The server refuses this stream, so viewers get its own answer.
        UpstreamFailing = "upstream-failing",
        /// The gateway is shutting down.
        Draining = "draining",
        /// The viewer is to be answered by the server.
        BypassWished = "bypass-wished",
        /// The viewer takes only a stream that has segments, and none has, or none that is recent enough.
        NotWarm = "not-warm",
        /// The stream has older segments than the viewer takes.
        NotFresh = "not-fresh",
        /// The operator has sent the viewer away.
        SentAway = "sent-away",
    }
}

reasons! {
    /// Why a field of a request that states a wish is ignored.
    IgnoredWish {
        /// There is no such field.
        UnknownField = "unknown-field",
        /// It has no such value.
        UnknownValue = "unknown-value",
    }
}

reasons! {
    /// Why the gateway refused or ended a client's connection.
    ConnectionEnd {
        /// Few connections are free, and its address has its share of them.
        AddressShare = "address-share",
        /// Hardly any connection is free, none can make room, and its address has none open yet.
        Overload = "overload",
        /// It sent no whole request in time.
        NoRequest = "no-request",
        /// It had sent no whole request yet, or had been idle, when the limit of connections was near, and another needed its place.
        MadeRoom = "made-room",
        /// Its client has read nothing, or the server nothing of what it sends, for the longest time of all, and places or memory are short.
        Stalled = "stalled",
    }
}

reasons! {
    /// Why a client's opening of a channel is refused in words, by the gateway.
    OpeningRefusal {
        /// All tuners are known to be needed for other channels.
        TunersTaken = "tuners-taken",
        /// The user watches as many streams as a rule for the client allows.
        TooManyStreams = "too-many-streams",
        /// The client takes only a channel that is warm.
        NotWarm = "not-warm",
    }
}

reasons! {
    /// What a change of channel met.
    ZapOutcome {
        /// A stream that had segments.
        Hit = "hit",
        /// A stream that another viewer was waiting for.
        Joined = "joined",
        /// The channel's input, from which a stream had to be made.
        Near = "near",
        /// Nothing: the channel had to be opened.
        Cold = "cold",
        /// The server's own stream.
        Bypass = "bypass",
        /// No free tuner.
        Conflict = "conflict",
        /// An error.
        Failed = "failed",
        /// Nothing, since its viewer turned away first, or asked for nothing more.
        Abandoned = "abandoned",
    }
}

impl ZapOutcome {
    /// Whether its viewer comes to a picture, so that there is a wait.
    #[must_use]
    pub const fn has_picture(self) -> bool {
        match self {
            Self::Hit | Self::Joined | Self::Near | Self::Cold | Self::Bypass => true,
            Self::Conflict | Self::Failed | Self::Abandoned => false,
        }
    }
}

reasons! {
    /// Why a stream, or its encoding, was stopped.
    StopReason {
        /// It had no consumer for the idle timeout.
        Idle = "idle",
        /// Another stream needed its slot.
        Evicted = "evicted",
        /// It makes room for a channel that is more likely to be wanted.
        Outbid = "outbid",
        /// Somebody else needed a tuner, and the server had none left.
        TunerNeeded = "tuner-needed",
        /// The server is to record another channel.
        Recording = "recording",
        /// One tuner more has to stay free (`tuners.reserve`).
        Reserve = "reserve",
        /// More channels were open than there are tuners, as far as is known.
        TunerLimit = "tuner-limit",
        /// Unused streams took more than `upstream.disk_budget` of the server's disk.
        DiskBudget = "disk-budget",
        /// Windows and inputs took more than `pool.memory`.
        Memory = "memory",
        /// A stream that is watched fell behind the clock for want of CPU time.
        Pressure = "pressure",
        /// It kept failing, and has no consumer.
        Failed = "failed",
        /// The only credential that can release it is being logged out.
        LoggedOut = "logged-out",
        /// The gateway is shutting down.
        Shutdown = "shutdown",
        /// The operator stopped it.
        Operator = "operator",
    }
}

reasons! {
    /// Where the number of tuners is known from.
    LimitSource {
        /// The `TunerCount` of the server's tuner host.
        Server = "server",
        /// `tuners.limit` in the configuration.
        Configured = "configured",
        /// `tuners` of the playlist in `lineup:` that the tuner host has too.
        Lineup = "lineup",
        /// The `TunerCount` in the `discover.json` of the HDHomeRun that a playlist in `lineup:` is of.
        Device = "discover",
        /// The `max_connections` of the account at the Xtream panel that a playlist in `lineup:` is of.
        Account = "account",
        /// What opening channels did, where nobody says it.
        Learned = "learned",
    }
}

reasons! {
    /// Why an input is closed.
    CloseReason {
        /// Its last member has left.
        Unneeded = "unneeded",
        /// Its pull had ended, and another input takes its place.
        Replaced = "replaced",
        /// Viewers who opened other channels later are expected more.
        Superseded = "superseded",
        /// The server had no tuner left, or the provider no connection, for somebody else.
        TunerNeeded = "tuner-needed",
        /// The server is to record another channel.
        Recording = "recording",
        /// One tuner more has to stay free (`tuners.reserve`).
        Reserve = "reserve",
        /// More channels were open than there are tuners, as far as is known.
        TunerLimit = "tuner-limit",
        /// Inputs and streams that nobody uses have more than `upstream.disk_budget` on the server's disk.
        DiskBudget = "disk-budget",
        /// Windows and inputs together hold more than `pool.memory`.
        Memory = "memory",
        /// The only credential it could be released with is being logged out.
        LoggedOut = "logged-out",
        /// Another process of the gateway takes this one's place, and pulls it itself.
        HandedOver = "handed-over",
        /// The gateway is shutting down.
        Shutdown = "shutdown",
    }
}

reasons! {
    /// Why a generation of a stream, or an attempt to pull a feed, ended by itself.
    Failure {
        /// The server could not be reached.
        Unreachable = "unreachable",
        /// The server answered the start with an error.
        Refused = "refused",
        /// The server's playlist ended, or a connection that should last was closed.
        Ended = "ended",
        /// Nothing new came for too long.
        Stalled = "stalled",
        /// No connection to the provider, or no FFmpeg, is free at the moment.
        Busy = "busy",
        /// The server no longer knows it.
        Gone = "gone",
        /// A segment is larger than `window.segment`.
        Oversized = "oversized",
        /// A segment is longer than the stream's target duration allows.
        Overlong = "overlong",
        /// The server sent something that is no playlist or transport stream this gateway can follow.
        Unreadable = "unreadable",
        /// The profile is better left to the server.
        Unsuitable = "unsuitable",
        /// A reader did not keep up with its feed.
        Lagged = "lagged",
        /// The encoder does not keep up with its source.
        TooSlow = "too-slow",
        /// The encoder uses more than `ffmpeg.memory`.
        TooMuchMemory = "too-much-memory",
        /// The encoder could not be started, or failed.
        Crashed = "crashed",
        /// A bug in the gateway ended it.
        Panicked = "panicked",
    }
}

reasons! {
    /// Why the gateway leaves a profile to the server.
    Obstacle {
        /// The query has a value that cannot be read, and that the server refuses.
        UnreadableWish = "unreadable-wish",
        /// The source has no stream that is known to be audio or video.
        NothingToPlay = "nothing-to-play",
        /// The source does not tell what the decision depends on.
        UnknownSource = "unknown-source",
        /// The video is scrambled, or all audio is.
        Scrambled = "scrambled",
        /// The video's high dynamic range would have to be mapped to the standard one.
        HighDynamicRange = "high-dynamic-range",
        /// Subtitles would have to be drawn into the video.
        BurntInSubtitles = "burnt-in-subtitles",
        /// The server encodes in hardware, and this machine cannot.
        ServerHardware = "server-hardware",
        /// The codecs of this machine are still being tried.
        NotTried = "not-tried",
        /// FFmpeg has no decoder for a stream that would have to be encoded.
        DecoderMissing = "decoder-missing",
        /// FFmpeg has no encoder for the codecs asked for.
        EncoderMissing = "encoder-missing",
        /// As many FFmpegs run as allowed (`ffmpeg.processes`).
        ProcessesTaken = "processes-taken",
        /// As many videos are being encoded as allowed (`ffmpeg.encodes`).
        EncodesTaken = "encodes-taken",
    }
}

impl Obstacle {
    /// The failure of a stream that meets this obstacle.
    #[must_use]
    pub const fn failure(self) -> Failure {
        match self {
            Self::NotTried | Self::ProcessesTaken | Self::EncodesTaken => Failure::Busy,
            Self::UnreadableWish
            | Self::NothingToPlay
            | Self::UnknownSource
            | Self::Scrambled
            | Self::HighDynamicRange
            | Self::BurntInSubtitles
            | Self::ServerHardware
            | Self::DecoderMissing
            | Self::EncoderMissing => Failure::Unsuitable,
        }
    }
}

reasons! {
    /// Why a consumer was counted as gone.
    LeaveReason {
        /// Nothing was heard of it until its deadline.
        Silence = "silence",
        /// Its device opened another channel.
        Zapped = "zapped",
        /// Its request was passed on, and it plays the server's own stream.
        PassedOn = "passed-on",
        /// It said goodbye and did not come back.
        Goodbye = "goodbye",
        /// Its token was logged out.
        LoggedOut = "logged-out",
        /// The operator sent it away.
        SentAway = "sent-away",
    }
}

reasons! {
    /// Why the gateway gave back an opening in its client's name.
    ReturnReason {
        /// No request for the stream followed.
        Unfollowed = "unfollowed",
        /// The client went away before it had the answer.
        Abandoned = "abandoned",
        /// No request for the stream followed, and the device opened something else.
        Superseded = "superseded",
        /// Its viewer has left, and the server never learned of the playback.
        Left = "left",
        /// Its viewer has left without a word, and the server believes that it still plays.
        Silent = "silent",
        /// Its viewer played the server's own stream and has left without a word; some versions keep such an opening.
        PassedOn = "passed-on",
        /// The client stopped before it started playing; some versions keep such an opening.
        Stopped = "stopped",
        /// The token of the client is being logged out.
        LoggedOut = "logged-out",
    }
}

reasons! {
    /// Why a playlist request that waits for a segment was refused (RFC 8216bis, section 6.2.5.2).
    ReloadRefusal {
        /// `_HLS_msn` is not a number.
        Malformed = "malformed",
        /// `_HLS_part` comes without `_HLS_msn`.
        PartAlone = "part-alone",
        /// The segment will not come soon.
        TooFarAhead = "too-far-ahead",
    }
}

reasons! {
    /// The evidence for a consumer's presence.
    Evidence {
        /// It asked for a playlist, and not for a segment yet.
        Asked = "asked",
        /// It asks for segments.
        Fetches = "fetches",
        /// One of its requests is being answered.
        OpenRequest = "open-request",
        /// It reported a pause.
        SaysPaused = "says-paused",
        /// It asks for playlists, and not for segments.
        PlaylistsOnly = "playlists-only",
        /// It asks once a minute, as hidden tabs do.
        OnceAMinute = "once-a-minute",
        /// It asks for the same segment again and again.
        SameSegment = "same-segment",
        /// It reported that its buffer ran empty.
        SaysStarved = "says-starved",
        /// It has been silent for longer than its rhythm explains.
        Silence = "silence",
        /// Its WebSocket closed.
        SocketClosed = "socket-closed",
        /// It closed all its connections.
        ConnectionClosed = "connection-closed",
        /// It aborted a request before the answer was complete.
        Aborted = "aborted",
        /// It reported that it stopped.
        Stopped = "stopped",
        /// It deleted its encodings.
        EncodingsDeleted = "encodings-deleted",
        /// It closed its live stream.
        LiveStreamClosed = "live-stream-closed",
        /// It reported that it is leaving.
        Quits = "quits",
        /// Its device asked for another channel.
        TunedAway = "tuned-away",
        /// It plays the server's own stream.
        PassedOn = "passed-on",
        /// Its token was logged out.
        LoggedOut = "logged-out",
        /// The operator sent it away.
        SentAway = "sent-away",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_spelling_is_used_twice_within_a_kind() {
        let spellings = |all: Vec<&'static str>| {
            let count = all.len();
            let unique: std::collections::BTreeSet<_> = all.into_iter().collect();
            assert_eq!(unique.len(), count);
        };
        spellings(NoticeKind::ALL.iter().map(|kind| kind.as_str()).collect());
        spellings(RouteClass::ALL.iter().map(|class| class.as_str()).collect());
        spellings(WarmUpRefusal::ALL.iter().map(|reason| reason.as_str()).collect());
        spellings(RefuseReason::ALL.iter().map(|reason| reason.as_str()).collect());
        spellings(IgnoredWish::ALL.iter().map(|reason| reason.as_str()).collect());
        spellings(OpeningRefusal::ALL.iter().map(|reason| reason.as_str()).collect());
        spellings(StopReason::ALL.iter().map(|reason| reason.as_str()).collect());
        spellings(LimitSource::ALL.iter().map(|source| source.as_str()).collect());
        spellings(CloseReason::ALL.iter().map(|reason| reason.as_str()).collect());
        spellings(Failure::ALL.iter().map(|reason| reason.as_str()).collect());
        spellings(Obstacle::ALL.iter().map(|obstacle| obstacle.as_str()).collect());
        spellings(LeaveReason::ALL.iter().map(|reason| reason.as_str()).collect());
        spellings(ReturnReason::ALL.iter().map(|reason| reason.as_str()).collect());
        spellings(ReloadRefusal::ALL.iter().map(|reason| reason.as_str()).collect());
        spellings(Evidence::ALL.iter().map(|evidence| evidence.as_str()).collect());
    }
}
