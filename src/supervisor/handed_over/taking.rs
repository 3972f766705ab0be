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
                theirs.0.insert(name);
            }
            News::Ledger(Change::Struck(name)) => {
                ledger.strike(&name);
                theirs.0.remove(&name);
            }
            News::Opened(opening, opener) => self.opened(opening, opener),
        }
    }

    /// The process before closes nothing any more: what it has left is closed here.
    pub fn closes_what_is_left_of(&self, theirs: Theirs) {
        for name in theirs.0 {
            if self.callers.ledger.entry(&name).is_some() {
                self.callers.ledger.note(&name, |entry| (entry.inherited, entry.client) = (true, None));
                self.callers.leftovers.keep(&name);
            }
        }
    }
}
