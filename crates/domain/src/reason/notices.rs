//! What somebody outside may want to be told of.

use serde::{Deserialize, Serialize};

reasons! {
    /// What has happened.
    NoticeKind {
        /// A change of channel took longer than the objective.
        ZapSlow = "zap-slow",
        /// A viewer was refused a channel, since no tuner was free.
        TunerShort = "tuner-short",
        /// A channel that nobody watched was closed, so that a recording had its tuner.
        RecordingHelped = "recording-helped",
        /// A channel that somebody watches has had no source for a while.
        SourceDead = "source-dead",
        /// The gateway has started.
        GatewayUp = "gateway-up",
        /// The gateway stops.
        GatewayDown = "gateway-down",
    }
}
