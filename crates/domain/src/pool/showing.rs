//! What is shown of the pool. It can be read in parts, so that nobody waits long for whoever looks.

use std::ops::{Bound, Deref};

use super::Pool;
use crate::inputs::InputKey;
use crate::key::{ConsumerId, InputId, StreamId, UserId};
use crate::pool::snapshot::{ConsumerView, InputView, Snapshot, StreamView};
use crate::time::Timestamp;
use crate::viewer::Account;

/// How many streams, inputs or viewers of a stream are read at a time.
const PAGE: usize = 64;

impl Snapshot {
    /// Reads a pool part by part: `lock` gives it out for each, at `now`. What comes or goes meanwhile may be missing.
    #[must_use]
    pub fn in_parts<P: Deref<Target = Pool>>(lock: impl Fn() -> P, now: impl Fn() -> Timestamp) -> Self {
        let mut snapshot = lock().outline(now());
        snapshot.streams =
            all(|last: Option<&StreamView>| lock().streams_after(last.map(|stream| stream.id)));
        snapshot.inputs = all(|last: Option<&InputView>| lock().inputs_after(last.map(|input| input.id)));
        for stream in &mut snapshot.streams {
            let id = stream.id;
            stream.consumers =
                all(|last: Option<&ConsumerView>| lock().viewers_of(id, last.map(|viewer| viewer.id), now()));
        }
        snapshot
    }
}

/// All that is read page by page, each of which begins after the last one of the page before.
fn all<T>(page: impl Fn(Option<&T>) -> Vec<T>) -> Vec<T> {
    let mut all = page(None);
    let mut is_last = all.len() < PAGE;
    while !is_last {
        let next = page(all.last());
        is_last = next.len() < PAGE;
        all.extend(next);
    }
    all
}

impl Pool {
    /// The pool at `now`.
    #[must_use]
    pub fn snapshot(&self, now: Timestamp) -> Snapshot {
        Snapshot::in_parts(|| self, || now)
    }

    /// The same without any stream or input.
    fn outline(&self, now: Timestamp) -> Snapshot {
        Snapshot {
            streams: Vec::new(),
            inputs: Vec::new(),
            warmed_up: self.warmed_up_views(),
            habits: self.habits.iter().map(|(&class, habits)| (class, habits.rates())).collect(),
            openings: self.openings.count(),
            tuners: self.tuners_view(now),
            tally: self.tally(),
        }
    }

    /// The first streams after that one, without their consumers.
    fn streams_after(&self, after: Option<StreamId>) -> Vec<StreamView> {
        let from = after.map_or(Bound::Unbounded, Bound::Excluded);
        let streams = self.streams.range((from, Bound::Unbounded)).take(PAGE);
        let views = streams
            .map(|(&id, stream)| StreamView::of(id, stream, (self.idle_since(id), self.cool_down_at(id))));
        views.collect()
    }

    /// The first inputs after that one, of those that are not being closed.
    fn inputs_after(&self, after: Option<InputId>) -> Vec<InputView> {
        let inputs = self.inputs.after(after).take(PAGE);
        let views = inputs.map(|(id, input)| {
            let mut items: Vec<_> = input
                .streams()
                .into_iter()
                .filter_map(|stream| Some(self.streams.get(&stream)?.key.channel.item.clone()))
                .collect();
            match input.key() {
                InputKey::Tap(channel) => items.push(channel.item.clone()),
                InputKey::Lineup(_) => {}
            }
            InputView::of(id, input, items)
        });
        views.collect()
    }

    /// The first consumers of a stream after that one, in the order of their ids.
    fn viewers_of(&self, stream: StreamId, after: Option<ConsumerId>, now: Timestamp) -> Vec<ConsumerView> {
        let consumers = self.crowd.of_stream_after(stream, after).take(PAGE);
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

    /// The memory that segments and inputs may take, in bytes.
    #[must_use]
    pub const fn memory_limit(&self) -> u64 {
        self.limits.memory
    }
}
