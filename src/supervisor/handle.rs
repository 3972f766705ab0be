//! Shares the pool under a lock, with the clock that gives it the time and the wake-up call for its driver.
//!
//! Every part of the supervisor that queries the pool or reports an event holds a handle. The handle decides nothing.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::{Notify, watch};
use tokio::time::{Instant, sleep_until, timeout};

use crate::supervisor::clock::{Clock, GoOn};
use crate::supervisor::ended_answers::{Ended, EndedAnswers};
use domain::key::{ConsumerId, MediaSourceId};
use domain::pool::{Closing, Event, Open, Pool};
use domain::reload::HELD;
use domain::time::Timestamp;
use domain::viewer::Viewer;

/// How long a caller that was denied a tuner waits until the gateway has freed one.
const TUNER_WAIT: Duration = Duration::from_secs(8);

/// A handle to the one pool. Clones share it.
#[derive(Clone, Debug)]
pub(super) struct Handle(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    clock: Clock,
    /// When the first of the processes that have followed one another began.
    first: Timestamp,
    pool: Mutex<Pool>,
    ended_answers: EndedAnswers,
    /// Notified when the pool may have actions, or an earlier deadline.
    wake: Notify,
    /// Changes after each turn of the driver, that is after it has performed all actions.
    turns: watch::Sender<()>,
}

impl Handle {
    /// A handle to `pool`, whose clock shows `begin` now. The first of the processes that have followed one another began at `first`.
    pub(super) fn new(pool: Pool, begin: Timestamp, first: Timestamp) -> Self {
        let (turns, _) = watch::channel(());
        Self(Arc::new(Shared {
            clock: Clock::showing(begin),
            first,
            pool: Mutex::new(pool),
            ended_answers: EndedAnswers::default(),
            wake: Notify::new(),
            turns,
        }))
    }

    /// The present, on the pool's clock.
    pub(super) fn now(&self) -> Timestamp {
        self.0.clock.now()
    }

    /// Stops the pool's clock.
    pub(super) fn stand_still(&self) {
        self.0.clock.stop();
    }

    /// Has the pool's clock go on: with what it shows, or with the present.
    pub(super) fn go_on(&self, from: GoOn) {
        self.0.clock.go_on(from);
    }

    /// When the first of the processes that have followed one another began.
    pub(super) fn first(&self) -> Timestamp {
        self.0.first
    }

    /// Waits until a viewer's request for a playlist cannot be one that was under way when its device tuned away, or until it has been
    /// held as long as any.
    pub(super) async fn until_no_straggler(&self, viewer: &Viewer) {
        let straggles_until = self.pool().straggles_until(viewer, self.now());
        if let Some(until) = straggles_until {
            sleep_until(self.instant(until).min(Instant::now() + HELD)).await;
        }
    }

    /// Converts a time of the pool's clock to tokio's.
    pub(super) fn instant(&self, at: Timestamp) -> Instant {
        self.0.clock.instant(at)
    }

