//! What is shown of the pool. It can be read in parts, so that nobody waits long for whoever looks.

use super::Pool;
use crate::key::{ConsumerId, StreamId, UserId};
use crate::pool::snapshot::{ConsumerView, InputView, Snapshot, StreamView};
use crate::time::Timestamp;
use crate::viewer::Account;

impl Pool {
    /// The pool at `now`.
    #[must_use]
    pub fn snapshot(&self, now: Timestamp) -> Snapshot {
        let mut snapshot = self.outline(now);
        for stream in &mut snapshot.streams {
            stream.consumers = self.viewers_of(stream.id, None, usize::MAX, now);
        }
        snapshot
    }

    /// The same without any consumer.
    #[must_use]
    pub fn outline(&self, now: Timestamp) -> Snapshot {
        let views = self
            .streams
            .iter()
            .map(|(&id, stream)| StreamView::of(id, stream, (self.idle_since(id), self.cool_down_at(id))));
        Snapshot {
            streams: views.collect(),
            inputs: self.inputs.iter().map(|(id, input)| InputView::of(id, input)).collect(),
            warmed_up: self.warmed_up_views(),
            habits: self.habits.iter().map(|(&class, habits)| (class, habits.rates())).collect(),
            openings: self.openings.count(),
            tuners: self.tuners_view(now),
            tally: self.tally.clone(),
        }
    }

    /// At most so many consumers of a stream, in the order of their ids, from the first one `after` that on.
    #[must_use]
    pub fn viewers_of(
        &self,
        stream: StreamId,
        after: Option<ConsumerId>,
        most: usize,
        now: Timestamp,
    ) -> Vec<ConsumerView> {
        let consumers = self.crowd.of_stream_after(stream, after).take(most);
        let views = consumers.map(|(id, consumer)| {
            let user = self.users.get(&consumer.viewer().account).cloned();
            ConsumerView::of(id, consumer, user, now)
        });
        views.collect()
    }

    /// The user of an account, if the server has told it.
    #[must_use]
    pub fn user_of(&self, account: Account) -> Option<&UserId> {
        self.users.get(&account)
    }

    /// The most streams that run at once.
    #[must_use]
    pub const fn slots(&self) -> usize {
        self.limits.slots
    }
}
