//! How long viewers waited, summed up.
//!
//! It does not know what a zap consists of.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::admin::views;
use domain::reason::ZapOutcome;
use domain::zap::{Zap, ZapBook};

/// How many of the last zaps the medians are of.
const LAST: usize = 200;

/// The waits by what the zaps met.
pub(super) fn summary(book: &ZapBook, slo: Duration) -> views::ZapSummary {
    let mut waits: BTreeMap<ZapOutcome, Vec<Duration>> = BTreeMap::new();
    for zap in book.over().rev().take(LAST) {
        waits.entry(zap.outcome).or_default().extend(zap.waited());
    }
    waits.values_mut().for_each(|waits| waits.sort_unstable());
    let outcomes = book.counts().iter().map(|(&outcome, &count)| {
        let waits = waits.get(&outcome).map(Vec::as_slice).unwrap_or_default();
        let at = |share| quantile(waits, share).map(|wait| wait.as_secs_f64());
        (outcome.as_str(), views::Waits { count, median: at(0.5), p95: at(0.95) })
    });
    let pictures: Vec<_> = waits.values().flatten().collect();
    let share = |part: usize, whole: usize| (whole > 0).then(|| part as f64 / whole as f64);
    let kept = pictures.iter().filter(|wait| ***wait <= slo).count();
    let counted = |outcomes: &[ZapOutcome]| {
        let counts = outcomes.iter().filter_map(|outcome| book.counts().get(outcome));
        counts.sum::<u64>() as usize
    };
    let warm = counted(&[ZapOutcome::Hit, ZapOutcome::Joined]);
    let served = counted(&[
        ZapOutcome::Hit,
        ZapOutcome::Joined,
        ZapOutcome::Near,
        ZapOutcome::Cold,
        ZapOutcome::Bypass,
    ]);
    views::ZapSummary {
        slo: slo.as_secs_f64(),
        within_slo: share(kept, pictures.len()),
        warm_share: share(warm, served),
        outcomes: outcomes.collect(),
    }
}

/// The value that this share of the sorted `waits` does not exceed.
fn quantile(waits: &[Duration], share: f64) -> Option<Duration> {
    let last = waits.len().checked_sub(1)?;
    waits.get((last as f64 * share).round() as usize).copied()
}

/// The state as one flat object.
pub(super) fn summarized(state: &views::State, zaps: &ZapBook) -> views::Summary {
    let mut waits: Vec<_> = zaps.over().rev().take(LAST).filter_map(Zap::waited).collect();
    waits.sort_unstable();
    views::Summary {
        streams: state.streams.len(),
        streams_idle: state.streams.iter().filter(|stream| stream.idle.is_some()).count(),
        viewers: state.streams.iter().map(|stream| stream.viewers.len()).sum(),
        tuners_in_use: state.tuners.in_use,
        tuners: state.tuners.limit,
        zaps: zaps.count(),
        warm_percent: state.zaps.warm_share.map(|share| share * 100.0),
        zap_median_ms: quantile(&waits, 0.5).map(|wait| wait.as_secs_f64() * 1000.0),
        uptime: state.uptime,
    }
}
