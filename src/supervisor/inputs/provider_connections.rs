//! Takes one of the connections that a provider allows before an input connects.
//!
//! The pool counts the connections. The module does not connect anything itself.

use std::sync::Arc;

use crate::feed::input::{Input, InputError, OpenFuture};
use crate::supervisor::handle::Handle;
use domain::key::InputId;
use domain::reason::Failure;

/// A source that takes a connection of its playlist from the pool before it connects.
#[derive(Debug)]
pub(super) struct Connected {
    pub(super) source: Arc<dyn Input>,
    pub(super) playlist: usize,
    pub(super) input: InputId,
    pub(super) handle: Handle,
}

impl Input for Connected {
    fn open(&self) -> OpenFuture<'_> {
        Box::pin(async {
            let now = self.handle.now();
            let moved = self.handle.pool().move_connection(self.input, self.playlist, now);
            moved.map_err(|busy| InputError::new(Failure::Busy, busy))?;
            self.source.open().await
        })
    }

    fn name(&self) -> &str {
        self.source.name()
    }
}
