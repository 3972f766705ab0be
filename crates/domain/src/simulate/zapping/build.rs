//! Builds the rules of a policy.

use crate::simulate::zapping::audience::Zap;
use crate::simulate::zapping::clairvoyant::{Future, Ideal, Min};
use crate::simulate::zapping::indexed::Indexed;
use crate::simulate::zapping::keeping::{Keeping, Measure};
use crate::simulate::zapping::neighbours::Neighbours;
use crate::simulate::zapping::policy::Policy;
use crate::simulate::zapping::predecessor::Predecessor;
use crate::simulate::zapping::rules::Rules;

/// The rules of a policy, on this line-up. Those that know the future are told what viewers will do.
pub(super) fn rules<'a>(policy: Policy, zaps: &'a [Zap], channels: u32, cold: &[u64]) -> Box<dyn Rules + 'a> {
    let keeping = |measure, timeout| Box::new(Keeping::new(measure, timeout, cold.to_vec()));
    match policy {
        Policy::None => keeping(Measure::Recency, Some(0)),
        Policy::Lru(seconds) => keeping(Measure::Recency, Some(u64::from(seconds) * 1000)),
        Policy::LruFull => keeping(Measure::Recency, None),
        Policy::LfuFull => keeping(Measure::Frequency, None),
        Policy::GdsfFull => keeping(Measure::GreedyDual, None),
        Policy::Predecessor => Box::new(Predecessor::default()),
        Policy::Neighbours => Box::new(Neighbours::new(channels)),
        Policy::Min => Box::new(Min::new(Future::new(zaps))),
        Policy::Ideal => Box::new(Ideal::new(Future::new(zaps))),
        Policy::Index(thrift) => Box::new(Indexed::new(thrift, channels)),
    }
}
