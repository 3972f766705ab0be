//! Follows the server's records of who plays what, which decide whether a `Stopped` closes an opening.
//!
//! Jellyfin keeps one record for each session and live stream (docs/jellyfin.md 7): the last report that it plays makes it, and
//! `Stopped` closes one consumer and removes it, whichever play session it names. A device that has opened a channel twice thus has
//! two consumers and one record. So only the opening that was reported last is closed by a `Stopped`, and once that is done, by
//! the client or in its name, the server has no record of the device's other openings until the next report. These are closed by
//! `LiveStreams/Close`.

use crate::key::OpeningId;
use crate::openings::Openings;
use crate::openings::index::Open;
use crate::openings::mention::{Mention, PlaybackReport};
use crate::openings::opening::ClientOpening;
use crate::reason::ReturnReason;
use crate::time::Timestamp;
use crate::viewer::Account;

impl Openings {
    /// The server has accepted a report of an account about a live stream. Returns the opening that it closed for it, if any.
    pub fn reported(&mut self, mention: &Mention, report: PlaybackReport) -> Option<OpeningId> {
        let (account, live_stream) = mention.account.zip(mention.live_stream.clone())?;
        match report {
            PlaybackReport::Playing | PlaybackReport::Paused => {
                let meant = self.index.meant(mention);
                self.index.set_paused(&meant, report == PlaybackReport::Paused);
                self.given_back.playing(account, live_stream);
                None
            }
            PlaybackReport::Stopped => {
                self.given_back.stopped(account, live_stream);
                let meant = self.index.meant(mention).into_iter();
                let closed = meant
                    .filter(|&id| self.index.get(id).is_some_and(|open| open.reported_at.is_some()))
                    .min()?;
                let Open { opening, .. } = self.index.remove(closed)?;
                self.record_removed(&opening);
                Some(closed)
            }
        }
    }

    /// The server has accepted a goodbye for an opening that is being given back. Where `LiveStreams/Close` closes it instead, the
    /// server keeps its record.
    pub fn said_goodbye(&mut self, id: OpeningId) {
        if let Some(opening) = self.returning.get(&id).map(|(opening, _)| opening.clone()) {
            self.record_removed(&opening);
        }
    }

    /// An opening that was given back is closed, or has become a leftover.
    pub fn returned(&mut self, id: OpeningId) {
        self.returning.remove(&id);
    }

    /// The gateway has opened a live stream again for a viewer of its own. Returns the opening that is forgotten to make room.
    pub fn reopened(&mut self, id: OpeningId, opening: ClientOpening, now: Timestamp) -> Option<OpeningId> {
        let forgotten = self.opened(id, opening, now);
        self.index.set(id, ReturnReason::Left, now + self.patience);
        forgotten
    }

    /// Whether a client has openings that a request mentions, and the server has no record of any of them.
    #[must_use]
    pub fn is_unreported(&self, mention: &Mention) -> bool {
        let mut meant = self.index.meant(mention).into_iter().peekable();
        meant.peek().is_some()
            && meant.all(|id| self.index.get(id).is_some_and(|open| open.reported_at.is_none()))
    }

    /// Whether a `Stopped` of the account may be about what the server has no record of: an opening that nobody has reported, or one that
    /// the account has stopped already.
    #[must_use]
    pub fn may_lack_record(&self, account: Account) -> bool {
        self.index.has_unreported() || self.given_back.has_stopped_any(account)
    }

    /// The client has reported that it plays by an opening: the server's record is of that one from now on.
    pub(super) fn record(&mut self, id: OpeningId, now: Timestamp) {
        let Some(opening) = self.index.get(id).map(|open| open.opening.clone()) else { return };
        for other in self.index.of_same_device(&opening) {
            let Some(open) = self.index.get(other) else { continue };
            if open.opening.live_stream != opening.live_stream {
                self.index.set_replaced(other, Some(now));
            } else if !open.is_stopping() {
                // Of one that is stopping the server may have had the record before this report.
                self.lacks_record(other);
            }
        }
        self.index.set_reported(id, Some(now));
        self.index.set_replaced(id, None);
    }

    /// The server has closed an opening because of a `Stopped`, and so removed its record of the session and the live stream.
    fn record_removed(&mut self, opening: &ClientOpening) {
        for other in self.index.of_same_device(opening) {
            if self.index.get(other).is_some_and(|open| open.opening.live_stream == opening.live_stream) {
                self.lacks_record(other);
            }
        }
    }

    fn lacks_record(&mut self, id: OpeningId) {
        self.index.set_reported(id, None);
        let silent = self.index.get(id).filter(|open| open.state == ReturnReason::Silent);
        if let Some(due) = silent.map(|open| open.due) {
            self.index.set(id, ReturnReason::Left, due);
        }
    }

    /// A client's opening is closed: unless it has another one of the same live stream, it has none any more.
    pub(super) fn closed(&mut self, opening: &ClientOpening) {
        let Some(account) = opening.account else { return };
        let live_stream = Some(opening.live_stream.clone());
        let theirs = Mention { account: Some(account), live_stream, ..Mention::default() };
        if !self.has(&theirs) {
            self.given_back.closed(account, opening.live_stream.clone());
        }
    }
}
