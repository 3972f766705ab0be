//! Tells the pool for how long the server sends a live stream of its own to a player.

use crate::supervisor::handle::Handle;
use domain::key::DeviceId;
use domain::pool::Event;
use domain::viewer::Account;

/// A live stream that is being sent; dropped once it has ended.
#[derive(Debug)]
pub struct SentMedia {
    handle: Handle,
    account: Account,
    device: Option<DeviceId>,
}

impl SentMedia {
    pub(super) fn new(handle: Handle, account: Account, device: Option<DeviceId>) -> Self {
        handle.tell(Event::MediaBegins(account, device.clone()));
        Self { handle, account, device }
    }
}

impl Drop for SentMedia {
    fn drop(&mut self) {
        self.handle.tell(Event::MediaEnds(self.account, self.device.take()));
    }
}
