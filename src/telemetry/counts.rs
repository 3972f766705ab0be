//! Counts what happens, by a kind of which there are few. It costs no lock.
//!
//! It does not know what the kinds are.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use domain::reason::RouteClass;
use http::StatusCode;

/// Counts by the number of the kind. Clones share the counts.
#[derive(Clone, Debug)]
pub struct Counts(Arc<[AtomicU64]>);

impl Counts {
    /// Nothing has happened yet, of so many kinds.
    #[must_use]
    pub fn of(kinds: usize) -> Self {
        Self((0..kinds).map(|_| AtomicU64::new(0)).collect())
    }

    /// Something of a kind has happened.
    pub fn add(&self, kind: usize) {
        if let Some(count) = self.0.get(kind) {
            count.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// How often something of a kind has happened.
    #[must_use]
    pub fn get(&self, kind: usize) -> u64 {
        self.0.get(kind).map_or(0, |count| count.load(Ordering::Relaxed))
    }
}

/// The classes of statuses, by their first digit.
pub const STATUS_CLASSES: [&str; 5] = ["1xx", "2xx", "3xx", "4xx", "5xx"];

/// Counts requests by what they are about, and how they were answered. Clones share the counts.
#[derive(Clone, Debug)]
pub struct Requests(Counts);

impl Default for Requests {
    fn default() -> Self {
        Self(Counts::of(RouteClass::ALL.len() * STATUS_CLASSES.len()))
    }
}

impl Requests {
    /// A request has been answered.
    pub fn add(&self, class: RouteClass, status: StatusCode) {
        let status = usize::from(status.as_u16() / 100).clamp(1, STATUS_CLASSES.len()) - 1;
        self.0.add(place(class, status));
    }

    /// How many requests about this were answered with each class of status.
    #[must_use]
    pub fn get(&self, class: RouteClass) -> [u64; STATUS_CLASSES.len()] {
        std::array::from_fn(|status| self.0.get(place(class, status)))
    }
}

const fn place(class: RouteClass, status: usize) -> usize {
    class as usize * STATUS_CLASSES.len() + status
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_are_counted_by_class_and_status() {
        let requests = Requests::default();
        for status in [200, 206, 404, 599, 999] {
            requests.clone().add(RouteClass::Segment, StatusCode::from_u16(status).unwrap());
        }
        requests.add(RouteClass::Other, StatusCode::SWITCHING_PROTOCOLS);
        assert_eq!(requests.get(RouteClass::Segment), [0, 2, 0, 1, 2]);
        assert_eq!(requests.get(RouteClass::Other), [1, 0, 0, 0, 0]);
        assert_eq!(requests.get(RouteClass::Playlist), [0; 5]);
    }
}
