//! Remembers which streams the gateway has tried to make itself and could not.
//!
//! For a while such a stream is adopted without another try, so that its viewers do not wait in vain each time they come
//! back. It does not know what a source carries, nor what a profile asks for.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use crate::key::{Channel, StreamKey};
use crate::reason::Failure;
use crate::time::Timestamp;
use crate::viewer::Account;

/// How long a failure counts that lies with the source, the profile or the machine: sources change, and machines are busy
/// at times.
const LONG: Duration = Duration::from_secs(30 * 60);
/// How long a failure counts that may have been a bad moment.
const SHORT: Duration = Duration::from_secs(5 * 60);
/// How many attempts are remembered. The one that would be forgotten next makes room.
const AT_MOST: usize = 1024;

/// See the module.
#[derive(Debug, Default)]
pub(super) struct FailedAttempts(BTreeMap<StreamKey, Attempt>);

#[derive(Debug)]
struct Attempt {
    /// When another try is due.
    until: Timestamp,
    /// The accounts that asked for the stream.
    accounts: BTreeSet<Account>,
}

impl FailedAttempts {
    /// An attempt to make `key` for `accounts` has failed; `worked` says whether it had given segments before. Returns until when that counts.
    pub(super) fn note(
        &mut self,
        key: StreamKey,
        accounts: BTreeSet<Account>,
        (failure, worked): (Failure, bool),
        now: Timestamp,
    ) -> Option<Timestamp> {
        let until = now + counts_for(failure, worked)?;
        self.insert(key, Attempt { until, accounts });
        Some(until)
    }

    /// An attempt has failed, before the pool began, whose failure counts until then.
    pub(super) fn recall(&mut self, key: StreamKey, until: Timestamp) {
        self.insert(key, Attempt { until, accounts: BTreeSet::new() });
    }

    fn insert(&mut self, key: StreamKey, attempt: Attempt) {
        self.0.insert(key, attempt);
        if self.0.len() > AT_MOST
            && let Some((first, _)) = self.0.iter().min_by_key(|(_, attempt)| attempt.until)
        {
            self.0.remove(&first.clone());
        }
    }

    /// Whether a failed attempt stands against making `key`. If so, `account` is one of those that asked for it from now on.
    pub(super) fn meet(&mut self, key: &StreamKey, account: Account, now: Timestamp) -> bool {
        let mut known = self.0.iter_mut();
        let met = known.find(|(known, attempt)| known.meets(key) && attempt.until > now);
        met.map(|(_, attempt)| attempt.accounts.insert(account)).is_some()
    }

    /// Whether a failed attempt stands against what `account` asked for of `channel`.
    pub(super) fn concern(&self, channel: &Channel, account: Account, now: Timestamp) -> bool {
        self.0.iter().any(|(key, attempt)| {
            key.channel == *channel && attempt.until > now && attempt.accounts.contains(&account)
        })
    }
}

/// How long a failure counts; `None` if another try may succeed at once.
const fn counts_for(failure: Failure, worked: bool) -> Option<Duration> {
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
        | Failure::Overlong
        | Failure::Panicked => None,
    }
}
