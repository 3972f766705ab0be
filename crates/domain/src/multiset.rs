//! Counts how often each of several things is there.

use std::collections::BTreeMap;
use std::ops::RangeBounds;

/// A set in which a thing may be more than once. What is in it no more takes no memory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Multiset<K>(BTreeMap<K, usize>);

impl<K> Default for Multiset<K> {
    fn default() -> Self {
        Self(BTreeMap::new())
    }
}

impl<K: Ord> Multiset<K> {
    /// Adds a thing once more.
    pub fn add(&mut self, thing: K) {
        *self.0.entry(thing).or_default() += 1;
    }

    /// Takes a thing out once. Returns how often it is still there; `None` if it was not.
    pub fn take(&mut self, thing: &K) -> Option<usize> {
        let count = self.0.get_mut(thing)?;
        *count -= 1;
        let left = *count;
        if left == 0 {
            self.0.remove(thing);
        }
        Some(left)
    }

    /// How often a thing is there.
    #[must_use]
    pub fn count(&self, thing: &K) -> usize {
        self.0.get(thing).copied().unwrap_or_default()
    }

    /// How many different things are there.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether nothing is there.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The different things in a range, in order.
    pub fn range(&self, range: impl RangeBounds<K>) -> impl Iterator<Item = &K> {
        self.0.range(range).map(|(thing, _)| thing)
    }

    /// All of them in order, each as often as it is there.
    pub fn all(&self) -> impl Iterator<Item = &K> {
        self.0.iter().flat_map(|(thing, &count)| std::iter::repeat_n(thing, count))
    }

    /// How often all of them are there together.
    #[must_use]
    pub fn total(&self) -> usize {
        self.0.values().sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_added_as_often_as_it_is_taken_leaves_nothing() {
        let mut things = Multiset::default();
        assert_eq!(things.take(&1), None);
        [1, 2, 1].into_iter().for_each(|thing| things.add(thing));
        assert_eq!((things.count(&1), things.len(), things.total()), (2, 2, 3));
        assert_eq!(things.range(2..).collect::<Vec<_>>(), [&2]);
        assert_eq!((things.take(&1), things.take(&1), things.take(&2)), (Some(1), Some(0), Some(0)));
        assert!(things.is_empty() && things.take(&1).is_none());
    }
}
