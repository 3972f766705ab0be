//! Counts the WebSockets of each session at the server, which ends a session with the last of them.

use super::Openings;
use crate::key::{DeviceId, OpeningId};
use crate::openings::opening::ClientOpening;
use crate::viewer::Account;

impl Openings {
    /// A WebSocket of an account, and of this device if it names one, has opened.
    pub fn socket_opened(&mut self, account: Account, device: Option<DeviceId>) {
        self.sockets.add((account, device));
    }

    /// Such a WebSocket has closed. With the last one the server ends the session, and closes the opening that it has reported
    /// last by itself. Returns the openings that are lost.
    pub fn socket_closed(&mut self, account: Account, device: Option<DeviceId>) -> Vec<OpeningId> {
        let key = (account, device);
        if self.sockets.take(&key).is_some_and(|left| left > 0) {
            return Vec::new();
        }
        let (_, device) = key;
        let of_device = |opening: &ClientOpening| device.is_none() || opening.device == device;
        let theirs = self.index.of_account(account).into_iter();
        let reported = theirs.filter_map(|id| {
            let open = self.index.get(id).filter(|open| of_device(&open.opening))?;
            Some((open.reported_at?, id))
        });
        let last = reported.max().map(|(_, id)| id);
        last.into_iter().inspect(|&id| self.lost(id)).collect()
    }
}
