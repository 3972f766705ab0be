//! Counts the streams that a user watches at once: the devices on which one of its viewers is present, that have a channel open, or that
//! are being sent one by the server. Nothing is kept but whose each token is, so that no count can be wrong for long.

use std::collections::BTreeSet;

use super::Pool;
use crate::key::{DeviceId, UserId};
use crate::reason::OpeningRefusal;
use crate::viewer::Account;

/// How many accounts are known by their users; beyond that, those without a viewer and without an opening are forgotten.
const KNOWN: usize = 4096;

impl Pool {
    /// The server has told that an account is of the user with this id.
    pub fn account_is_of(&mut self, account: Account, user: &str) {
        if self.users.get(&account).is_some_and(|known| known.as_str() == user) {
            return;
        }
        if self.users.len() >= KNOWN {
            let is_in_use = |account: Account| {
                self.crowd.of_device(account, None).next().is_some()
                    || self.openings.of_account(account).next().is_some()
                    || self.sent_to(account).next().is_some()
            };
            let unused: Vec<_> = self.users.keys().copied().filter(|&known| !is_in_use(known)).collect();
            unused.iter().for_each(|account| drop(self.users.remove(account)));
        }
        self.users.insert(account, UserId::new(user));
    }

    /// The devices of an account to which the server is sending a live stream.
    fn sent_to(&self, account: Account) -> impl Iterator<Item = Option<&DeviceId>> {
        let theirs = self.sent_media.range((account, None)..).take_while(move |(known, _)| *known == account);
        theirs.map(|(_, device)| device.as_ref())
    }

    /// Whether the user of `account` may watch one stream more on `device`: it has fewer than `limit` on other devices. A device is
    /// one player, since whatever else it plays it is about to leave.
    #[must_use]
    pub fn may_watch(&self, account: Account, device: Option<&DeviceId>, limit: u32) -> bool {
        let theirs: BTreeSet<_> = match self.users.get(&account) {
            Some(user) => {
                let theirs = self.users.iter().filter(|(_, known)| *known == user);
                theirs.map(|(&account, _)| account).chain([account]).collect()
            }
            None => BTreeSet::from([account]),
        };
        let player = |account: Account, device: Option<&DeviceId>| match device {
            Some(device) => (None, Some(device.clone())),
            None => (Some(account), None),
        };
        let mut players = BTreeSet::new();
        for &account in &theirs {
            let present = self.crowd.of_device(account, None).filter(|(_, consumer)| consumer.is_present());
            players.extend(present.map(|(_, consumer)| player(account, consumer.viewer().device.as_ref())));
            let open = self.openings.of_account(account);
            players.extend(open.map(|opening| player(account, opening.device.as_ref())));
            players.extend(self.sent_to(account).map(|device| player(account, device)));
        }
        players.remove(&player(account, device));
        players.len() < limit as usize
    }

    /// An opening was refused for this reason.
    pub fn opening_refused(&mut self, reason: OpeningRefusal) {
        *self.tally.refused_openings.entry(reason).or_default() += 1;
    }
}
