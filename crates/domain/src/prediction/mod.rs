//! Predicts where viewers go next, and how soon: from what each of them did before, and from what all did.
//!
//! ```text
//! tuned, left ─► viewer: experts, weights ─► outlook ─┐
//!             └► survival of dwells ──────────────────┴─► Moment: demand for a channel within each horizon
//! ```
//!
//! It knows channels and viewers as numbers, and the order of the channels if somebody tells it; the formulas and their sources
//! are in docs/worth.md 2. Which channels run, and what a prediction is worth, is not known here. All that it remembers is bounded.

mod arrival;
mod arrivals;
mod dwells;
mod expert;
mod fading;
mod key;
mod moment;
mod order;
mod outlook;
mod pairs;
mod recency;
mod returns;
mod steps;
mod survival;
mod switch;
mod viewer;
mod weights;

use std::collections::BTreeMap;

use crate::prediction::dwells::Dwells;
use crate::prediction::fading::FadingCounts;
use crate::prediction::returns::Returns;
use crate::prediction::viewer::{Everybody, SURFING, Viewer};
use crate::prediction::weights::Weights;
use crate::time::Timestamp;

pub use crate::prediction::expert::Expert;
pub use crate::prediction::key::{ChannelKey, ViewerKey};
pub use crate::prediction::moment::{Demand, HORIZONS, Moment};
pub use crate::prediction::order::{ChannelOrder, Direction};
pub use crate::prediction::switch::Switch;

/// The most viewers that are remembered; of more, the one that was seen longest ago is forgotten.
const VIEWERS: usize = 64;
/// The half-life of what all viewers watch, in seconds, and the most channels of it.
const POPULAR: f64 = 3.0 * 86_400.0;
const CHANNELS: usize = 128;
/// How many of the most probable next channels are candidates for a start ahead, and how far ahead in the running direction.
const LIKELIEST: usize = 6;
const AHEAD: [usize; 2] = [2, 3];

/// What is known of all viewers.
#[derive(Clone, Debug)]
pub struct Prediction {
    order: ChannelOrder,
    viewers: BTreeMap<ViewerKey, Viewer>,
    popular: FadingCounts,
    dwells: Dwells,
    returns: Returns,
    weights: Weights,
}

impl Default for Prediction {
    fn default() -> Self {
        Self {
            order: ChannelOrder::default(),
            viewers: BTreeMap::new(),
            popular: FadingCounts::new(POPULAR, CHANNELS),
            dwells: Dwells::default(),
            returns: Returns::default(),
            weights: Weights::default(),
        }
    }
}

impl Prediction {
    /// The channels have this order from now on. Without one, no neighbour is predicted.
    pub fn set_order(&mut self, order: ChannelOrder) {
        self.order = order;
    }

    /// A viewer tunes to a channel, at this hour of its day (0 to 23). Returns how it came there; `None` if it is on that channel already,
    /// so that nothing is learned.
    pub fn tuned(
        &mut self,
        viewer: ViewerKey,
        channel: ChannelKey,
        now: Timestamp,
        hour: u8,
    ) -> Option<Switch> {
        let known = self.viewers.entry(viewer).or_insert_with(|| Viewer::new(&self.weights, now));
        if let Some(place) = &known.place {
            if place.channel == channel {
                return None;
            }
            self.dwells.ended(place.came_by, now.since(place.since).as_secs_f64(), true);
        }
        if let Some((_, at)) = known.left.take() {
            self.returns.returned(now.since(at));
        }
        self.popular.add(channel, now);
        let everybody = Everybody { order: &self.order, popular: &self.popular };
        let (outcome, switch) = known.tuned(channel, &everybody, hour, now);
        if let Some(outcome) = outcome {
            self.weights.learn_pooled(outcome.context, &outcome.probabilities);
        }
        self.forget_beyond_bound();
        Some(switch)
    }

    /// A viewer has switched off.
    pub fn left(&mut self, viewer: ViewerKey, now: Timestamp) {
        let Some(known) = self.viewers.get_mut(&viewer) else { return };
        known.seen_at = now;
        if let Some(place) = known.place.take() {
            self.dwells.ended(place.came_by, now.since(place.since).as_secs_f64(), false);
            known.left = Some((place.channel, now));
        }
    }

    /// What is to be expected from this moment on.
    #[must_use]
    pub fn at(&self, now: Timestamp, hour: u8) -> Moment<'_> {
        Moment::new(&self.viewers, &self.dwells, &self.returns, now, hour)
    }

    /// The channels that may be worth a start ahead for a viewer, the most probable ones first; none for one who is off.
    #[must_use]
    pub fn candidates(&self, viewer: ViewerKey, now: Timestamp) -> Vec<ChannelKey> {
        let Some(place) = self.viewers.get(&viewer).and_then(|viewer| viewer.place.as_ref()) else {
            return Vec::new();
        };
        let mut channels = place.outlook(now.since(place.since).as_secs_f64()).likeliest(LIKELIEST);
        if let Some(direction) = place.came_by.direction() {
            let ahead = AHEAD.iter().filter_map(|&steps| self.order.ahead(place.channel, direction, steps));
            for channel in ahead {
                if !channels.contains(&channel) {
                    channels.push(channel);
                }
            }
        }
        channels
    }

    /// When the next of the viewers who surf begins to view, so that its candidates are others.
    #[must_use]
    pub fn next_settled(&self, now: Timestamp) -> Option<Timestamp> {
        let places = self.viewers.values().filter_map(|viewer| viewer.place.as_ref());
        places.map(|place| place.since + SURFING).filter(|&at| at > now).min()
    }

    /// The viewers who have begun to view after `since`, and no later than `now`.
    pub fn settled(&self, since: Timestamp, now: Timestamp) -> impl Iterator<Item = ViewerKey> {
        let at = |viewer: &Viewer| viewer.place.as_ref().map(|place| place.since + SURFING);
        let all = self.viewers.iter().map(move |(&key, viewer)| (key, at(viewer)));
        all.filter(move |(_, at)| at.is_some_and(|at| since < at && at <= now)).map(|(key, _)| key)
    }

    fn forget_beyond_bound(&mut self) {
        if self.viewers.len() > VIEWERS {
            let oldest =
                self.viewers.iter().min_by_key(|(_, viewer)| (viewer.place.is_some(), viewer.seen_at));
            if let Some(oldest) = oldest.map(|(&key, _)| key) {
                self.viewers.remove(&oldest);
            }
        }
    }
}

#[cfg(test)]
mod tests;
