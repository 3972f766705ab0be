//! The index: seconds of waiting that a channel is expected to save, for each second that it is warm for nobody.

use crate::prediction::{Demand, HORIZONS, ViewerKey};

/// What the index is made of.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Worth {
    /// Seconds of waiting saved for each warm second, at the horizon where this is most; below 0 if a start saves less than it
    /// costs.
    pub index: f64,
    /// That horizon, in seconds.
    pub horizon: f64,
    /// How probably somebody wants the channel within it.
    pub wanted: f64,
    /// The seconds of waiting that a viewer is spared who finds it warm.
    pub spared: f64,
    /// The viewer who wants it most probably, if anybody does.
    pub most_by: Option<ViewerKey>,
}

/// Reckons the index by the formula of docs/worth.md 3. `under_way` are the seconds since the start, infinitely many if the channel is
/// ready; `start_price` is 0 unless it has yet to be started; `price` is that of a warm second, in tuners.
pub(super) fn worth(demand: &Demand, spared: f64, under_way: f64, start_price: f64, price: f64) -> Worth {
    let most_by = demand.most_by.map(|(viewer, _)| viewer);
    let mut best = Worth { index: f64::NEG_INFINITY, horizon: 0.0, wanted: 0.0, spared, most_by };
    let (mut saved, mut warm) = (-start_price, 0.0);
    let (mut from, mut wanted_before) = (0.0, 0.0);
    for (horizon, wanted) in HORIZONS.into_iter().zip(demand.within) {
        let middle = (from + horizon) / 2.0;
        saved += (wanted - wanted_before) * spared.min(under_way + middle);
        warm += (horizon - from) * (1.0 - (wanted + wanted_before) / 2.0);
        let index = saved / (price * warm).max(1e-9);
        if index > best.index {
            best = Worth { index, horizon, wanted, ..best };
        }
        (from, wanted_before) = (horizon, wanted);
    }
    best
}
