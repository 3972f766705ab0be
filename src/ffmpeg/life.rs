//! The state of a process from its start to its end, and the steps by which it is ended.
//!
//! ```text
//!             first output            stop                 patience             patience
//!  Starting ───────────────► Running ──────► Draining ───────────────► Interrupted ──────────► Killed
//!     │  └────────── stop ──────────────────────▲  │                       │                     │
//!     └───────────── exit ──────┴───── exit ───────┴──────── exit ─────────┴──────── exit ───────┴──► Reaped
//! ```
//!
//! Standard input carries the stream, so `q` cannot be sent: closing it is the request to finish. A process that waits
//! for a packet of its own source notices neither that nor SIGINT, and is killed. This module performs no step itself.

use std::time::Duration;

use domain::time::Timestamp;

/// The time limit for each step. A process that can finish does so at once.
const PATIENCE: Duration = Duration::from_secs(1);

/// The state of a process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Life {
    /// It has written nothing yet.
    Starting,
    /// It has written output.
    Running,
    /// Its input is closed; until then it may write the rest.
    Draining(Timestamp),
    /// It got SIGINT; until then it may end by itself.
    Interrupted(Timestamp),
    /// It got SIGKILL.
    Killed,
    /// It has ended, and its exit status was taken.
    Reaped,
}

/// A step to perform.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Act {
    /// Close its standard input.
    CloseInput,
    /// Send SIGINT to its group.
    Interrupt,
    /// Send SIGKILL to its group.
    Kill,
}

impl Life {
    /// It has written output.
    pub(super) fn produced(&mut self) {
        match self {
            Self::Starting => *self = Self::Running,
            Self::Running | Self::Draining(_) | Self::Interrupted(_) | Self::Killed | Self::Reaped => {}
        }
    }

    /// It is asked to end; the first step.
    pub(super) fn stop(&mut self, now: Timestamp) -> Option<Act> {
        match self {
            Self::Starting | Self::Running => {
                *self = Self::Draining(now + PATIENCE);
                Some(Act::CloseInput)
            }
            Self::Draining(_) | Self::Interrupted(_) | Self::Killed | Self::Reaped => None,
        }
    }

    /// Time has passed; the next step, if its time has come.
    pub(super) fn timeout(&mut self, now: Timestamp) -> Option<Act> {
        match self {
            Self::Draining(until) if *until <= now => {
                *self = Self::Interrupted(now + PATIENCE);
                Some(Act::Interrupt)
            }
            Self::Interrupted(until) if *until <= now => {
                *self = Self::Killed;
                Some(Act::Kill)
            }
            Self::Starting
            | Self::Running
            | Self::Draining(_)
            | Self::Interrupted(_)
            | Self::Killed
            | Self::Reaped => None,
        }
    }

    /// Its exit status was taken.
    pub(super) fn reaped(&mut self) {
        *self = Self::Reaped;
    }

    /// Whether nobody has asked it to end.
    #[must_use]
    pub(super) const fn is_wanted(self) -> bool {
        match self {
            Self::Starting | Self::Running => true,
            Self::Draining(_) | Self::Interrupted(_) | Self::Killed | Self::Reaped => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const AT: Timestamp = Timestamp::from_millis(5000);

    /// Every state meets every input; what is not in the diagram changes nothing.
    #[test]
    fn the_transitions_are_those_of_the_diagram() {
        let (before, later) = (Timestamp::from_millis(4999), AT + PATIENCE);
        let (draining, interrupted) = (Life::Draining(later), Life::Interrupted(later));
        let table = [
            (Life::Starting, Life::Running, (draining, Some(Act::CloseInput)), (Life::Starting, None)),
            (Life::Running, Life::Running, (draining, Some(Act::CloseInput)), (Life::Running, None)),
            (draining, draining, (draining, None), (draining, None)),
            (
                Life::Draining(AT),
                Life::Draining(AT),
                (Life::Draining(AT), None),
                (interrupted, Some(Act::Interrupt)),
            ),
            (
                Life::Draining(before),
                Life::Draining(before),
                (Life::Draining(before), None),
                (interrupted, Some(Act::Interrupt)),
            ),
            (interrupted, interrupted, (interrupted, None), (interrupted, None)),
            (
                Life::Interrupted(AT),
                Life::Interrupted(AT),
                (Life::Interrupted(AT), None),
                (Life::Killed, Some(Act::Kill)),
            ),
            (Life::Killed, Life::Killed, (Life::Killed, None), (Life::Killed, None)),
            (Life::Reaped, Life::Reaped, (Life::Reaped, None), (Life::Reaped, None)),
        ];
        for (life, produced, stopped, timed_out) in table {
            let mut after = life;
            after.produced();
            assert_eq!(after, produced);
            let mut after = life;
            let act = after.stop(AT);
            assert_eq!((after, act), stopped);
            let mut after = life;
            let act = after.timeout(AT);
            assert_eq!((after, act), timed_out);
            after.reaped();
            assert_eq!((after, after.is_wanted()), (Life::Reaped, false));
            assert_eq!(life.is_wanted(), matches!(life, Life::Starting | Life::Running));
        }
    }
}
