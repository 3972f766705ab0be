//! Holds a consumer present for as long as an answer to it is being sent.
//!
//! It does not know what the answer is.

use crate::supervisor::handle::Handle;
use domain::key::ConsumerId;

/// An answer that is being sent. Its consumer counts as present until it is dropped.
#[derive(Debug)]
pub struct Answering {
    handle: Handle,
    consumer: ConsumerId,
    outcome: Outcome,
}

#[derive(Clone, Copy, Debug)]
enum Outcome {
    /// The player has aborted the request. This is the outcome until another is set.
    Aborted,
    /// The answer was sent completely.
    Sent,
    /// The pool learns of the end by another call.
    Reported,
}

impl Answering {
    pub(super) fn new(handle: &Handle, consumer: ConsumerId) -> Self {
        Self { handle: handle.clone(), consumer, outcome: Outcome::Aborted }
    }

    /// Ends the answer, which was sent completely.
    pub fn sent(mut self) {
        self.outcome = Outcome::Sent;
    }

    pub(super) fn reported(mut self) {
        self.outcome = Outcome::Reported;
    }
}

impl Drop for Answering {
    fn drop(&mut self) {
        match self.outcome {
            Outcome::Reported => {}
            Outcome::Sent => self.handle.answer_ended(self.consumer, true),
            Outcome::Aborted => {
                self.handle.answer_ended(self.consumer, false);
                self.handle.wake();
            }
        }
    }
}
