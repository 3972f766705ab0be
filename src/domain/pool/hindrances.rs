//! What the gateway has tried to make itself, and could not: for a while it is adopted without another try, so that its
//! viewers do not wait in vain each time they come back.
//!
//! It does not know what stood in the way.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use crate::domain::consumer::Account;
use crate::domain::key::{Channel, StreamKey};
use crate::domain::time::Timestamp;

/// A source may change, and a machine may have been busy.
const FOR: Duration = Duration::from_secs(30 * 60);
/// So many are remembered, the latest.
const AT_MOST: usize = 1024;

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Hindrances(BTreeMap<StreamKey, Hindrance>);

#[derive(Debug)]
struct Hindrance {
    until: Timestamp,
    /// Who wished for it.
    accounts: BTreeSet<Account>,
}

impl Hindrances {
    /// This could not be made for `accounts`.
    pub(super) fn note(&mut self, key: StreamKey, accounts: BTreeSet<Account>, now: Timestamp) {
        self.0.insert(key, Hindrance { until: now + FOR, accounts });
        if self.0.len() > AT_MOST
            && let Some((first, _)) = self.0.iter().min_by_key(|(_, hindrance)| hindrance.until)
        {
            self.0.remove(&first.clone());
        }
    }

    /// Whether what `account` wishes for is better not tried again yet.
    pub(super) fn meet(&mut self, key: &StreamKey, account: Account, now: Timestamp) -> bool {
        let met = self.0.get_mut(key).filter(|hindrance| hindrance.until > now);
        met.map(|hindrance| hindrance.accounts.insert(account)).is_some()
    }

    /// Whether `account` has met one on `channel`.
    pub(super) fn has_met(&self, channel: &Channel, account: Account, now: Timestamp) -> bool {
        self.0.iter().any(|(key, hindrance)| {
            key.channel == *channel && hindrance.until > now && hindrance.accounts.contains(&account)
        })
    }
}
