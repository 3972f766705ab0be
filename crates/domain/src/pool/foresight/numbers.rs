//! Gives things numbers, and finds them again by these. Of more than a certain number, what was numbered first is forgotten.

use std::collections::BTreeMap;

/// See the module.
#[derive(Debug)]
pub(super) struct Numbers<T> {
    numbers: BTreeMap<T, u32>,
    things: BTreeMap<u32, T>,
    next: u32,
    most: usize,
}

impl<T: Ord + Clone> Numbers<T> {
    /// For this many things at most.
    pub(super) const fn new(most: usize) -> Self {
        Self { numbers: BTreeMap::new(), things: BTreeMap::new(), next: 0, most }
    }

    /// The number of a thing, which it gets now if it has none.
    pub(super) fn of(&mut self, thing: &T) -> u32 {
        if let Some(known) = self.known(thing) {
            return known;
        }
        let number = self.next;
        self.next = self.next.wrapping_add(1);
        self.numbers.insert(thing.clone(), number);
        self.things.insert(number, thing.clone());
        if self.things.len() > self.most
            && let Some((_, first)) = self.things.pop_first()
        {
            self.numbers.remove(&first);
        }
        number
    }

    /// The number of a thing that has one.
    pub(super) fn known(&self, thing: &T) -> Option<u32> {
        self.numbers.get(thing).copied()
    }

    /// The thing with this number, unless it is forgotten.
    pub(super) fn thing(&self, number: u32) -> Option<&T> {
        self.things.get(&number)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_numbered_first_is_forgotten() {
        let mut numbers = Numbers::new(2);
        assert_eq!([numbers.of(&'a'), numbers.of(&'b'), numbers.of(&'a')], [0, 1, 0]);
        assert_eq!(numbers.of(&'c'), 2);
        assert_eq!([0, 1, 2].map(|number| numbers.thing(number).copied()), [None, Some('b'), Some('c')]);
        assert_eq!((numbers.known(&'a'), numbers.of(&'a')), (None, 3), "it is new again");
    }
}
