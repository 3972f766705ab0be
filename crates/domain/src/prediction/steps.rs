//! The linear expert: whether a viewer's next step goes on in the direction of the one before.

use crate::prediction::order::Direction;

/// What is assumed (docs/worth.md 2), and how many steps the assumption is worth.
const UP: f64 = 0.69;
const GOES_ON: f64 = 0.9;
const PRIOR: f64 = 8.0;
/// Steps are forgotten so that no more than this many count.
const REMEMBERED: f64 = 200.0;

/// How often something happened.
#[derive(Clone, Copy, Debug)]
struct Odds {
    yes: f64,
    all: f64,
}

impl Odds {
    const fn assumed(share: f64) -> Self {
        Self { yes: share * PRIOR, all: PRIOR }
    }

    fn count(&mut self, happened: bool) {
        let kept = (REMEMBERED / (self.all + 1.0)).min(1.0);
        self.yes = (self.yes + f64::from(happened)) * kept;
        self.all = (self.all + 1.0) * kept;
    }

    fn share(self) -> f64 {
        self.yes / self.all
    }
}

/// A viewer's steps to neighbours.
#[derive(Clone, Debug)]
pub(super) struct Steps {
    /// Whether a first step goes up.
    up: Odds,
    /// Whether a step goes on as the one before.
    goes_on: Odds,
}

impl Default for Steps {
    fn default() -> Self {
        Self { up: Odds::assumed(UP), goes_on: Odds::assumed(GOES_ON) }
    }
}

impl Steps {
    /// A step was made, after one in the direction `last`, or after another switch.
    pub(super) fn made(&mut self, direction: Direction, last: Option<Direction>) {
        match last {
            Some(last) => self.goes_on.count(direction == last),
            None => self.up.count(direction == Direction::Up),
        }
    }

    /// The probability that a step goes on as the one before.
    pub(super) fn goes_on(&self) -> f64 {
        self.goes_on.share()
    }

    /// The probabilities of both directions, if a step is made, the more probable one first.
    pub(super) fn directions(&self, last: Option<Direction>) -> [(Direction, f64); 2] {
        let (first, share) = match last {
            Some(last) => (last, self.goes_on.share()),
            None => (Direction::Up, self.up.share()),
        };
        let both = [(first, share), (first.reversed(), 1.0 - share)];
        if share < 0.5 { [both[1], both[0]] } else { both }
    }
}
