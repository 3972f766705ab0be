//! Why something was refused, stopped or passed by: one enum each, one spelling for log, metric and JSON.

/// Declares an enum whose every variant has one spelling, `as_str()`.
macro_rules! reasons {
    ($(#[$doc:meta])* $name:ident { $($(#[$variant_doc:meta])* $variant:ident = $spelling:literal,)+ }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum $name { $($(#[$variant_doc])* $variant,)+ }

        impl $name {
            /// Every variant, in order.
            pub const ALL: &[Self] = &[$(Self::$variant,)+];

            /// The one spelling of this reason.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $spelling,)+ }
            }
        }
    };
}

reasons! {
    /// Why the pool would not take a stream.
    RefuseReason {
        /// Every slot has a present consumer.
        PoolFull = "pool-full",
        /// Windows and inputs hold all the memory they may, and all of them are in use.
        MemoryFull = "memory-full",
        /// One account has as many consumers of one stream as anybody may have.
        Crowded = "crowded",
        /// This viewer was passed on before and plays the server's own stream: another in its place would break it.
        StaysPlain = "stays-plain",
        /// Its token is being logged out.
        LoggingOut = "logging-out",
        /// The server refuses this stream; viewers get its own answer.
        UpstreamFailing = "upstream-failing",
        /// The gateway is shutting down.
        Draining = "draining",
    }
}

reasons! {
    /// Why a stream is given back.
    StopReason {
        /// Nobody watched it for the idle timeout.
        Idle = "idle",
        /// Its slot is needed for another stream.
        Evicted = "evicted",
        /// The server had no tuner left for somebody else.
        TunerNeeded = "tuner-needed",
        /// What nobody uses has more than `upstream.disk_budget` on the server's disk.
        DiskBudget = "disk-budget",
        /// Windows and inputs together hold more than `pool.memory`.
        Memory = "memory",
        /// It kept failing, and nobody watches it.
        Failed = "failed",
        /// The only credential it could be released with is being logged out.
        LoggedOut = "logged-out",
        /// The gateway is shutting down.
        Shutdown = "shutdown",
    }
}

reasons! {
    /// How a generation of a stream, or an attempt to pull a feed, came to its end without being asked to.
    Failure {
        /// The server cannot be reached.
        Unreachable = "unreachable",
        /// The server answered the start with an error.
        Refused = "refused",
        /// The server's playlist has an end, or what should flow for ever ended cleanly.
        Ended = "ended",
        /// Nothing new for too long.
        Stalled = "stalled",
        /// Its provider allows no further connection, or this machine no further FFmpeg, or none yet.
        Busy = "busy",
        /// The server does not know it any more.
        Gone = "gone",
        /// A segment is larger than `window.segment`.
        Oversized = "oversized",
        /// What the server sent is not a playlist, or not a transport stream, that this gateway can follow.
        Unreadable = "unreadable",
        /// What its profile asks for is better left to the server.
        Unsuitable = "unsuitable",
        /// It did not keep up with its own input.
        Lagged = "lagged",
        /// What encodes it does not keep up with its source.
        TooSlow = "too-slow",
        /// What encodes it holds more than `ffmpeg.memory`.
        TooMuchMemory = "too-much-memory",
        /// What encodes it could not be started, or ended by itself with an error.
        Crashed = "crashed",
        /// A fault of ours ended it.
        Panicked = "panicked",
    }
}

reasons! {
    /// Why the gateway does not make a profile itself.
    Obstacle {
        /// The query says something that cannot be read; the server refuses it.
        UnreadableWish = "unreadable-wish",
        /// The source carries nothing that is known to be picture or sound.
        NothingToPlay = "nothing-to-play",
        /// The source does not say of itself what the decision rests on.
        UnknownSource = "unknown-source",
        /// The picture is scrambled, or every sound.
        Scrambled = "scrambled",
        /// It would have to be deinterlaced.
        Interlaced = "interlaced",
        /// Its high dynamic range would have to be mapped to the standard one.
        HighDynamicRange = "high-dynamic-range",
        /// Subtitles would have to be drawn into the picture.
        BurntInSubtitles = "burnt-in-subtitles",
        /// The server encodes in hardware, and this machine cannot.
        ServerHardware = "server-hardware",
        /// What can be decoded and encoded here is still being found out.
        NotTried = "not-tried",
        /// There is no decoder for what would have to be encoded anew.
        DecoderMissing = "decoder-missing",
        /// There is no encoder for what is wished for.
        EncoderMissing = "encoder-missing",
        /// As many FFmpegs run as may (`ffmpeg.processes`).
        ProcessesTaken = "processes-taken",
        /// As many pictures are being encoded as may (`ffmpeg.encodes`).
        EncodesTaken = "encodes-taken",
    }
}

