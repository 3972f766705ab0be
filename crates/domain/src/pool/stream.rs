//! Describes one stream: its producer, and the resources that it uses.

use std::collections::BTreeSet;
use std::time::Duration;

use crate::key::StreamKey;
use crate::pool::legacy::Legacy;
use crate::pool::pace::Pace;
use crate::produce::ProductionMethod;
use crate::producer::{Producer, State};
use crate::time::Timestamp;
use crate::viewer::{Account, Viewer};

#[derive(Debug)]
pub(super) struct Stream {
    pub(super) key: StreamKey,
    /// When it was started.
    pub(super) begun: Timestamp,
    pub(super) producer: Producer,
    /// The accounts whose credentials can close what the stream opened.
    pub(super) accounts: BTreeSet<Account>,
    /// The target duration; `None` before the first segment.
    pub(super) target: Option<Duration>,
    /// When its latest segment came.
    pub(super) grew_at: Option<Timestamp>,
    /// The viewers that had its list when it ended under them: they go on with another stream.
    pub(super) cut: BTreeSet<Viewer>,
    /// When the stream last had a present consumer.
    pub(super) watched_at: Timestamp,
    /// What its viewers since then want of it once they have left.
    pub(super) legacy: Legacy,
    /// Whether its last viewer has only fallen silent: it may come back, by the token that goes with the stream.
    pub(super) is_doubted: bool,
    /// Whether the operator has it kept until its place is needed.
    pub(super) is_pinned: bool,
    /// Bytes on the server's disk, without those of the input.
    pub(super) written: u64,
    /// Bytes of memory that the window holds.
    pub(super) held: u64,
    /// Whether the video of its latest segment was encoded.
    pub(super) encoded: bool,
    /// How the segments of its generation keep up with the clock; `None` before the first.
    pub(super) pace: Option<Pace>,
    /// Whether its generations have closed everything that they opened.
    pub(super) released: bool,
    /// The producer's state that was last published to waiting requests.
    pub(super) published: State,
}

impl Stream {
    /// Whether the server makes it.
    pub(super) fn is_adopted(&self) -> bool {
        self.producer.method() == ProductionMethod::Adopted
    }

    /// Whether its generation delivers segments.
    pub(super) fn is_live(&self) -> bool {
        self.producer.state() == State::Live
    }

    /// Whether an encoder works for it at the moment.
    pub(super) fn encodes(&self) -> bool {
        self.encoded && self.is_live()
    }

    /// Whether the producer's state has changed since it was last published.
    pub(super) fn is_unpublished(&self) -> bool {
        self.published != self.producer.state()
    }

    /// Marks the producer's state as published, and returns it.
    pub(super) const fn publish(&mut self) -> State {
        self.published = self.producer.state();
        self.published
    }
}
