//! The pool under its lock, with the clock that it is told the time by and the wake-up call for its driver.
//!
//! Everybody who has a question for the pool, or news, holds one. It decides nothing: the pool does.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::{Notify, watch};
use tokio::time::{Instant, timeout};

use crate::supervisor::ended_answers::{Ended, EndedAnswers};
use domain::key::ConsumerId;
use domain::pool::{Closing, Event, Pool};
use domain::time::Timestamp;

/// How long somebody who was denied a tuner waits for one of ours.
const TUNER_WAIT: Duration = Duration::from_secs(8);

/// See the module; clones are the same.
#[derive(Clone, Debug)]
pub(super) struct Handle(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    epoch: Instant,
    pool: Mutex<Pool>,
    ended_answers: EndedAnswers,
    /// Notified when the pool may have something to do, or an earlier deadline.
    wake: Notify,
    /// Changes after each turn of the driver.
    turns: watch::Sender<()>,
}

impl Handle {
    pub(super) fn new(pool: Pool) -> Self {
        let (turns, _) = watch::channel(());
        Self(Arc::new(Shared {
            epoch: Instant::now(),
            pool: Mutex::new(pool),
            ended_answers: EndedAnswers::default(),
            wake: Notify::new(),
            turns,
        }))
    }

    pub(super) fn now(&self) -> Timestamp {
        Timestamp::after_start(self.0.epoch.elapsed())
    }

    /// The moment that the pool calls `at`.
    pub(super) fn instant(&self, at: Timestamp) -> Instant {
        self.0.epoch + at.elapsed()
    }

    pub(super) fn pool(&self) -> MutexGuard<'_, Pool> {
        let mut pool = self.0.pool.lock().unwrap_or_else(PoisonError::into_inner);
        self.0.ended_answers.tell(&mut pool);
        pool
    }

    /// Asks the pool, and wakes the driver if that gives it something to do or an earlier deadline.
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

    /// Tells the pool what happened.
    pub(super) fn tell(&self, event: Event) {
        self.ask(|pool, now| pool.handle_event(event, now));
    }

    /// Tells the pool something that may stop streams or close inputs, and waits until those are gone. Says whether there
    /// were any, and all of them went in time.
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

    /// Somebody was denied a tuner: returns true once one of ours has been given back.
    pub(super) async fn free_tuner(&self) -> bool {
        self.tell_and_wait(Event::TunerDenied, TUNER_WAIT).await
    }

    /// Waits until `holds` is true of the pool; it is asked after each turn of the driver.
    pub(super) async fn until(&self, holds: impl Fn(&Pool) -> bool) {
        let mut turns = self.0.turns.subscribe();
        while !holds(&self.pool()) {
            // The sender lives as long as this handle.
            let _ = turns.changed().await;
        }
    }

    /// An answer has ended, which is urgent to nobody: the pool is told with the next question.
    pub(super) fn answer_ended(&self, consumer: ConsumerId, whole: bool) {
        self.0.ended_answers.push(Ended { consumer, whole, at: self.now() });
    }

    /// Wakes the driver.
    pub(super) fn wake(&self) {
        self.0.wake.notify_one();
    }

    /// Waits for the next wake-up call; one that came before is not lost.
    pub(super) async fn woken(&self) {
        self.0.wake.notified().await;
    }

    /// The driver has done what the pool asked for.
    pub(super) fn turned(&self) {
        self.0.turns.send_replace(());
    }
}

/// Random bits: never the same twice, and not to be guessed.
pub(super) fn random() -> u128 {
    let mut bytes = [0; 16];
    getrandom::fill(&mut bytes).expect("the system gives random bytes");
    u128::from_ne_bytes(bytes)
}
