//! How often which request was not ours to answer: each miss is counted under its one spelling.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

/// Counts, by reason.
#[derive(Debug, Default)]
pub struct Misses(Mutex<BTreeMap<&'static str, u64>>);

impl Misses {
    /// Counts one.
    pub fn count(&self, reason: &'static str) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner).entry(reason).or_default() += 1;
    }

    /// All of them.
    #[must_use]
    pub fn counted(&self) -> BTreeMap<&'static str, u64> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}
