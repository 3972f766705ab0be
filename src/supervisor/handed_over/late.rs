//! Tells another process what happens here after it has taken over: what the server opens for clients that had asked this process, and
//! which WebSockets begin and end that go through it.
//!
//! It does not know what becomes of that.

use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::mpsc::UnboundedSender;

use crate::supervisor::handed_over::News;

/// See the module. Clones share it.
#[derive(Clone, Debug, Default)]
pub(in crate::supervisor) struct LateNews(Arc<Mutex<Option<UnboundedSender<News>>>>);

impl LateNews {
    /// Records something with `here`, unless the other process is told of it as `news`. What is being recorded when this process begins
    /// to stand still is handed over.
    pub(in crate::supervisor) fn pass<T>(&self, what: T, news: impl FnOnce(T) -> News, here: impl FnOnce(T)) {
        match &*self.0.lock().unwrap_or_else(PoisonError::into_inner) {
            None => here(what),
            // Where the other process has gone as well, it is lost, as after a crash.
            Some(successor) => drop(successor.send(news(what))),
        }
    }

    /// Tells `successor`, or nobody.
    pub(in crate::supervisor) fn tell(&self, successor: Option<UnboundedSender<News>>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = successor;
    }
}