    /// Locks the pool.
    pub(super) fn pool(&self) -> MutexGuard<'_, Pool> {
        let mut pool = self.0.pool.lock().unwrap_or_else(PoisonError::into_inner);
        self.0.ended_answers.tell(&mut pool);
        pool
    }

    /// Calls the pool, and wakes the driver if the pool then has actions or an earlier deadline.
    pub(super) fn ask<T>(&self, question: impl FnOnce(&mut Pool, Timestamp) -> T) -> T {
        let mut pool = self.pool();
        let answer = question(&mut pool, self.now());
        let needs_driver = pool.needs_driver();
        drop(pool);
        if needs_driver {
            self.wake();
        }
        answer
    }

    /// Tells the pool of an event.
    pub(super) fn tell(&self, event: Event) {
        self.ask(|pool, now| pool.handle_event(event, now));
    }

    /// Tells the pool of an event when the value is dropped, so also after a panic of the task that holds it: what is being closed
    /// must not count as that for ever. The driver is woken, since somebody may wait for it.
    pub(super) fn tell_at_end(&self, event: Event) -> AtEnd {
        AtEnd { handle: self.clone(), event: Some(event) }
    }

    /// Tells the pool of an event, and waits until the streams and inputs that it thereby stops and closes are gone. Returns
    /// false if there are none, or if they are not gone after `patience`.
    pub(super) async fn tell_and_wait(&self, event: Event, patience: Duration) -> bool {
        let new: Closing = self.ask(|pool, now| {
            let before = pool.closing();
            pool.handle_event(event, now);
            &pool.closing() - &before
        });
        if new.is_empty() {
            return false;
        }
        let gone = self.until(|pool| pool.closing().is_disjoint(&new));
        timeout(patience, gone).await.is_ok()
    }

    /// Tells the pool of a shortage, and waits until everything that is being closed is gone: a tuner or a connection that is
    /// about to be free is as good as one that is freed now. Returns false if nothing is, or if it is not gone after `patience`.
    pub(super) async fn tell_shortage(&self, event: Event, patience: Duration) -> bool {
        let closing: Closing = self.ask(|pool, now| {
            pool.handle_event(event, now);
            pool.closing()
        });
        if closing.is_empty() {
            return false;
        }
        let gone = async {
            let mut awaited = closing;
            while !awaited.is_empty() {
                self.until(|pool| pool.closing().is_disjoint(&awaited)).await;
                // What the server has opened for a client that has gone is closed next.
                let is_followed = awaited.iter().any(|open| matches!(open, Open::Asking(_)));
                awaited = if is_followed { self.pool().closing() } else { Closing::new() };
            }
        };
        timeout(patience, gone).await.is_ok()
    }

    /// Asks the pool to free a tuner for `wanted`, if that is known. Returns true once everything that was being closed is closed.
    pub(super) async fn free_tuner(&self, wanted: Option<MediaSourceId>) -> bool {
        self.tell_shortage(Event::TunerDenied(wanted), TUNER_WAIT).await
    }

    /// What may free a tuner without anybody's doing: what is being closed, and the openings that the server works on.
    pub(super) fn unsettled(&self) -> BTreeSet<Open> {
        let pool = self.pool();
        &pool.closing() | &pool.undecided()
    }

    /// Waits until it is known how the openings end that the server works on, unless a tuner is free anyway, for a while. Returns
    /// whether any of them has ended or lost its client, or any of what was unsettled `before` has ended.
    pub(super) async fn settle(&self, before: &BTreeSet<Open>, wanted: Option<&MediaSourceId>) -> bool {
        let (undecided, is_free) = self.ask(|pool, now| (pool.undecided(), pool.is_tuner_free(wanted, now)));
        if !is_free {
            // As many as have ended by then count.
            let _ = timeout(TUNER_WAIT, self.until(|pool| pool.undecided().is_disjoint(&undecided))).await;
        }
        !undecided.is_subset(&self.pool().undecided()) || !before.is_subset(&self.unsettled())
    }

    /// The same for a recording that begins at once, unless a tuner is known to be free.
    pub(super) async fn free_tuner_for_recording(&self, wanted: Option<MediaSourceId>) -> bool {
        self.tell_shortage(Event::RecordingBegins(wanted), TUNER_WAIT).await
    }

    /// Waits until `holds` is true, which is checked after each turn of the driver.
    pub(super) async fn until(&self, holds: impl Fn(&Pool) -> bool) {
        let mut turns = self.0.turns.subscribe();
        while !holds(&self.pool()) {
            // The sender lives as long as this handle.
            let _ = turns.changed().await;
        }
    }

    /// Records the end of an answer. The pool is told when it is next locked, since the end is not urgent.
    pub(super) fn answer_ended(&self, consumer: ConsumerId, complete: bool) {
        self.0.ended_answers.push(Ended { consumer, complete, at: self.now() });
    }

    /// Wakes the driver.
    pub(super) fn wake(&self) {
        self.0.wake.notify_one();
    }

    /// Waits for the next wake-up call. A call that came earlier is not lost.
    pub(super) async fn woken(&self) {
        self.0.wake.notified().await;
    }

    /// Announces that the driver has performed all actions of its turn.
    pub(super) fn turned(&self) {
        self.0.turns.send_replace(());
    }
}

/// An event that is yet to be told.
#[derive(Debug)]
pub(super) struct AtEnd {
    handle: Handle,
    event: Option<Event>,
}

impl Drop for AtEnd {
    fn drop(&mut self) {
        if let Some(event) = self.event.take() {
            self.handle.tell(event);
            self.handle.wake();
        }
    }
}

/// Random bits: never the same twice, and not to be guessed.
pub fn random() -> u128 {
    let mut bytes = [0; 16];
    getrandom::fill(&mut bytes).expect("the system gives random bytes");
    u128::from_ne_bytes(bytes)
}
