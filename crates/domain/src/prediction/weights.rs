//! How far each expert is believed: weights that follow from how well the experts predicted, in four contexts.

use crate::prediction::expert::PerExpert;

/// What a new gateway believes (docs/worth.md 2).
const ASSUMED: PerExpert = [0.25, 0.15, 0.10, 0.10, 0.20, 0.10, 0.10];
/// The least weight of an expert, so that one that begins to be right is heard.
const FLOOR: f64 = 0.01;
/// How fast a viewer's weights follow: by 1/(8 + n) after n switches, and by this at last.
const SLOWEST: f64 = 0.04;
const FIRST: f64 = 8.0;
/// How fast the weights that new viewers begin with follow.
const POOLED: f64 = 0.01;

/// In which situation a switch happens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Context {
    /// Whether the switch before was a step to a neighbour.
    pub(super) is_linear: bool,
    /// Whether the viewer has been on the channel for less than a minute.
    pub(super) is_surfing: bool,
}

impl Context {
    const COUNT: usize = 4;

    const fn place(self) -> usize {
        match (self.is_linear, self.is_surfing) {
            (false, false) => 0,
            (false, true) => 1,
            (true, false) => 2,
            (true, true) => 3,
        }
    }
}

/// Weights in each context; each context's are 1 in sum.
#[derive(Clone, Debug)]
pub(super) struct Weights {
    weights: [PerExpert; Context::COUNT],
    seen: [f64; Context::COUNT],
}

impl Default for Weights {
    fn default() -> Self {
        Self { weights: [ASSUMED; Context::COUNT], seen: [0.0; Context::COUNT] }
    }
}

impl Weights {
    /// Those of a viewer of whom nothing is known, from those of all viewers.
    pub(super) const fn of_newcomer(pooled: &Self) -> Self {
        Self { weights: pooled.weights, seen: [0.0; Context::COUNT] }
    }

    pub(super) fn get(&self, context: Context) -> PerExpert {
        self.weights.get(context.place()).copied().unwrap_or(ASSUMED)
    }

    /// A viewer went where the experts had seen it go with these probabilities.
    pub(super) fn learn(&mut self, context: Context, probabilities: &PerExpert) {
        let Some(seen) = self.seen.get_mut(context.place()) else { return };
        let rate = (1.0 / (FIRST + *seen)).max(SLOWEST);
        *seen += 1.0;
        self.shift(context, probabilities, rate);
    }

    /// As `learn`, for the weights of all viewers.
    pub(super) fn learn_pooled(&mut self, context: Context, probabilities: &PerExpert) {
        self.shift(context, probabilities, POOLED);
    }

    fn shift(&mut self, context: Context, probabilities: &PerExpert, rate: f64) {
        let Some(weights) = self.weights.get_mut(context.place()) else { return };
        let evidence: f64 = weights.iter().zip(probabilities).map(|(weight, p)| weight * p).sum();
        if evidence <= 0.0 {
            return;
        }
        for (weight, p) in weights.iter_mut().zip(probabilities) {
            let posterior = *weight * p / evidence;
            *weight = ((1.0 - rate) * *weight + rate * posterior).max(FLOOR);
        }
        let sum: f64 = weights.iter().sum();
        weights.iter_mut().for_each(|weight| *weight /= sum);
    }
}
