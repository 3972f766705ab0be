//! One stream as the pool sees it.

use std::collections::BTreeSet;
use std::time::Duration;

use crate::key::StreamKey;
use crate::producer::{Producer, State};
use crate::time::Timestamp;
use crate::viewer::Account;

#[derive(Debug)]
pub(super) struct Stream {
    pub(super) key: StreamKey,
    pub(super) producer: Producer,
    /// The accounts whose credentials can release it.
    pub(super) accounts: BTreeSet<Account>,
    /// The target duration, known from the first segment on.
    pub(super) target: Option<Duration>,
    /// When it last had a present consumer.
    pub(super) watched_at: Timestamp,
    /// Bytes on the server's disk, without those of its input.
    pub(super) written: u64,
    /// Bytes in its window.
    pub(super) held: u64,
    /// Whether it takes one of the gateway's encoders.
    pub(super) encoded: bool,
    /// Whether its generations have given back everything they opened.
    pub(super) released: bool,
    /// The producer's state that those who wait for the stream know of.
    pub(super) published: State,
}

impl Stream {
    /// Whether the producer's state has changed since `publish`.
    pub(super) fn is_unpublished(&self) -> bool {
        self.published != self.producer.state()
    }

    /// The producer's state, for those who wait for the stream.
    pub(super) const fn publish(&mut self) -> State {
        self.published = self.producer.state();
        self.published
    }
}
