//! Records to which players the server is sending a live stream of its own.

use std::collections::BTreeMap;

use crate::key::DeviceId;
use crate::viewer::Account;

/// The players that the server is sending a live stream, each as often as it has asked for one.
#[derive(Debug, Default)]
pub(super) struct SentMedia(BTreeMap<(Account, Option<DeviceId>), u32>);

impl SentMedia {
    /// The server begins to send a live stream to a player.
    pub(super) fn begins(&mut self, account: Account, device: Option<DeviceId>) {
        *self.0.entry((account, device)).or_default() += 1;
    }

    /// What such a player was sent has ended.
    pub(super) fn ends(&mut self, account: Account, device: Option<DeviceId>) {
        let player = (account, device);
        if let Some(count) = self.0.get_mut(&player) {
            *count -= 1;
            if *count == 0 {
                self.0.remove(&player);
            }
        }
    }

    /// The devices on which the account is being sent something.
    pub(super) fn devices(&self, account: Account) -> impl Iterator<Item = Option<&DeviceId>> {
        let theirs = self.0.range((account, None)..).take_while(move |((known, _), _)| *known == account);
        theirs.map(|((_, device), _)| device.as_ref())
    }
}
