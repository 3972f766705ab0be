//! What the puller and the readers of a feed share: the ring, under a lock that is never held across a wait.

use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::memory::Mapped;
use domain::ring::{Ring, Size};

/// What a feed has done since it began.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Bytes of whole packets.
    pub bytes: u64,
    /// Bytes that belonged to no packet.
    pub skipped: u64,
    /// How often packets had to be looked for anew.
    pub resyncs: u64,
    /// How often packets were missing or out of order.
    pub continuity_errors: u64,
    /// How often an input was opened.
    pub connections: u64,
    /// How often what came did not continue what had come.
    pub splices: u64,
    /// Readers that were too slow.
    pub readers_dropped: u64,
    /// Memory that the ring takes.
    pub held: u64,
    /// Bits in a second, over what the ring holds.
    pub bitrate: Option<u64>,
}

#[derive(Debug)]
pub(super) struct Guarded {
    pub(super) ring: Ring<Mapped>,
    pub(super) counts: Counts,
}

#[derive(Debug)]
pub(super) struct Shared(Mutex<Guarded>);

impl Shared {
    pub(super) fn new(size: Size) -> Self {
        Self(Mutex::new(Guarded { ring: Ring::in_memory(size), counts: Counts::default() }))
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, Guarded> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn counts(&self) -> Counts {
        let guarded = self.lock();
        Counts { held: guarded.ring.held(), bitrate: guarded.ring.bitrate(), ..guarded.counts }
    }
}
