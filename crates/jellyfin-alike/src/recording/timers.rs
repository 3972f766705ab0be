//! The timers of a server and the states that they go through (`TimerManager.cs`). What is recorded is not known here.
//!
//! ```text
//!            opened                    end
//!     New ───────────► InProgress ───────────► Completed
//!     │ ▲                   │
//!     │ └───────────────────┤ input lost: again after `Delays::retry`
//!     └── not opened ───────┴──► after 10 retries, or after the end: Deleted
//! ```

use std::sync::Mutex;
use std::time::{Duration, SystemTime};

use tokio_util::sync::CancellationToken;

use crate::lock::lock;
use crate::recording::timer::Timer;

/// How often a failed recording is tried again.
const RETRIES: u32 = 10;

/// The state of a timer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    /// It is not due, or waits to be tried again.
    New,
    /// It is being recorded.
    InProgress,
    /// It was recorded to its end.
    Completed,
    /// A client cancelled it.
    Cancelled,
    /// It failed too often, or its end has passed.
    Deleted,
}

/// A timer, and what became of it.
#[derive(Clone, Debug)]
pub struct Recording {
    /// The timer as it is now. After a failure it starts at the next try and has no pre-padding.
    pub timer: Timer,
    /// The timer as it was scheduled.
    pub scheduled: Timer,
    /// Its state.
    pub status: Status,
    /// How often its channel could not be opened, or was lost.
    pub failures: u32,
    /// How often its channel was lost, of `failures`.
    pub losses: u32,
    /// When the recording first began.
    pub began: Option<SystemTime>,
}

impl Recording {
    /// How long after its time the recording began; `None` if it has not.
    #[must_use]
    pub fn late(&self) -> Option<Duration> {
        Some(self.began?.duration_since(self.scheduled.due()).unwrap_or_default())
    }

    /// How much of the pre-padding was lost; `None` if the recording has not begun.
    #[must_use]
    pub fn lost_pre_padding(&self) -> Option<Duration> {
        self.late().map(|late| late.min(self.scheduled.pre_padding))
    }
}

impl Status {
    /// The status as a `TimerInfoDto` has it (`RecordingStatus.cs`).
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::New => "New",
            Self::InProgress => "InProgress",
            Self::Completed => "Completed",
            Self::Cancelled => "Cancelled",
            Self::Deleted => "Error",
        }
    }
}

/// The timers of one server.
#[derive(Debug, Default)]
pub(crate) struct Timers(Mutex<Vec<Entry>>);

#[derive(Debug)]
struct Entry {
    recording: Recording,
    cancelled: CancellationToken,
}

impl Timers {
    /// All timers, in the order in which they were scheduled.
    pub(crate) fn all(&self) -> Vec<Recording> {
        lock(&self.0).iter().map(|entry| entry.recording.clone()).collect()
    }

    /// Cancels a timer and ends its recording. Returns whether it was waiting or being recorded.
    pub(crate) fn cancel(&self, id: &str) -> bool {
        let mut entries = lock(&self.0);
        let mut open = entries.iter_mut().filter(|entry| entry.recording.timer.id == id && entry.is_open());
        let Some(entry) = open.next() else { return false };
        entry.recording.status = Status::Cancelled;
        entry.cancelled.cancel();
        true
    }

    /// The timers that a restarted server still has, as they are now.
    pub(crate) fn open(&self) -> Vec<Timer> {
        lock(&self.0)
            .iter()
            .filter(|entry| entry.is_open())
            .map(|entry| entry.recording.timer.clone())
            .collect()
    }

    /// Adds a timer, and returns its cancellation.
    pub(crate) fn add(&self, timer: Timer) -> CancellationToken {
        let cancelled = CancellationToken::new();
        let recording = Recording {
            scheduled: timer.clone(),
            timer,
            status: Status::New,
            failures: 0,
            losses: 0,
            began: None,
        };
        lock(&self.0).push(Entry { recording, cancelled: cancelled.clone() });
        cancelled
    }

    /// The timer, if it is still to be recorded.
    pub(crate) fn pending(&self, id: &str) -> Option<Timer> {
        let entries = lock(&self.0);
        let entry = entries.iter().find(|entry| entry.recording.timer.id == id && entry.is_open())?;
        Some(entry.recording.timer.clone())
    }

    pub(crate) fn change(&self, id: &str, change: impl FnOnce(&mut Recording)) {
        let mut entries = lock(&self.0);
        if let Some(entry) =
            entries.iter_mut().find(|entry| entry.recording.timer.id == id && entry.is_open())
        {
            change(&mut entry.recording);
        }
    }
}

impl Entry {
    fn is_open(&self) -> bool {
        match self.recording.status {
            Status::New | Status::InProgress => true,
            Status::Completed | Status::Cancelled | Status::Deleted => false,
        }
    }
}

impl Recording {
    pub(crate) fn begin(&mut self) {
        self.status = Status::InProgress;
        self.began.get_or_insert_with(SystemTime::now);
    }

    pub(crate) fn fail(&mut self, retry: Duration) {
        self.failures += 1;
        let now = SystemTime::now();
        if self.failures > RETRIES || now >= self.timer.end {
            self.status = Status::Deleted;
            return;
        }
        self.status = Status::New;
        self.timer.pre_padding = Duration::ZERO;
        self.timer.start = now + retry;
    }
}
