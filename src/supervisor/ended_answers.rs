//! Collects the ends of answers until the pool is locked for another reason, since they are not urgent.
//!
//! It does not know what an answer was about.

use std::sync::{Mutex, PoisonError};

use domain::key::ConsumerId;
use domain::pool::Pool;
use domain::time::Timestamp;

/// The ends of answers that the pool has not been told of.
#[derive(Debug, Default)]
pub(super) struct EndedAnswers(Mutex<Vec<Ended>>);

/// The end of one answer.
#[derive(Debug)]
pub(super) struct Ended {
    /// The consumer that was answered.
    pub(super) consumer: ConsumerId,
    /// Whether all of the answer was sent. If not, the player has aborted the request.
    pub(super) complete: bool,
    /// When it ended.
    pub(super) at: Timestamp,
}

impl EndedAnswers {
    pub(super) fn push(&self, ended: Ended) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(ended);
    }

    /// Tells the pool of all ends, and clears the list.
    pub(super) fn tell(&self, pool: &mut Pool) {
        let mut ended = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        for Ended { consumer, complete, at } in ended.drain(..) {
            pool.answer_ended(consumer, complete, at);
        }
    }
}
