//! What the handle, the driver and the generations have in common.
//!
//! It decides nothing: the pool does.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::{Instant, timeout};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::feed;
use crate::supervisor::access::Access;
use crate::supervisor::caller::Caller;
use crate::supervisor::encode::Encoding;
use crate::supervisor::ended_answers::EndedAnswers;
use crate::supervisor::feeds::{Feeds, Source};
use crate::supervisor::hardware::ServerHardware;
use crate::supervisor::known::Known;
use crate::supervisor::provider::Provider;
use crate::supervisor::reap::Leftovers;
use crate::supervisor::returns::Returns;
use crate::supervisor::stream::{Brief, Stream, WindowSize};
use crate::upstream::jellyfin::{Jellyfin, Login};
use crate::upstream::ledger::Ledger;
use domain::key::StreamId;
use domain::pool::{Event, Pool};
use domain::time::Timestamp;

/// How long somebody who was denied a tuner waits for one of ours.
const TUNER_WAIT: Duration = Duration::from_secs(8);

/// See the module.
#[derive(Debug)]
pub(super) struct Shared {
    pub(super) epoch: Instant,
    pub(super) pool: Mutex<Pool>,
    pub(super) ended_answers: EndedAnswers,
    /// Rung when the pool may have something to do, or an earlier deadline.
    pub(super) bell: Notify,
    pub(super) streams: RwLock<HashMap<StreamId, Arc<Stream>>>,
    pub(super) jellyfin: Jellyfin,
    pub(super) own: Option<Login>,
    pub(super) feeds: Feeds,
    pub(super) feed_limits: feed::Limits,
    /// Where the lineup's channels come from, if there is one.
    pub(super) provider: Option<Provider>,
    /// How many inputs are open, at most, for nobody but who is expected.
    pub(super) expected: usize,
    /// How long a feed is kept for who has read it and left.
    pub(super) warm_feed: Duration,
    pub(super) encoding: Option<Encoding>,
    pub(super) known: Known,
    pub(super) hardware: ServerHardware,
    pub(super) ledger: Arc<Ledger>,
    pub(super) leftovers: Arc<Leftovers>,
    pub(super) returns: Returns,
    pub(super) size: WindowSize,
    pub(super) generations: TaskTracker,
    /// Nobody is waited for any more.
    pub(super) draining: CancellationToken,
    pub(super) ended: CancellationToken,
}

impl Shared {
    pub(super) fn now(&self) -> Timestamp {
        Timestamp::after_start(self.epoch.elapsed())
    }

    pub(super) fn pool(&self) -> MutexGuard<'_, Pool> {
        let mut pool = self.pool.lock().unwrap_or_else(PoisonError::into_inner);
        self.ended_answers.tell(&mut pool);
        pool
    }

    /// Asks the pool, and wakes the driver if that gives it something to do or an earlier deadline.
    pub(super) fn ask<T>(&self, question: impl FnOnce(&mut Pool, Timestamp) -> T) -> T {
        let mut pool = self.pool();
        let answer = question(&mut pool, self.now());
        let needs_driver = pool.needs_driver();
        drop(pool);
        if needs_driver {
            self.bell.notify_one();
        }
        answer
    }

    pub(super) fn tell(&self, event: Event) {
        self.ask(|pool, now| pool.handle_event(event, now));
    }

    /// Somebody was denied a tuner: returns true once one of ours has been given back.
    pub(super) async fn free_tuner(&self) -> bool {
        if self.feeds.close_unread().await {
            return true;
        }
        let stopped = self.stop_and_wait(Event::TunerDenied, TUNER_WAIT).await;
        // What was made from a feed goes before the feed, which may be kept for a reader who has left.
        self.feeds.close_unread().await || stopped
    }

    /// As whom, and how, the server is called about a channel.
    pub(super) fn caller(&self, access: &Arc<Access>) -> Caller {
        Caller {
            jellyfin: self.jellyfin.clone(),
            access: Arc::clone(access),
            own: self.own.clone(),
            ledger: Arc::clone(&self.ledger),
            leftovers: Arc::clone(&self.leftovers),
        }
    }

    /// Nobody is expected any more on these channels.
    pub(super) async fn expect_no_more(&self, sources: Vec<Source>) {
        for source in sources {
            self.feeds.nobody_is_expected(&source).await;
        }
    }

    /// Tells the pool something that may stop streams, and waits for the stopped ones to be released.
    pub(super) async fn stop_and_wait(&self, event: Event, patience: Duration) -> bool {
        let (before, after) = {
            let mut pool = self.pool();
            let before = pool.running();
            pool.handle_event(event, self.now());
            (before, pool.running())
        };
        self.bell.notify_one();
        let stopped = before.into_iter().filter(|stream| !after.contains(stream));
        let stopped: Vec<_> = stopped.filter_map(|stream| self.stream(stream)).collect();
        let all_retired = async {
            for stream in &stopped {
                stream.retired().await;
            }
        };
        !stopped.is_empty() && timeout(patience, all_retired).await.is_ok()
    }

    pub(super) fn stream(&self, id: StreamId) -> Option<Arc<Stream>> {
        self.streams.read().unwrap_or_else(PoisonError::into_inner).get(&id).cloned()
    }

    pub(super) fn stream_or_insert(&self, id: StreamId, brief: impl FnOnce() -> Brief) -> Arc<Stream> {
        if let Some(stream) = self.stream(id) {
            return stream;
        }
        let mut streams = self.streams.write().unwrap_or_else(PoisonError::into_inner);
        let stream = streams.entry(id).or_insert_with(|| Arc::new(Stream::new(brief(), self.size)));
        Arc::clone(stream)
    }

    /// Closes what was left open, if anything was, as the gateway itself or as `login`, which belongs to `user`.
    pub(super) fn reap(self: &Arc<Self>, login: Login, user: Option<&str>) {
        let left = self.leftovers.take();
        if !left.is_empty() {
            let shared = Arc::clone(self);
            let (login, user) = match &self.own {
                Some(own) => (own.clone(), None),
                None => (login, user.map(str::to_owned)),
            };
            self.generations.spawn(async move {
                shared.leftovers.close(left, &shared.jellyfin, &login, user.as_deref()).await;
            });
        }
    }

    pub(super) fn remove(&self, id: StreamId) -> Option<Arc<Stream>> {
        self.streams.write().unwrap_or_else(PoisonError::into_inner).remove(&id)
    }
}

/// Drawn by chance: never the same twice, and not to be guessed.
pub(super) fn random() -> u128 {
    let mut bytes = [0; 16];
    getrandom::fill(&mut bytes).expect("the system gives random bytes");
    u128::from_ne_bytes(bytes)
}
