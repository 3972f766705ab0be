//! Remembers which live streams each account has given back already, by its own report or in its name.
//!
//! Jellyfin takes a consumer away for `Stopped` and another one for `LiveStreams/Close`, whoever they belong to (docs/jellyfin.md 7).
//! So the `Close` of an account that has given its consumer back would end somebody else's, such as one of the gateway's own.
//!
//! ```text
//!             reports that it plays            reports that it stopped
//! (unknown) ───────────────────────► Playing ─────────────────────────► Stopped
//!     │                                 │                                  │
//!     └─────────────────────────────────┴── its opening is closed for it ──┴──► Closed
//! Playing, Stopped ── the account asks the server to open a channel ──► (unknown)
//! Closed           ── the account has an opening of it again ─────────► (unknown)
//! ```
//!
//! Without a report that it plays, `Stopped` gives nothing back: 10.11 ignores it.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::key::LiveStreamId;
use crate::viewer::Account;

/// The number of live streams that are remembered. A household stays far below; beyond it, all is forgotten, and every `Close` is
/// passed on as if there were no gateway.
const REMEMBERED: usize = 10_000;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Status {
    Playing,
    Stopped,
    Closed,
}

/// The status of each live stream of each account.
#[derive(Debug, Default)]
pub(super) struct GivenBack(pub(super) BTreeMap<(Account, LiveStreamId), Status>);

impl GivenBack {
    /// The account asks the server to open a channel, so its earlier reports no longer tell what it has.
    pub(super) fn asks_for_opening(&mut self, account: Account) {
        self.0.retain(|(known, _), status| *known != account || *status == Status::Closed);
    }

    /// The account has an opening of the live stream again.
    pub(super) fn has_opening(&mut self, account: Account, live_stream: LiveStreamId) {
        self.0.remove(&(account, live_stream));
    }

    /// The account has reported that it plays the live stream.
    pub(super) fn playing(&mut self, account: Account, live_stream: LiveStreamId) {
        self.make_room();
        let status = self.0.entry((account, live_stream)).or_insert(Status::Playing);
        match status {
            Status::Playing | Status::Stopped => *status = Status::Playing,
            Status::Closed => {}
        }
    }

    /// The account has reported that it stopped playing the live stream.
    pub(super) fn stopped(&mut self, account: Account, live_stream: LiveStreamId) {
        if let Some(status) = self.0.get_mut(&(account, live_stream)) {
            match status {
                Status::Playing | Status::Stopped => *status = Status::Stopped,
                Status::Closed => {}
            }
        }
    }

    /// The gateway closes the account's opening of the live stream in its name.
    pub(super) fn closed(&mut self, account: Account, live_stream: LiveStreamId) {
        self.make_room();
        self.0.insert((account, live_stream), Status::Closed);
    }

    /// Whether the account has given the live stream back.
    pub(super) fn contains(&self, account: Account, live_stream: &LiveStreamId) -> bool {
        match self.0.get(&(account, live_stream.clone())) {
            Some(Status::Stopped | Status::Closed) => true,
            Some(Status::Playing) | None => false,
        }
    }

    /// Whether the gateway has closed the account's opening of the live stream in its name.
    pub(super) fn is_closed(&self, account: Account, live_stream: &LiveStreamId) -> bool {
        self.0.get(&(account, live_stream.clone())) == Some(&Status::Closed)
    }

    /// Whether the account has stopped any live stream, and asked for no opening since.
    pub(super) fn has_stopped_any(&self, account: Account) -> bool {
        let theirs = self.0.range((account, LiveStreamId::new(String::new()))..);
        theirs.take_while(|((known, _), _)| *known == account).any(|(_, status)| *status == Status::Stopped)
    }

    fn make_room(&mut self) {
        if self.0.len() >= REMEMBERED {
            self.0.clear();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ACCOUNT: Account = Account(1);

    fn live() -> LiveStreamId {
        LiveStreamId::new("live")
    }

    #[test]
    fn only_what_was_started_and_stopped_is_given_back() {
        let mut given_back = GivenBack::default();
        given_back.stopped(ACCOUNT, live());
        assert!(!given_back.contains(ACCOUNT, &live()), "10.11 ignores such a stop");
        given_back.playing(ACCOUNT, live());
        assert!(!given_back.contains(ACCOUNT, &live()));
        assert!(!given_back.has_stopped_any(ACCOUNT));
        given_back.stopped(ACCOUNT, live());
        assert!(given_back.contains(ACCOUNT, &live()) && given_back.has_stopped_any(ACCOUNT));
        assert!(!given_back.contains(Account(2), &live()) && !given_back.has_stopped_any(Account(0)));
        given_back.asks_for_opening(ACCOUNT);
        assert!(!given_back.contains(ACCOUNT, &live()));
    }

    #[test]
    fn what_was_closed_in_its_name_stays_given_back_until_it_has_another_opening() {
        let mut given_back = GivenBack::default();
        given_back.playing(ACCOUNT, live());
        given_back.closed(ACCOUNT, live());
        given_back.playing(ACCOUNT, live());
        given_back.asks_for_opening(ACCOUNT);
        assert!(given_back.contains(ACCOUNT, &live()));
        given_back.has_opening(Account(2), live());
        given_back.has_opening(ACCOUNT, LiveStreamId::new("another"));
        assert!(given_back.contains(ACCOUNT, &live()));
        given_back.has_opening(ACCOUNT, live());
        assert!(!given_back.contains(ACCOUNT, &live()));
    }

    #[test]
    fn what_is_remembered_is_bounded() {
        let mut given_back = GivenBack::default();
        for account in 0..=REMEMBERED as u64 {
            given_back.playing(Account(account), live());
        }
        assert!(given_back.0.len() <= REMEMBERED);
    }
}
