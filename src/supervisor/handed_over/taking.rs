//! The side of the process that follows another: what it is told afterwards.
//!
//! It does not know the other process.

use crate::supervisor::Supervisor;
use crate::supervisor::handed_over::News;
use crate::supervisor::handed_over::estate::Theirs;
use crate::upstream::ledger::Change;
use domain::key::{Channel, LiveStreamId};

impl Supervisor {
    /// The channels of all streams, each with the live stream that the server was seen to open for it.
    #[must_use]
    pub fn pairs(&self) -> Vec<(Channel, LiveStreamId)> {
        let streams = self.streams.all().into_iter();
        streams.map(|(_, stream)| (stream.channel.clone(), stream.recipe.live_stream.clone())).collect()
    }

    /// The process before tells what has changed.
    pub fn told(&self, news: News, theirs: &mut Theirs) {
        let ledger = &self.callers.ledger;
        match news {
            News::Ledger(Change::Noted(name, entry)) => {
                ledger.note(&name, |noted| *noted = entry);
                theirs.entries.insert(name);
            }
            News::Ledger(Change::Struck(name)) => {
                ledger.strike(&name);
                theirs.entries.remove(&name);
            }
            News::SocketOpened(account, device) => {
                theirs.sockets.add((account, device.clone()));
                self.socket_opened(account, device);
            }
            News::SocketClosed(account, device) => {
                theirs.sockets.take(&(account, device.clone()));
                self.socket_closed(account, device);
            }
            News::MediaBegins(account, device) => {
                theirs.media.add((account, device.clone()));
                self.media_has_begun(account, device);
            }
            News::MediaEnds(account, device) => {
                theirs.media.take(&(account, device.clone()));
                self.media_has_ended(account, device);
            }
            News::Opened(..) | News::Reopened(..) => self.learns(news),
        }
    }

    /// What another process has told, or would have been told, has happened here.
    pub(super) fn learns(&self, news: News) {
        match news {
            News::Opened(opening, opener) => self.opened(opening, opener),
            News::Reopened(opening, opener) => self.openings.reopened(opening, opener),
            News::SocketOpened(account, device) => self.socket_opened(account, device),
            News::SocketClosed(account, device) => self.socket_closed(account, device),
            News::MediaBegins(account, device) => self.media_has_begun(account, device),
            News::MediaEnds(account, device) => self.media_has_ended(account, device),
            News::Ledger(_) => {}
        }
    }

    /// The process before has ended, and with it the WebSockets that went through it, and what the server was sending.
    pub fn connections_ended(&self, theirs: &Theirs) {
        for (account, device) in theirs.sockets.all() {
            self.socket_closed(*account, device.clone());
        }
        for (account, device) in theirs.media.all() {
            self.media_has_ended(*account, device.clone());
        }
    }

    /// The process before closes nothing any more: what it has left is closed here.
    pub fn closes_what_is_left_of(&self, theirs: &mut Theirs) {
        for name in std::mem::take(&mut theirs.entries) {
            if self.callers.ledger.entry(&name).is_some() {
                self.callers.ledger.note(&name, |entry| (entry.inherited, entry.client) = (true, None));
                self.callers.leftovers.keep(&name);
            }
        }
    }
}
