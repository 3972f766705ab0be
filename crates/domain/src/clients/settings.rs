//! What applies to a client: what a rule sets for it, and what it wishes itself.
//!
//! It does not know who may set or wish what, nor how either is spelled in a file or a header.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::produce::Produce;
use crate::profile::ProfileChoice;
use crate::reason::RefuseReason;
use crate::window::{ListingChoice, StartChoice};

/// The settings of a client. What is left out is as the rest of the configuration says.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ClientSettings {
    /// The most streams that the client's user may watch at once: each device that plays is one.
    pub streams: Option<u32>,
    /// The most bits per second that the client may ask for.
    pub max_bitrate: Option<u64>,
    /// What stands in place of the encoding that it asks for.
    pub profile: Option<ProfileChoice>,
    /// How its lists are made.
    pub cut: Option<ListingChoice>,
    /// Where its lists begin.
    pub start: Option<StartChoice>,
    /// How long its lists are at most; three target durations if that is more.
    pub window: Option<Duration>,
    /// How its streams are produced.
    pub produce: Option<Produce>,
    /// Whether it is served from streams that run, from others, or from none.
    pub mode: Option<Mode>,
    /// How long a stream that it watched is kept without viewers.
    pub linger: Option<Duration>,
    /// How long a stream that it watched stands its ground when something is short.
    pub priority: Option<Priority>,
}

impl ClientSettings {
    /// These settings of a rule, with the wishes of the client's request. A wish takes precedence, but for limits: of two bitrates the
    /// lower one holds.
    #[must_use]
    pub fn with(self, wishes: Self) -> Self {
        Self {
            streams: self.streams,
            max_bitrate: self.max_bitrate.into_iter().chain(wishes.max_bitrate).min(),
            profile: wishes.profile.or(self.profile),
            cut: wishes.cut.or(self.cut),
            start: wishes.start.or(self.start),
            window: wishes.window.or(self.window),
            produce: wishes.produce.or(self.produce),
            mode: wishes.mode.or(self.mode),
            linger: wishes.linger.or(self.linger),
            priority: wishes.priority.or(self.priority),
        }
    }

    /// What stands in place of the encoding that the client asks for. A source is not copied where there is a limit of bitrate, which it
    /// may exceed.
    #[must_use]
    pub fn profile(&self) -> Option<ProfileChoice> {
        self.profile.filter(|profile| match profile {
            ProfileChoice::AsIs => self.max_bitrate.is_none(),
            ProfileChoice::Compatible => true,
        })
    }

    /// What of them the pool goes by. `max_age` is the greatest age of the list that the client takes.
    #[must_use]
    pub fn conditions(&self, max_age: Option<Duration>) -> TuneConditions {
        let Self { mode, linger, priority, .. } = *self;
        TuneConditions { mode: mode.unwrap_or_default(), max_age, linger, priority }
    }
}

/// Which streams a client is served from when it tunes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Mode {
    /// From one that runs, or else from one that is started.
    #[default]
    Auto,
    /// From none: the server answers.
    Bypass,
    /// From one that has segments already. Nothing is started for the client.
    WarmOnly,
    /// From none that has segments already, in whose place the server answers.
    Fresh,
}

impl Mode {
    /// Every mode.
    pub const ALL: [Self; 4] = [Self::Auto, Self::Bypass, Self::WarmOnly, Self::Fresh];

    /// The one spelling.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Auto => "auto",
            Self::Bypass => "bypass",
            Self::WarmOnly => "warm-only",
            Self::Fresh => "fresh",
        }
    }

    /// Whether the channel that the client opens may be pulled before it asks for its stream.
    #[must_use]
    pub const fn may_prefetch(self) -> bool {
        match self {
            Self::Auto | Self::Fresh => true,
            Self::Bypass | Self::WarmOnly => false,
        }
    }
}

/// How soon a stream without viewers gives way when slots, tuners, memory or CPU time are short. The least goes first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Priority(u8);

impl Priority {
    /// The highest urgency by number, and so the least important.
    const LAST: u8 = 7;
    /// The urgency of who has none (RFC 9218, 4.1).
    const USUAL: u8 = 3;

    /// The priority of an urgency from 0 to 7, of which 0 is the most important (RFC 9218, 4.1); `None` for other numbers.
    #[must_use]
    pub fn of_urgency(urgency: u8) -> Option<Self> {
        Self::LAST.checked_sub(urgency).map(Self)
    }

    /// The urgency, from 0 to 7.
    #[must_use]
    pub const fn urgency(self) -> u8 {
        Self::LAST - self.0
    }
}

impl Default for Priority {
    fn default() -> Self {
        Self(Self::LAST - Self::USUAL)
    }
}

/// What a viewer's tune has to meet, and what its stream keeps of it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TuneConditions {
    /// Which streams serve it.
    pub mode: Mode,
    /// How old the newest segment of a stream may be that serves it, in whole seconds.
    pub max_age: Option<Duration>,
    /// How long the stream is kept once nobody watches it.
    pub linger: Option<Duration>,
    /// How important the stream is then.
    pub priority: Option<Priority>,
}

impl TuneConditions {
    /// Why a viewer that does not watch yet is not served by the stream that would serve it. `age` is that of the stream's newest
    /// segment; `None` if it has none to offer, or no such stream is under way.
    #[must_use]
    pub fn refusal(&self, age: Option<Duration>) -> Option<RefuseReason> {
        let too_old = |age: Duration| self.max_age.is_some_and(|most| age.as_secs() > most.as_secs());
        match (self.mode, age) {
            (Mode::Bypass, _) => Some(RefuseReason::BypassWished),
            (Mode::WarmOnly, None) => Some(RefuseReason::NotWarm),
            (Mode::WarmOnly, Some(age)) => too_old(age).then_some(RefuseReason::NotWarm),
            (Mode::Fresh, Some(_)) => Some(RefuseReason::NotFresh),
            (Mode::Auto, Some(age)) => too_old(age).then_some(RefuseReason::NotFresh),
            (Mode::Auto | Mode::Fresh, None) => None,
        }
    }
}
