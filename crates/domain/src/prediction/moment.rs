//! What is to be expected from one moment on: how probably a channel is wanted within each horizon.

use std::collections::BTreeMap;

use crate::prediction::dwells::Dwells;
use crate::prediction::key::{ChannelKey, ViewerKey};
use crate::prediction::outlook::Outlook;
use crate::prediction::returns::Returns;
use crate::prediction::viewer::Viewer;
use crate::time::Timestamp;

/// The horizons, in seconds.
pub const HORIZONS: [f64; 7] = [5.0, 15.0, 45.0, 120.0, 300.0, 900.0, 3600.0];

/// Expectations from a moment on.
#[derive(Clone, Debug)]
pub struct Moment<'a> {
    present: Vec<(ViewerKey, &'a Outlook, [f64; HORIZONS.len()])>,
    absent: Vec<Absent<'a>>,
    hour: u8,
}

/// A viewer who is off: how probably it switches on within each horizon, and how probably it is back on the channel that it left.
#[derive(Clone, Debug)]
struct Absent<'a> {
    key: ViewerKey,
    viewer: &'a Viewer,
    arrives: [f64; HORIZONS.len()],
    returns: Option<(ChannelKey, [f64; HORIZONS.len()])>,
}

/// How probably a channel is wanted.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Demand {
    /// By anybody, within each of [`HORIZONS`].
    pub within: [f64; HORIZONS.len()],
    /// The viewer who wants it most probably within the longest of them, and how probably.
    pub most_by: Option<(ViewerKey, f64)>,
}

impl<'a> Moment<'a> {
    pub(super) fn new(
        viewers: &'a BTreeMap<ViewerKey, Viewer>,
        dwells: &Dwells,
        returns: &Returns,
        now: Timestamp,
        hour: u8,
    ) -> Self {
        let (mut present, mut absent) = (Vec::new(), Vec::new());
        for (&key, viewer) in viewers {
            match &viewer.place {
                Some(place) => {
                    let age = now.since(place.since).as_secs_f64();
                    let leaves = HORIZONS.map(|horizon| dwells.leaves_within(place.came_by, age, horizon));
                    present.push((key, place.outlook(age), leaves));
                }
                None => {
                    let rate = viewer.arrival_rate(hour, now);
                    let arrives = HORIZONS.map(|horizon| 1.0 - (-rate * horizon).exp());
                    let returns = viewer.left.map(|(channel, at)| {
                        let off = now.since(at);
                        (channel, HORIZONS.map(|horizon| returns.within(off, horizon)))
                    });
                    absent.push(Absent { key, viewer, arrives, returns });
                }
            }
        }
        Self { present, absent, hour }
    }

    /// How probably a channel is wanted by viewers who are not on it.
    #[must_use]
    pub fn demand(&self, channel: ChannelKey) -> Demand {
        let mut unwanted = [1.0; HORIZONS.len()];
        let mut most_by: Option<(ViewerKey, f64)> = None;
        let mut count = |viewer: ViewerKey, wants: [f64; HORIZONS.len()]| {
            unwanted.iter_mut().zip(&wants).for_each(|(unwanted, wants)| *unwanted *= 1.0 - wants);
            let [.., last] = wants;
            if most_by.is_none_or(|(_, most)| last > most) {
                most_by = Some((viewer, last));
            }
        };
        for (viewer, outlook, leaves) in &self.present {
            let reach = outlook.reach(channel);
            let mut wants = *leaves;
            wants.iter_mut().zip(HORIZONS).for_each(|(wants, horizon)| *wants *= reach.within(horizon));
            count(*viewer, wants);
        }
        for Absent { key, viewer, arrives, returns } in &self.absent {
            let begins = viewer.begins_with(channel, self.hour);
            let mut wants = arrives.map(|arrives| arrives * begins);
            if let Some((_, returns)) = returns.filter(|(left, _)| *left == channel) {
                wants.iter_mut().zip(returns).for_each(|(wants, returns)| *wants += (1.0 - *wants) * returns);
            }
            if wants.iter().any(|wants| *wants > 0.0) {
                count(*key, wants);
            }
        }
        Demand { within: unwanted.map(|unwanted| 1.0 - unwanted), most_by }
    }
}
