//! Which live streams clients have given back already. The server takes one consumer away for `Stopped` and one more for
//! `LiveStreams/Close`, whoever's it is (`jellyfin.md` 4.4): a client that sends both would take ours, and end what we keep warm.
//!
//! ```text
//!           playing                stopped
//! (unknown) ───────► Started ───────────────► Returned ──► its next Close would take somebody else's
//!     ▲                 │                        │
//!     └──── opening ────┴────────────────────────┘
//! ```
//!
//! A `Stopped` without a start before it counts for nothing here, as on 10.11. It does not know what is worth protecting.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use domain::key::LiveStreamId;
use domain::viewer::Account;

/// More than this is no household; to forget is to pass on what comes, as if we were not there.
const REMEMBERED: usize = 10_000;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Lending {
    Started,
    Returned,
}

/// See the module.
#[derive(Debug, Default)]
pub struct Lendings {
    known: Mutex<BTreeMap<(Account, LiveStreamId), Lending>>,
}

impl Lendings {
    /// The account opens a channel: what it has and has not is unknown from here on.
    pub fn opening(&self, account: Account) {
        self.known().retain(|(known, _), _| *known != account);
    }

    /// The account reports that it plays this live stream.
    pub fn playing(&self, account: Account, live_stream: LiveStreamId) {
        let mut known = self.known();
        if known.len() >= REMEMBERED {
            known.clear();
        }
        known.insert((account, live_stream), Lending::Started);
    }

    /// The account reports that it stopped.
    pub fn stopped(&self, account: Account, live_stream: LiveStreamId) {
        if let Some(lending) = self.known().get_mut(&(account, live_stream)) {
            *lending = Lending::Returned;
        }
    }

    /// Whether the account has given this live stream back, so that its closing would take another's consumer.
    #[must_use]
    pub fn has_returned(&self, account: Account, live_stream: &LiveStreamId) -> bool {
        self.known().get(&(account, live_stream.clone())) == Some(&Lending::Returned)
    }

    fn known(&self) -> MutexGuard<'_, BTreeMap<(Account, LiveStreamId), Lending>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_was_started_and_stopped_is_returned() {
        let (lendings, account) = (Lendings::default(), Account(1));
        let live = || LiveStreamId::new("live");
        lendings.stopped(account, live());
        assert!(!lendings.has_returned(account, &live()), "10.11 ignores such a stop");
        lendings.playing(account, live());
        assert!(!lendings.has_returned(account, &live()));
        lendings.stopped(account, live());
        assert!(lendings.has_returned(account, &live()));
        assert!(!lendings.has_returned(Account(2), &live()));
        lendings.opening(account);
        assert!(!lendings.has_returned(account, &live()));
    }

    #[test]
    fn what_is_remembered_is_bounded() {
        let lendings = Lendings::default();
        for account in 0..=REMEMBERED as u64 {
            lendings.playing(Account(account), LiveStreamId::new("live"));
        }
        assert!(lendings.known().len() <= REMEMBERED);
    }
}
