//! The streams that run, as the shell has them: by the pool's name for each, its window and its credentials.
//!
//! The pool decides which there are; nothing here starts or ends one.

use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard};

use crate::supervisor::stream::{Brief, Stream, WindowSize};
use crate::upstream::jellyfin::Login;
use domain::key::{LiveStreamId, StreamId};
use domain::producer::State;
use domain::viewer::Account;

/// See the module.
#[derive(Debug)]
pub(super) struct Streams {
    size: WindowSize,
    streams: RwLock<HashMap<StreamId, Arc<Stream>>>,
}

impl Streams {
    pub(super) fn new(size: WindowSize) -> Self {
        Self { size, streams: RwLock::default() }
    }

    pub(super) fn get(&self, id: StreamId) -> Option<Arc<Stream>> {
        self.streams().get(&id).cloned()
    }

    /// The stream of this name, made as `brief` says if it is new. Called under the pool's lock, so that nobody sees a stream
    /// of the pool's that is not here.
    pub(super) fn get_or_insert(&self, id: StreamId, brief: impl FnOnce() -> Brief) -> Arc<Stream> {
        if let Some(stream) = self.get(id) {
            return stream;
        }
        let mut streams = self.streams.write().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(streams.entry(id).or_insert_with(|| Arc::new(Stream::new(brief(), self.size))))
    }

    /// Tells whoever waits for a stream where its producer stands.
    pub(super) fn publish(&self, states: impl IntoIterator<Item = (StreamId, State)>) {
        let streams = self.streams();
        for (id, state) in states {
            if let Some(stream) = streams.get(&id) {
                stream.publish(Some(state));
            }
        }
    }

    /// A stream is gone; whoever waits for it is told so.
    pub(super) fn remove(&self, id: StreamId) {
        let removed = self.streams.write().unwrap_or_else(PoisonError::into_inner).remove(&id);
        if let Some(stream) = removed {
            stream.publish(None);
        }
    }

    /// Whether one of them is made of this live stream.
    pub(super) fn holds(&self, live_stream: &LiveStreamId) -> bool {
        self.streams().values().any(|stream| stream.recipe.live_stream == *live_stream)
    }

    /// The credential of a viewer who watches, and the user it belongs to.
    pub(super) fn viewers_login(&self) -> Option<(Login, Option<String>)> {
        self.streams().values().find_map(|stream| stream.access.logins().into_iter().next())
    }

    /// The credential of `account` is worth nothing any more.
    pub(super) fn forget(&self, account: Account) {
        self.streams().values().for_each(|stream| stream.access.forget(account));
    }

    fn streams(&self) -> RwLockReadGuard<'_, HashMap<StreamId, Arc<Stream>>> {
        self.streams.read().unwrap_or_else(PoisonError::into_inner)
    }
}
