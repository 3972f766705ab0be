//! What becomes of a stream's pieces while another process takes the stream over: they wait until it is known which of both goes on.
//!
//! It does not know what is handed over.

use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::upstream::jellyfin::Media;
use domain::produce::ProductionMethod;
use domain::window::Arrival;

/// A piece that waits.
pub(super) type Waiting = (Arrival, Media, ProductionMethod);

/// See the module. It changes under the lock of the stream's window.
#[derive(Debug, Default)]
pub(super) struct Frozen(Mutex<State>);

#[derive(Debug, Default)]
enum State {
    /// Pieces are appended.
    #[default]
    Flows,
    /// They wait.
    Waits(Vec<Waiting>),
    /// Another process has the stream: they are dropped.
    Gone,
}

impl Frozen {
    /// Lets a piece pass, or keeps it.
    pub(super) fn pass(
        &self,
        arrival: Arrival,
        media: Media,
        method: ProductionMethod,
    ) -> Option<(Arrival, Media)> {
        match &mut *self.state() {
            State::Flows => return Some((arrival, media)),
            State::Waits(waiting) => waiting.push((arrival, media, method)),
            State::Gone => {}
        }
        None
    }

    /// Pieces wait from now on.
    pub(super) fn freeze(&self) {
        *self.state() = State::Waits(Vec::new());
    }

    /// Pieces pass again. Returns those that have waited.
    pub(super) fn thaw(&self) -> Vec<Waiting> {
        match std::mem::take(&mut *self.state()) {
            State::Waits(waiting) => waiting,
            State::Flows | State::Gone => Vec::new(),
        }
    }

    /// The other process goes on with the stream.
    pub(super) fn is_gone(&self) {
        *self.state() = State::Gone;
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
