//! When an idle channel becomes worth less than its warmth costs, so that one deadline suffices and nobody looks in between.

use std::time::Duration;

use crate::prediction::Prediction;
use crate::time::Timestamp;
use crate::value::appraisal::Appraisal;
use crate::value::offer::Offer;
use crate::value::thrift::Thrift;
use crate::value::waits::ColdWaits;

/// At the latest so long from now one looks again, since expectations differ from hour to hour.
const LATEST: Duration = Duration::from_secs(3600);
/// The first moment that is tried; each next one is twice as far away.
const FIRST: Duration = Duration::from_secs(1);
/// How exactly the moment is found, as a share of its distance.
const EXACT: f64 = 0.05;

/// When the first of the idle channels is to be looked at again: as soon as it is too dear, if nothing happens before. `None` if there is
/// none, or if nothing is too dear by this preset.
#[must_use]
pub fn next_time_out(
    idle: &[Offer],
    prediction: &Prediction,
    waits: &ColdWaits,
    thrift: Thrift,
    now: Timestamp,
    hour: u8,
) -> Option<Timestamp> {
    if idle.is_empty() || thrift.price() <= 0.0 {
        return None;
    }
    let after = |span: Duration| {
        let then = now + span;
        Appraisal::new(prediction.at(then, hour), waits, thrift, then)
    };
    let (mut first, mut at_first) = (LATEST, after(LATEST));
    for offer in idle {
        if at_first.is_too_dear(offer) {
            first = too_dear_after(first, |span| after(span).is_too_dear(offer));
            at_first = after(first);
        }
    }
    Some(now + first)
}

/// The span after which it `is_too_dear`, as it is after `known`.
fn too_dear_after(known: Duration, is_too_dear: impl Fn(Duration) -> bool) -> Duration {
    let (mut worth_it, mut dear, mut tried) = (Duration::ZERO, known, FIRST);
    while tried < dear {
        if is_too_dear(tried) {
            dear = tried;
        } else {
            worth_it = tried;
            tried *= 2;
        }
    }
    while dear > FIRST && dear - worth_it > dear.mul_f64(EXACT) {
        let middle = (worth_it + dear) / 2;
        if is_too_dear(middle) {
            dear = middle;
        } else {
            worth_it = middle;
        }
    }
    dear
}
