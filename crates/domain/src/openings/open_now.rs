//! Lists what clients have open: all of it, what is being closed, and what one account has.

use super::Openings;
use crate::key::{ItemId, LiveStreamId, OpeningId};
use crate::openings::opening::ClientOpening;
use crate::reason::ReturnReason;
use crate::viewer::Account;

impl Openings {
    /// The openings whose closing is under way, by the gateway or by their client, with their live streams.
    pub fn closing(&self) -> impl Iterator<Item = (OpeningId, &LiveStreamId)> {
        let returning = self.returning.iter().map(|(&id, (opening, _))| (id, &opening.live_stream));
        self.index.stopping().chain(returning)
    }

    /// The live streams of an account for which a goodbye is under way: what the server makes of a report about one of them depends
    /// on which of both comes first.
    pub fn goodbyes(&self, account: Account) -> impl Iterator<Item = &LiveStreamId> {
        let silent = self.returning.values().filter(|(_, reason)| *reason == ReturnReason::Silent);
        let theirs = silent.filter(move |(opening, _)| opening.account == Some(account));
        theirs.map(|(opening, _)| &opening.live_stream)
    }

    /// The live streams of which clients have an opening that they have neither stopped nor asked to be closed, with their items.
    pub fn live_streams(&self) -> impl Iterator<Item = (&LiveStreamId, Option<&ItemId>)> {
        self.index.live_streams()
    }

    /// Whether a client of another account has an opening of the live stream.
    #[must_use]
    pub fn is_open_for_others(&self, account: Account, live_stream: &LiveStreamId) -> bool {
        let mut open = self.index.of_live_stream(live_stream).filter_map(|id| self.index.get(id));
        open.any(|open| open.opening.account != Some(account))
    }

    /// What an account has open and has not stopped.
    pub fn of_account(&self, account: Account) -> impl Iterator<Item = &ClientOpening> {
        let theirs = self.index.of_account(account).into_iter().filter_map(|id| self.index.get(id));
        theirs.filter(|open| open.state != ReturnReason::Stopped).map(|open| &open.opening)
    }
}
