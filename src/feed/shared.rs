//! The ring and the counters that the puller and the readers share, under a lock that is never held across an await.

use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::memory::Mapped;
use domain::ring::{Ring, Size};

/// The counters of a feed since it began.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Bytes of whole packets.
    pub bytes: u64,
    /// Bytes outside any packet.
    pub skipped: u64,
    /// How often the packet alignment was lost.
    pub resyncs: u64,
    /// How often packets were missing or out of order.
    pub continuity_errors: u64,
    /// How often an input was opened.
    pub connections: u64,
    /// How often the stream did not continue what came before.
    pub splices: u64,
    /// Readers that were too slow.
    pub readers_dropped: u64,
    /// The memory of the ring, in bytes.
    pub held: u64,
    /// The mean bitrate over the ring, in bit/s.
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
