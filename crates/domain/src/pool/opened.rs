//! What the pool tells of the live streams that clients have opened at the server.

use std::collections::BTreeSet;

use super::Pool;
use crate::key::{DeviceId, LiveStreamId, OpeningId};
use crate::openings::Mention;
use crate::viewer::Account;

impl Pool {
    /// Whether the gateway has closed the account's opening of this live stream in its name, and it has not opened it since.
    #[must_use]
    pub fn is_closed_for(&self, account: Account, live_stream: &LiveStreamId) -> bool {
        self.openings.is_closed_for(account, live_stream)
    }

    /// The live streams of an account for which a goodbye is under way.
    pub fn goodbyes(&self, account: Account) -> impl Iterator<Item = &LiveStreamId> {
        self.openings.goodbyes(account)
    }

    /// Whether a client has an opening that a request mentions.
    #[must_use]
    pub fn has_opening(&self, mention: &Mention) -> bool {
        self.openings.has(mention)
    }

    /// Whether a client has openings that a request mentions, and the server has no record that it plays by any of them.
    #[must_use]
    pub fn is_unreported(&self, mention: &Mention) -> bool {
        self.openings.is_unreported(mention)
    }

    /// Whether a `Stopped` of the account may be about what the server has no record of.
    #[must_use]
    pub fn may_lack_record(&self, account: Account) -> bool {
        self.openings.may_lack_record(account)
    }

    /// Whether a client of another account has an opening of the live stream.
    #[must_use]
    pub fn is_open_for_others(&self, account: Account, live_stream: &LiveStreamId) -> bool {
        self.openings.is_open_for_others(account, live_stream)
    }

    /// The live streams that clients have open and have not stopped.
    #[must_use]
    pub fn open_by_clients(&self) -> BTreeSet<LiveStreamId> {
        self.openings.live_streams().map(|(live_stream, _)| live_stream.clone()).collect()
    }

    /// A client has shown its account for openings that an earlier process of the gateway saw. Returns them.
    pub fn claim(&mut self, mention: &Mention, device: Option<&DeviceId>) -> Vec<OpeningId> {
        self.openings.claim(mention, device)
    }

    /// Whether the account has given this live stream back, by its own report or in its name.
    #[must_use]
    pub fn has_returned(&self, account: Account, live_stream: &LiveStreamId) -> bool {
        self.openings.has_returned(account, live_stream)
    }
}
