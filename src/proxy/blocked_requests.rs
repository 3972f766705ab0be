//! Bounds how many playlist requests are blocked at once, per viewer and in all.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use domain::key::ConsumerId;
use domain::multiset::Multiset;

/// Blocked requests of one viewer: its current one, and one that it has abandoned without the gateway knowing yet.
const PER_CONSUMER: usize = 2;
/// Viewers with blocked requests: a quarter of the connections that the listener accepts.
const IN_ALL: usize = 1024;

/// The number of blocked requests of each consumer.
#[derive(Clone, Debug, Default)]
pub(super) struct BlockedRequests(Arc<Mutex<Multiset<ConsumerId>>>);

impl BlockedRequests {
    /// Admits one more blocked request of `consumer`, which counts until the permit is dropped; `None` if there are too many.
    pub(super) fn admit(&self, consumer: ConsumerId) -> Option<Permit> {
        let mut counts = self.counts();
        let admitted = match counts.count(&consumer) {
            0 => counts.len() < IN_ALL,
            own => own < PER_CONSUMER,
        };
        if admitted {
            counts.add(consumer);
        }
        admitted.then(|| Permit { blocked: self.clone(), consumer })
    }

    fn counts(&self) -> MutexGuard<'_, Multiset<ConsumerId>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One blocked request.
#[derive(Debug)]
pub(super) struct Permit {
    blocked: BlockedRequests,
    consumer: ConsumerId,
}

impl Drop for Permit {
    fn drop(&mut self) {
        self.blocked.counts().take(&self.consumer);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocked_requests_are_bounded_and_leave_nothing() {
        let blocked = BlockedRequests::default();
        let one = ConsumerId::from_bits(0);
        let permits: Vec<_> = (0..PER_CONSUMER).map(|_| blocked.admit(one).unwrap()).collect();
        assert!(blocked.admit(one).is_none(), "one viewer");
        let others = (1..).map_while(|bits| blocked.admit(ConsumerId::from_bits(bits))).collect::<Vec<_>>();
        assert_eq!(others.len() + 1, IN_ALL, "all together");
        assert_eq!(blocked.counts().len(), IN_ALL);
        drop((permits, others));
        assert_eq!(blocked.counts().len(), 0);
    }
}
