//! Calls back at the end of a connection.
//!
//! It does not know what the end means to its listeners.

use std::collections::VecDeque;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// The number of callbacks of one connection. A player needs one; beyond the limit, the oldest is called early.
const KEPT: usize = 16;

type Then = Box<dyn FnOnce(bool) + Send>;

/// An accepted connection, in the extensions of each of its requests.
#[derive(Clone, Default)]
pub struct Connection(Arc<Mutex<VecDeque<(u128, Then)>>>);

impl Connection {
    /// Calls `then` once at the end of the connection, with whether the peer ended it, or earlier with `false` to make room. Each `key` has
    /// one callback; returns whether this one is new.
    pub fn at_end(&self, key: u128, then: impl FnOnce(bool) + Send + 'static) -> bool {
        let mut kept = self.kept();
        if kept.iter().any(|(known, _)| *known == key) {
            return false;
        }
        kept.push_back((key, Box::new(then)));
        let oldest = if kept.len() > KEPT { kept.pop_front() } else { None };
        drop(kept);
        if let Some((_, then)) = oldest {
            then(false);
        }
        true
    }

    /// The connection has ended.
    pub(super) fn ended(&self, by_peer: bool) {
        let kept = std::mem::take(&mut *self.kept());
        for (_, then) in kept {
            then(by_peer);
        }
    }

    fn kept(&self) -> MutexGuard<'_, VecDeque<(u128, Then)>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Connection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Connection")
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use super::*;

    #[test]
    fn each_is_told_once() {
        let (connection, (sender, told)) = (Connection::default(), mpsc::channel());
        let tell = |key: u128| {
            let sender = sender.clone();
            connection.at_end(key, move |by_peer| sender.send((key, by_peer)).unwrap())
        };
        assert!(tell(0) && !tell(0));
        for key in 1..=KEPT as u128 {
            assert!(tell(key));
        }
        assert_eq!(told.try_iter().collect::<Vec<_>>(), [(0, false)], "the oldest made room");
        connection.ended(true);
        connection.ended(true);
        assert_eq!(told.try_iter().collect::<Vec<_>>(), (1..=16).map(|key| (key, true)).collect::<Vec<_>>());
    }
}
