//! What one change of channel consisted of.

use std::time::Duration;

use crate::key::{DeviceId, ItemId};
use crate::reason::ZapOutcome;
use crate::time::Timestamp;
use crate::viewer::Account;

/// Who zaps to what.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Zapper {
    /// The account.
    pub account: Account,
    /// The device, if the client names one.
    pub device: Option<DeviceId>,
    /// The channel.
    pub item: ItemId,
}

/// A change of channel.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Zap {
    /// Who zapped to what.
    pub zapper: Zapper,
    /// When it began.
    pub begun: Timestamp,
    /// When the server had answered the opening.
    pub opened: Option<Timestamp>,
    /// When the first playlist was asked for that was answered.
    pub list_asked: Option<Timestamp>,
    /// When it was answered.
    pub listed: Option<Timestamp>,
    /// When the first segment was asked for.
    pub segment_asked: Option<Timestamp>,
    /// When it had been sent.
    pub segment_sent: Option<Timestamp>,
    /// When the playlist was asked for again after that.
    pub listed_again: Option<Timestamp>,
    /// Whether a stream of the channel ran when it was opened.
    pub is_near: bool,
    /// What it met.
    pub outcome: ZapOutcome,
    /// The reason of the outcome in one word, as `Cache-Status` or the refusal spells it; empty where the outcome says it all.
    pub reason: &'static str,
}

impl Zap {
    pub(super) fn new(zapper: Zapper, begun: Timestamp) -> Self {
        Self {
            zapper,
            begun,
            opened: None,
            list_asked: None,
            listed: None,
            segment_asked: None,
            segment_sent: None,
            listed_again: None,
            is_near: false,
            outcome: ZapOutcome::Abandoned,
            reason: "",
        }
    }

    /// How long its viewer waited for what the gateway, and the server behind it, had to do: until the first segment had been sent, or
    /// until the server's own playlist was passed on. `None` where nothing came.
    #[must_use]
    pub fn waited(&self) -> Option<Duration> {
        let end = match self.outcome {
            ZapOutcome::Hit | ZapOutcome::Joined | ZapOutcome::Near | ZapOutcome::Cold => self.segment_sent?,
            ZapOutcome::Bypass => self.listed?,
            ZapOutcome::Conflict | ZapOutcome::Failed | ZapOutcome::Abandoned => return None,
        };
        Some(end.since(self.begun))
    }
}
