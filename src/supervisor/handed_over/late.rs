//! Tells another process what clients open through this one after it has handed over: the server was asked before.
//!
//! It does not know what becomes of an opening.

use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::mpsc::UnboundedSender;

use crate::supervisor::handed_over::News;
use crate::supervisor::held::opener::Opener;
use domain::openings::ClientOpening;

/// See the module. Clones share it.
#[derive(Clone, Debug, Default)]
pub(in crate::supervisor) struct LateOpenings(Arc<Mutex<Option<UnboundedSender<News>>>>);

impl LateOpenings {
    /// Returns the opening, unless the other process is told of it.
    pub(in crate::supervisor) fn pass(
        &self,
        opening: ClientOpening,
        opener: Opener,
    ) -> Option<(ClientOpening, Opener)> {
        match &*self.0.lock().unwrap_or_else(PoisonError::into_inner) {
            None => Some((opening, opener)),
            // Where the other process has gone as well, the opening is lost, as after a crash.
            Some(successor) => {
                let _ = successor.send(News::Opened(opening, opener));
                None
            }
        }
    }

    /// Tells `successor`, or nobody.
    pub(in crate::supervisor) fn tell(&self, successor: Option<UnboundedSender<News>>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = successor;
    }
}
