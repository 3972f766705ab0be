//! Gives things numbers, and finds them again by these. Of more than a certain number, what was asked for longest ago is forgotten.

use std::collections::BTreeMap;

/// See the module.
#[derive(Debug)]
pub(super) struct Numbers<T> {
    numbers: BTreeMap<T, u32>,
    /// The things, each with the turn in which it was last asked for.
    things: BTreeMap<u32, (T, u64)>,
    next: u32,
    turn: u64,
    most: usize,
}

impl<T: Ord + Clone> Numbers<T> {
    /// For this many things at most.
    pub(super) const fn new(most: usize) -> Self {
        Self { numbers: BTreeMap::new(), things: BTreeMap::new(), next: 0, turn: 0, most }
    }

    /// The number of a thing, which it gets now if it has none.
    pub(super) fn of(&mut self, thing: &T) -> u32 {
        self.turn += 1;
        if let Some(known) = self.known(thing) {
            if let Some((_, turn)) = self.things.get_mut(&known) {
                *turn = self.turn;
            }
            return known;
        }
        if self.things.len() >= self.most {
            self.forget_oldest();
        }
        let number = self.next;
        self.next = self.next.wrapping_add(1);
        self.numbers.insert(thing.clone(), number);
        self.things.insert(number, (thing.clone(), self.turn));
        number
    }

    /// The number of a thing that has one.
    pub(super) fn known(&self, thing: &T) -> Option<u32> {
        self.numbers.get(thing).copied()
    }

    /// The thing with this number, unless it is forgotten.
    pub(super) fn thing(&self, number: u32) -> Option<&T> {
        self.things.get(&number).map(|(thing, _)| thing)
    }

    fn forget_oldest(&mut self) {
        let oldest = self.things.iter().min_by_key(|(_, (_, turn))| *turn).map(|(&number, _)| number);
        if let Some((thing, _)) = oldest.and_then(|oldest| self.things.remove(&oldest)) {
            self.numbers.remove(&thing);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_asked_for_longest_ago_is_forgotten() {
        let mut numbers = Numbers::new(2);
        assert_eq!([numbers.of(&'a'), numbers.of(&'b'), numbers.of(&'a')], [0, 1, 0]);
        assert_eq!(numbers.of(&'c'), 2);
        assert_eq!([0, 1, 2].map(|number| numbers.thing(number).copied()), [Some('a'), None, Some('c')]);
        assert_eq!((numbers.known(&'b'), numbers.of(&'b')), (None, 3), "it is new again");
    }
}
