//! The reasons for not warming a channel up.

use serde::{Deserialize, Serialize};

reasons! {
    /// Why a channel is not warmed up.
    WarmUpRefusal {
        /// The gateway is shutting down.
        Closing = "closing",
        /// It would take the last tuner, or one of the reserve.
        Tuners = "tuners",
        /// The provider has no connection left.
        Connections = "connections",
        /// As many channels are warmed up as streams may run.
        Slots = "slots",
        /// The server does not say which source the channel has.
        Unknown = "unknown",
        /// The gateway has no key of its own for the server.
        NoKey = "no-key",
        /// The server works on another opening, and would keep a viewer waiting.
        Busy = "busy",
        /// The server has not opened the channel quickly lately, and would keep a viewer waiting.
        Slow = "slow",
        /// Nobody tells how many tuners there are.
        NoLimit = "no-limit",
        /// The operator wants it never started ahead.
        Excluded = "excluded",
    }
}
