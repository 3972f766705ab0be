//! Reckons whether the segments of one stream keep up with the clock.

use std::time::Duration;

use crate::time::Timestamp;

/// A stream is behind if its next segment is this much later than the longest one can be: a server's job is polled less
/// often than its segments appear.
const LATE: Duration = Duration::from_millis(500);

/// How the segments of a generation keep up with the clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Pace {
    /// When the newest segment was due, reckoned from the one that came earliest for its place in the stream.
    due: Timestamp,
}

impl Pace {
    /// The pace of a stream whose newest segment counts as due now.
    pub(super) const fn beginning(now: Timestamp) -> Self {
        Self { due: now }
    }

    /// The pace after another segment; `before` is `None` if it is the first.
    pub(super) fn after(before: Option<Self>, duration: Duration, now: Timestamp) -> Self {
        Self { due: before.map_or(now, |before| (before.due + duration).min(now)) }
    }

    /// When the stream is behind if no segment comes until then.
    pub(super) fn behind_at(self, target: Duration) -> Timestamp {
        self.due + target + LATE
    }
}