impl Obstacle {
    /// How a stream fails that meets it.
    #[must_use]
    pub const fn failure(self) -> Failure {
        match self {
            Self::NotTried | Self::ProcessesTaken | Self::EncodesTaken => Failure::Busy,
            Self::UnreadableWish
            | Self::NothingToPlay
            | Self::UnknownSource
            | Self::Scrambled
            | Self::Interlaced
            | Self::HighDynamicRange
            | Self::BurntInSubtitles
            | Self::ServerHardware
            | Self::DecoderMissing
            | Self::EncoderMissing => Failure::Unsuitable,
        }
    }
}

reasons! {
    /// Why a consumer is held to have left.
    LeaveReason {
        /// Nothing heard for longer than its deadline.
        Silence = "silence",
        /// Its device opened another channel.
        Zapped = "zapped",
        /// It was passed on and plays the server's own stream.
        PassedOn = "passed-on",
        /// It said goodbye and did not ask again.
        Goodbye = "goodbye",
        /// Its token was logged out.
        LoggedOut = "logged-out",
    }
}

reasons! {
    /// Why what a client opened is given back in its name.
    ReturnReason {
        /// Nothing followed.
        Unfollowed = "unfollowed",
        /// Its client went away before it could hear of it.
        Abandoned = "abandoned",
        /// Nothing followed, and its device opened something else.
        Superseded = "superseded",
        /// Its viewer has left, and never told the server of it.
        Left = "left",
        /// Its client stopped before it had started; some versions keep such a consumer.
        Stopped = "stopped",
        /// Its token is being logged out.
        LoggedOut = "logged-out",
    }
}

reasons! {
    /// Why a playlist request that waits for a segment is refused.
    ReloadRefusal {
        /// It names no number.
        Malformed = "malformed",
        /// It names a part, and no segment.
        PartAlone = "part-alone",
        /// It names a segment that is not about to come.
        TooFarAhead = "too-far-ahead",
        /// The segment did not come in time.
        Late = "late",
        /// So many are held already, of this viewer or of all.
        Crowded = "crowded",
    }
}

reasons! {
    /// What a verdict on a viewer's presence rests on.
    Evidence {
        /// It asked for a playlist and has yet to ask for a segment.
        Asked = "asked",
        /// It asks for segments.
        Fetches = "fetches",
        /// A request of its is being answered.
        OpenRequest = "open-request",
        /// It said that it pauses.
        SaysPaused = "says-paused",
        /// It asks for playlists and for no segments.
        PlaylistsOnly = "playlists-only",
        /// It asks once a minute, as hidden tabs do.
        OnceAMinute = "once-a-minute",
        /// It asks for the same segment again and again.
        SameSegment = "same-segment",
        /// It said that its buffer ran dry.
        SaysStarved = "says-starved",
        /// Nothing was heard for longer than its rhythm explains.
        Silence = "silence",
        /// Its WebSocket closed.
        SocketClosed = "socket-closed",
        /// It closed all its connections.
        ConnectionClosed = "connection-closed",
        /// It gave up a request before it was answered.
        Aborted = "aborted",
        /// It reported that it stopped.
        Stopped = "stopped",
        /// It deleted its encodings.
        EncodingsDeleted = "encodings-deleted",
        /// It closed its live stream.
        LiveStreamClosed = "live-stream-closed",
        /// It said that it is leaving.
        Quits = "quits",
        /// Its device asked for something else.
        TunedAway = "tuned-away",
        /// It plays the server's own stream.
        PassedOn = "passed-on",
        /// Its token was logged out.
        LoggedOut = "logged-out",
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
        spellings(RefuseReason::ALL.iter().map(|reason| reason.as_str()).collect());
        spellings(StopReason::ALL.iter().map(|reason| reason.as_str()).collect());
        spellings(Failure::ALL.iter().map(|reason| reason.as_str()).collect());
        spellings(Obstacle::ALL.iter().map(|obstacle| obstacle.as_str()).collect());
        spellings(LeaveReason::ALL.iter().map(|reason| reason.as_str()).collect());
        spellings(ReturnReason::ALL.iter().map(|reason| reason.as_str()).collect());
        spellings(ReloadRefusal::ALL.iter().map(|reason| reason.as_str()).collect());
        spellings(Evidence::ALL.iter().map(|evidence| evidence.as_str()).collect());
    }
}
