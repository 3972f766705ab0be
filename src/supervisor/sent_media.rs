//! Tells the pool, or the process that has taken over, for how long the server sends live streams of its own to players.
//!
//! It does not know what counts them.

use crate::supervisor::Supervisor;
use crate::supervisor::handed_over::News;
use domain::key::DeviceId;
use domain::pool::Event;
use domain::viewer::Account;

/// What a player is being sent, until the value is dropped.
#[derive(Debug)]
pub struct SentMedia {
    supervisor: Supervisor,
    player: (Account, Option<DeviceId>),
}

impl Supervisor {
    /// The server sends a live stream of its own to a player of this account, until the value is dropped.
    #[must_use]
    pub fn media_begins(&self, account: Account, device: Option<DeviceId>) -> SentMedia {
        self.media_has_begun(account, device.clone());
        SentMedia { supervisor: self.clone(), player: (account, device) }
    }

    pub(super) fn media_has_begun(&self, account: Account, device: Option<DeviceId>) {
        let news = |(account, device)| News::MediaBegins(account, device);
        let here = |(account, device)| self.handle.tell(Event::MediaBegins(account, device));
        self.late.pass((account, device), news, here);
    }

    pub(super) fn media_has_ended(&self, account: Account, device: Option<DeviceId>) {
        let news = |(account, device)| News::MediaEnds(account, device);
        let here = |(account, device)| self.handle.tell(Event::MediaEnds(account, device));
        self.late.pass((account, device), news, here);
    }
}

impl Drop for SentMedia {
    fn drop(&mut self) {
        let (account, device) = self.player.clone();
        self.supervisor.media_has_ended(account, device);
    }
}
