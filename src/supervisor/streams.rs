//! Maps each of the pool's stream ids to the stream's window and credentials.
//!
//! The pool decides which streams exist. The module starts and ends none.

use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard};
use std::time::Duration;

use moka::sync::Cache;

use crate::spool::Spool;
use crate::supervisor::promises::KnownLengths;
use crate::supervisor::stream::handed_over::{Pieces, StreamParts};
use crate::supervisor::stream::{Stream, StreamSpec, WindowSize};
use crate::upstream::jellyfin::Login;
use domain::key::{LiveStreamId, StreamId};
use domain::producer::State;
use domain::viewer::Account;

/// The number of channels whose lengths are remembered.
const CHANNELS: u64 = 1000;
/// How long they are remembered after the channel's last stream began.
const REMEMBERED: Duration = Duration::from_secs(24 * 3600);

/// All streams that the pool knows.
#[derive(Debug)]
pub(super) struct Streams {
    size: WindowSize,
    lengths: KnownLengths,
    spool: Option<Spool>,
    streams: RwLock<HashMap<StreamId, Arc<Stream>>>,
}

impl Streams {
    pub(super) fn new(size: WindowSize, spool: Option<Spool>) -> Self {
        let lengths = Cache::builder().max_capacity(CHANNELS).time_to_idle(REMEMBERED).build();
        Self { size, lengths, spool, streams: RwLock::default() }
    }

    pub(super) fn get(&self, id: StreamId) -> Option<Arc<Stream>> {
        self.streams().get(&id).cloned()
    }

    /// The stream with this id, made from `spec` if it is new. The caller holds the pool's lock, so that no other task sees an
    /// id of the pool's that is missing here.
    pub(super) fn get_or_insert(&self, id: StreamId, spec: impl FnOnce() -> StreamSpec) -> Arc<Stream> {
        if let Some(stream) = self.get(id) {
            return stream;
        }
        let mut streams = self.streams.write().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(streams.entry(id).or_insert_with(|| {
            Arc::new(Stream::new(spec(), self.size, self.lengths.clone(), self.spool.as_ref()))
        }))
    }

    /// Goes on with a stream of another process.
    pub(super) fn go_on_with(&self, parts: StreamParts, pieces: &mut Pieces) {
        let id = parts.id;
        let with = (self.size, self.lengths.clone(), self.spool.as_ref());
        let stream = Stream::of_parts(parts, pieces, with);
        self.streams.write().unwrap_or_else(PoisonError::into_inner).insert(id, stream);
    }

    /// All streams.
    pub(super) fn all(&self) -> Vec<(StreamId, Arc<Stream>)> {
        self.streams().iter().map(|(id, stream)| (*id, Arc::clone(stream))).collect()
    }

    /// Publishes the state of producers to the requests that wait for their streams.
    pub(super) fn publish(&self, states: impl IntoIterator<Item = (StreamId, State)>) {
        let streams = self.streams();
        for (id, state) in states {
            if let Some(stream) = streams.get(&id) {
                stream.publish(Some(state));
            }
        }
    }

    /// Removes a stream, and tells the requests that wait for it.
    pub(super) fn remove(&self, id: StreamId) {
        let removed = self.streams.write().unwrap_or_else(PoisonError::into_inner).remove(&id);
        if let Some(stream) = removed {
            stream.publish(None);
        }
    }

    /// Whether one of the streams uses this live stream.
    pub(super) fn holds(&self, live_stream: &LiveStreamId) -> bool {
        self.streams().values().any(|stream| stream.recipe.live_stream == *live_stream)
    }

    /// The newest credential of any stream's viewers, with its user.
    pub(super) fn viewers_login(&self) -> Option<(Login, Option<String>)> {
        self.streams().values().find_map(|stream| stream.access.logins().into_iter().next())
    }

    /// Forgets the credential of `account`, which has been revoked.
    pub(super) fn forget(&self, account: Account) {
        self.streams().values().for_each(|stream| stream.access.forget(account));
    }

    fn streams(&self) -> RwLockReadGuard<'_, HashMap<StreamId, Arc<Stream>>> {
        self.streams.read().unwrap_or_else(PoisonError::into_inner)
    }
}
