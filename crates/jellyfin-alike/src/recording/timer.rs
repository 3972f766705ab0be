//! A timer: what is to be recorded, and when (`TimerInfo.cs`).

use std::time::{Duration, SystemTime};

use crate::guid;

/// What is to be recorded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Timer {
    /// 32 hex digits.
    pub id: String,
    /// The number of the channel.
    pub channel: u32,
    /// The name of the programme.
    pub name: String,
    /// The beginning of the programme.
    pub start: SystemTime,
    /// Its end.
    pub end: SystemTime,
    /// How much earlier the recording begins.
    pub pre_padding: Duration,
    /// How much later it ends.
    pub post_padding: Duration,
}

impl Timer {
    /// A timer for a programme, without padding.
    #[must_use]
    pub fn new(channel: u32, start: SystemTime, end: SystemTime) -> Self {
        let name = format!("Programme of channel {channel}");
        let (pre_padding, post_padding) = (Duration::ZERO, Duration::ZERO);
        Self { id: guid::random(), channel, name, start, end, pre_padding, post_padding }
    }

    /// When its recording begins, unless something prevents it.
    pub(crate) fn due(&self) -> SystemTime {
        self.start - self.pre_padding
    }
}
