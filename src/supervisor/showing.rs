//! What is shown of all this to people and programs, and what the operator decides by hand.
//!
//! It does not know who looks.

use std::collections::BTreeMap;
use std::time::Duration;

use bytes::Bytes;

use crate::supervisor::Supervisor;
use crate::supervisor::names::Names;
use crate::supervisor::remembering::Remembering;
use crate::supervisor::zaps::Zaps;
use domain::key::{ConsumerId, ItemId, StreamId, UserId};
use domain::pool::Snapshot;
use domain::pool::foresight::Forethought;
use domain::time::Timestamp;
use domain::viewer::Account;

impl Supervisor {
    /// A snapshot of the pool, for which its lock is not held long at a time: viewers wait for that. A viewer that comes or goes meanwhile
    /// may be missing.
    #[must_use]
    pub fn snapshot(&self) -> Snapshot {
        Snapshot::in_parts(|| self.handle.pool(), || self.handle.now())
    }

    /// The last decisions about channels that nobody watches, the oldest first.
    #[must_use]
    pub fn decisions(&self) -> Vec<Forethought> {
        self.handle.pool().decisions().cloned().collect()
    }

    /// How long viewers wait when they change channel.
    #[must_use]
    pub const fn zaps(&self) -> &Zaps {
        &self.zaps
    }

    /// Whether a stream of this channel runs, or rests, in whatever profile, or the channel is warmed up.
    #[must_use]
    pub fn is_near(&self, item: &ItemId) -> bool {
        self.handle.pool().is_near(item)
    }

    /// The present, on the pool's clock, which `Snapshot` tells its moments by.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        self.handle.now()
    }

    /// How long the gateway has been running, with the processes from which this one has taken over.
    #[must_use]
    pub fn uptime(&self) -> Duration {
        self.handle.now().since(self.handle.first())
    }

    /// What is remembered of viewers and channels.
    #[must_use]
    pub const fn remembering(&self) -> &Remembering {
        &self.remembering
    }

    /// What a stream shows, as JPEG, a few seconds old; `None` if there is no such stream, and `Some(None)` if there is no picture of it.
    pub async fn picture(&self, stream: StreamId) -> Option<Option<Bytes>> {
        self.streams.get(stream)?;
        Some(self.pictures.of(stream).await)
    }

    /// The names of channels and users.
    #[must_use]
    pub const fn names(&self) -> &Names {
        &self.names
    }

    /// What stands before the server's own paths, as far as viewers have shown it.
    #[must_use]
    pub fn prefix(&self) -> String {
        self.tuners.prefix()
    }

    /// The most streams that run at once.
    #[must_use]
    pub fn slots(&self) -> usize {
        self.handle.pool().slots()
    }

    /// The memory that segments and inputs may take, in bytes.
    #[must_use]
    pub fn memory_limit(&self) -> u64 {
        self.handle.pool().memory_limit()
    }

    /// How many tuners the server has, if that is known.
    #[must_use]
    pub fn tuner_limit(&self) -> Option<u32> {
        self.handle.pool().tuners_view(self.handle.now()).limit.map(|limit| limit.count)
    }

    /// The users of these accounts, as far as the server has told them.
    #[must_use]
    pub fn users_of(&self, accounts: impl Iterator<Item = Account>) -> BTreeMap<Account, UserId> {
        let pool = self.handle.pool();
        accounts.filter_map(|account| Some((account, pool.user_of(account)?.clone()))).collect()
    }

    /// Stops a stream, whoever watches it. Returns whether it ran.
    #[must_use]
    pub fn stop_stream(&self, stream: StreamId) -> bool {
        self.handle.ask(|pool, _| pool.stop_stream(stream))
    }

    /// Keeps a stream without viewers until its place is needed, or no longer than others. Returns whether it runs.
    #[must_use]
    pub fn pin(&self, stream: StreamId, is_pinned: bool) -> bool {
        self.handle.ask(|pool, _| pool.pin(stream, is_pinned))
    }

    /// Sends a viewer away for a while. Returns whether it was there.
    #[must_use]
    pub fn send_away(&self, consumer: ConsumerId) -> bool {
        self.handle.ask(|pool, now| pool.send_away(consumer, now))
    }
}
