//! Tells the pool of an opening for as long as the server works on it.

use crate::supervisor::handle::Handle;
use domain::key::{AskingId, ItemId};
use domain::pool::Event;

/// An opening that the server has not answered; dropped once it has.
#[derive(Debug)]
pub struct Asking {
    handle: Handle,
    id: AskingId,
}

impl Asking {
    pub(super) fn new(handle: Handle, id: AskingId, item: Option<ItemId>) -> Self {
        handle.tell(Event::Asks(id, item));
        Self { handle, id }
    }

    /// Nobody waits for the answer any more.
    pub fn abandon(&self) {
        self.handle.tell(Event::AskedInVain(self.id));
        // Somebody may wait for how it ends.
        self.handle.wake();
    }
}

impl Drop for Asking {
    fn drop(&mut self) {
        self.handle.tell(Event::Answered(self.id));
        // Likewise.
        self.handle.wake();
    }
}
