//! The laws of dwells, one for each way to come to a channel: who steps to a neighbour mostly goes on, and who chooses mostly stays.

use crate::prediction::arrival::Arrival;
use crate::prediction::survival::Survival;

/// The laws, learned from all viewers.
#[derive(Clone, Debug, Default)]
pub(super) struct Dwells([Survival; Arrival::KINDS]);

impl Dwells {
    /// A dwell was `age` seconds long; see [`Survival::ended`].
    pub(super) fn ended(&mut self, arrival: Arrival, age: f64, switched: bool) {
        if let Some(law) = self.0.get_mut(arrival.kind()) {
            law.ended(age, switched);
        }
    }

    /// See [`Survival::leaves_within`].
    pub(super) fn leaves_within(&self, arrival: Arrival, age: f64, span: f64) -> f64 {
        self.0.get(arrival.kind()).map_or(0.0, |law| law.leaves_within(age, span))
    }
}
