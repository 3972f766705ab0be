//! What the gateway has tried to make itself, and could not: for a while it is adopted without another try, so that its
//! viewers do not wait in vain each time they come back.
//!
//! It does not know what a source carries, nor what a profile asks for.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use crate::key::{Channel, StreamKey};
use crate::reason::Failure;
use crate::time::Timestamp;
use crate::viewer::Account;

/// What lies with the source, the profile or the machine; but sources change, and machines are busy at times.
const LONG: Duration = Duration::from_secs(30 * 60);
/// What may have been a bad moment.
const SHORT: Duration = Duration::from_secs(5 * 60);
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
    /// This could not be made for `accounts`; or no longer, if it `worked` before.
    pub(super) fn note(
        &mut self,
        key: StreamKey,
        accounts: BTreeSet<Account>,
        (failure, worked): (Failure, bool),
        now: Timestamp,
    ) {
        let Some(span) = lasts(failure, worked) else { return };
        self.0.insert(key, Hindrance { until: now + span, accounts });
        if self.0.len() > AT_MOST
            && let Some((first, _)) = self.0.iter().min_by_key(|(_, hindrance)| hindrance.until)
        {
            self.0.remove(&first.clone());
        }
    }

    /// Whether what `account` wishes for is better not tried again yet.
    pub(super) fn meet(&mut self, key: &StreamKey, account: Account, now: Timestamp) -> bool {
        let mut known = self.0.iter_mut();
        let met = known.find(|(known, hindrance)| known.meets(key) && hindrance.until > now);
        met.map(|(_, hindrance)| hindrance.accounts.insert(account)).is_some()
    }

    /// Whether `account` has met one on `channel`.
    pub(super) fn has_met(&self, channel: &Channel, account: Account, now: Timestamp) -> bool {
        self.0.iter().any(|(key, hindrance)| {
            key.channel == *channel && hindrance.until > now && hindrance.accounts.contains(&account)
        })
    }
}

/// How long it is better not tried again; `None` if it may go well at once.
const fn lasts(failure: Failure, worked: bool) -> Option<Duration> {
    match failure {
        Failure::TooSlow | Failure::TooMuchMemory => Some(LONG),
        Failure::Unsuitable if !worked => Some(LONG),
        Failure::Stalled | Failure::Unreadable | Failure::Lagged | Failure::Crashed if !worked => Some(SHORT),
        Failure::Unsuitable
        | Failure::Stalled
        | Failure::Unreadable
        | Failure::Lagged
        | Failure::Crashed
        | Failure::Unreachable
        | Failure::Refused
        | Failure::Ended
        | Failure::Busy
        | Failure::Gone
        | Failure::Oversized
        | Failure::Panicked => None,
    }
}
