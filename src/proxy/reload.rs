//! Playlist requests that are held until the segment they name is there (`viewers.blocking_reload`).
//!
//! Held for a bounded time, and a bounded number of them. Whose request is held is there; whoever gives it up says so.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use http::StatusCode;

use crate::proxy::Gateway;
use crate::proxy::query::Query;
use crate::supervisor::Lease;
use domain::key::ConsumerId;
use domain::reason::ReloadRefusal;
use domain::reload;

/// Held requests of one viewer: one, and one that it has given up without our knowing yet.
const OF_ONE: usize = 2;
/// Held requests in all: a quarter of the connections there can be.
const IN_ALL: usize = 1024;

/// How many requests are held, by consumer.
#[derive(Clone, Debug, Default)]
pub struct Held(Arc<Mutex<BTreeMap<ConsumerId, usize>>>);

/// One held request.
#[derive(Debug)]
struct Place {
    held: Held,
    consumer: ConsumerId,
}

impl Held {
    fn place(&self, consumer: ConsumerId) -> Option<Place> {
        let mut counts = self.counts();
        let all: usize = counts.values().sum();
        let own = counts.entry(consumer).or_default();
        let free = all < IN_ALL && *own < OF_ONE;
        if free {
            *own += 1;
        } else if *own == 0 {
            counts.remove(&consumer);
        }
        free.then(|| Place { held: self.clone(), consumer })
    }

    fn counts(&self) -> MutexGuard<'_, BTreeMap<ConsumerId, usize>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut counts = self.held.counts();
        if let Some(count) = counts.get_mut(&self.consumer) {
            *count -= 1;
            if *count == 0 {
                counts.remove(&self.consumer);
            }
        }
    }
}

impl Gateway {
    /// The segment that a request waits for, if requests are held at all.
    pub(super) fn waits_for(&self, query: &Query) -> Result<Option<u64>, ReloadRefusal> {
        if self.blocking_reload {
            reload::wanted(query.get("_HLS_msn"), query.get("_HLS_part"))
        } else {
            Ok(None)
        }
    }

    /// Returns once the segment is there that is waited for.
    pub(super) async fn hold(&self, lease: &Lease, wanted: Option<u64>) -> Result<(), ReloadRefusal> {
        let Some(wanted) = wanted else { return Ok(()) };
        match reload::answer(wanted, lease.stream.newest()) {
            reload::Answer::Serve => Ok(()),
            reload::Answer::Refuse(refusal) => Err(refusal),
            reload::Answer::Wait => {
                let _place = self.held.place(lease.consumer).ok_or(ReloadRefusal::Crowded)?;
                if lease.stream.reaches(wanted).await { Ok(()) } else { Err(ReloadRefusal::Late) }
            }
        }
    }
}

/// The status that a refusal earns (RFC 8216bis 6.2.5.2).
pub(super) const fn status(refusal: ReloadRefusal) -> StatusCode {
    match refusal {
        ReloadRefusal::Malformed | ReloadRefusal::PartAlone | ReloadRefusal::TooFarAhead => {
            StatusCode::BAD_REQUEST
        }
        ReloadRefusal::Late | ReloadRefusal::Crowded => StatusCode::SERVICE_UNAVAILABLE,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn held_requests_are_bounded_and_leave_nothing() {
        let held = Held::default();
        let one = ConsumerId::from_bits(0);
        let places: Vec<_> = (0..OF_ONE).map(|_| held.place(one).unwrap()).collect();
        assert!(held.place(one).is_none(), "one viewer");
        let others = (1..).map_while(|bits| held.place(ConsumerId::from_bits(bits))).collect::<Vec<_>>();
        assert_eq!(others.len() + OF_ONE, IN_ALL, "all together");
        assert_eq!(held.counts().len(), IN_ALL - 1);
        drop((places, others));
        assert_eq!(held.counts().len(), 0);
    }
}
