//! What became of the last notices.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::SystemTime;

use domain::lineup::source::SourceUrl;
use domain::notice::Notice;
use domain::reason::NoticeKind;

/// How many deliveries are kept.
const KEPT: usize = 100;

/// A notice for one address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Delivery {
    /// Its number; later ones have higher numbers.
    pub id: u64,
    /// When it was to be told.
    pub at: SystemTime,
    /// What it is of.
    pub kind: NoticeKind,
    /// To whom: scheme and host.
    pub to: String,
    /// How often it has been tried.
    pub attempts: u32,
    /// What became of it.
    pub outcome: Outcome,
    /// The status of the last answer, or why there was none.
    pub answer: Option<String>,
}

/// What became of a delivery.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It waits for its turn, or for the next attempt.
    Waiting,
    /// It was taken.
    Delivered,
    /// It was refused, or not taken after the last attempt.
    Failed,
    /// Too many waited before it.
    Dropped,
}

impl Outcome {
    /// The one spelling.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Waiting => "waiting",
            Self::Delivered => "delivered",
            Self::Failed => "failed",
            Self::Dropped => "dropped",
        }
    }
}

/// The last deliveries. Clones share them.
#[derive(Clone, Debug, Default)]
pub(super) struct Log(Arc<Mutex<(u64, VecDeque<Delivery>)>>);

impl Log {
    /// A notice is to be told to `url`. Returns the delivery's number.
    pub(super) fn begin(&self, notice: &Notice, url: &SourceUrl) -> u64 {
        let mut log = self.lock();
        let (next, deliveries) = &mut *log;
        let id = *next;
        *next += 1;
        deliveries.push_back(Delivery {
            id,
            at: SystemTime::now(),
            kind: notice.kind,
            to: url.to_string(),
            attempts: 0,
            outcome: Outcome::Waiting,
            answer: None,
        });
        if deliveries.len() > KEPT {
            deliveries.pop_front();
        }
        id
    }

    /// A delivery was tried, with this answer.
    pub(super) fn tried(&self, id: u64, answer: String) {
        self.change(id, |delivery| {
            delivery.attempts += 1;
            delivery.answer = Some(answer);
        });
    }

    /// A delivery is over.
    pub(super) fn end(&self, id: u64, outcome: Outcome) {
        self.change(id, |delivery| delivery.outcome = outcome);
    }

    pub(super) fn all(&self) -> Vec<Delivery> {
        self.lock().1.iter().cloned().collect()
    }

    fn change(&self, id: u64, change: impl FnOnce(&mut Delivery)) {
        // The oldest may be forgotten meanwhile.
        if let Some(delivery) = self.lock().1.iter_mut().find(|delivery| delivery.id == id) {
            change(delivery);
        }
    }

    fn lock(&self) -> MutexGuard<'_, (u64, VecDeque<Delivery>)> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
