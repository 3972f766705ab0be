//! The made-up viewers are as those that were measured (docs/worth.md 1).

use std::collections::{BTreeMap, BTreeSet};

use super::*;
use crate::value::Thrift;

const DAY: u64 = 86_400_000;

fn audience(workload: Workload, seed: u64) -> Audience {
    Audience { workload, viewers: 40, channels: 150, days: 7, seed }
}

/// What is measured of viewers.
#[derive(Debug)]
struct Statistics {
    /// The median of all dwells, in seconds, and the share below 10 s.
    median: f64,
    below_10: f64,
    /// Median and mean of dwells below a minute, in seconds, and of those from a minute to an hour, in minutes.
    surfing: (f64, f64),
    viewing: (f64, f64),
    /// The shares of switches to the next channel and to the one before.
    up: f64,
    down: f64,
    /// Hours, and different channels viewed, of a viewer and day.
    hours: f64,
    channels: f64,
    /// The share of views that are of the channel viewed before.
    returns: f64,
    /// The share of time on the tenth of channels watched most.
    top: f64,
}

fn median(values: &mut [f64]) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len() as f64
}

fn statistics(audience: &Audience) -> Statistics {
    let zaps = generate(audience);
    let mut dwells = Vec::new();
    let (mut up, mut down, mut switches) = (0.0, 0.0, 0.0);
    let (mut views, mut returns) = (0.0, 0.0);
    let mut daily = BTreeSet::new();
    let mut time = BTreeMap::<u32, f64>::new();
    for viewer in 0..audience.viewers {
        let own: Vec<_> = zaps.iter().filter(|zap| zap.viewer == viewer).collect();
        let mut viewed = None;
        for pair in own.windows(2) {
            let Some(channel) = pair[0].channel else {
                viewed = None;
                continue;
            };
            let dwell = (pair[1].at - pair[0].at) as f64 / 1000.0;
            if dwell >= 60.0 {
                daily.insert((viewer, pair[0].at / DAY, channel));
            }
            *time.entry(channel).or_default() += dwell;
            dwells.push(dwell);
            if let Some(next) = pair[1].channel {
                switches += 1.0;
                up += f64::from(next == (channel + 1) % audience.channels);
                down += f64::from(channel == (next + 1) % audience.channels);
            }
            if dwell >= 60.0 {
                views += f64::from(viewed.is_some());
                returns += f64::from(viewed.replace(channel) == Some(channel));
            }
        }
    }
    let below = |limit: f64| dwells.iter().filter(|&&dwell| dwell < limit).count() as f64;
    let mut surfing: Vec<_> = dwells.iter().copied().filter(|&dwell| dwell < 60.0).collect();
    let viewing = dwells.iter().copied().filter(|dwell| (60.0..3600.0).contains(dwell));
    let mut viewing: Vec<_> = viewing.map(|seconds| seconds / 60.0).collect();
    let mut times: Vec<_> = time.into_values().collect();
    times.sort_by(|a, b| b.total_cmp(a));
    let days = f64::from(audience.viewers * audience.days);
    let total: f64 = times.iter().sum();
    Statistics {
        below_10: below(10.0) / dwells.len() as f64,
        surfing: (median(&mut surfing), mean(&surfing)),
        viewing: (median(&mut viewing), mean(&viewing)),
        median: median(&mut dwells),
        up: up / switches,
        down: down / switches,
        hours: total / 3600.0 / days,
        channels: daily.len() as f64 / days,
        returns: returns / views,
        top: times.iter().take(audience.channels as usize / 10).sum::<f64>() / total,
    }
}

/// Holds a measured value to one of the table.
#[track_caller]
fn near(measured: f64, expected: f64, tolerance: f64, what: &str) {
    assert!(
        (measured - expected).abs() <= tolerance,
        "{what}: {measured} instead of {expected} ± {tolerance}"
    );
}

#[test]
fn made_up_viewers_are_as_those_that_were_measured() {
    // Workload; median dwell, share of those below 10 s; up, down; hours and channels a day, returns, share of the top tenth.
    let table = [
        (Workload::Stb, (8.2, 0.57), (0.46, 0.31), (2.8, 6.5, 0.21, 0.64)),
        (Workload::Mixed, (8.7, 0.54), (0.33, 0.22), (2.8, 6.3, 0.18, 0.68)),
        (Workload::Guide, (10.0, 0.50), (0.09, 0.06), (3.0, 6.0, 0.16, 0.75)),
    ];
    for (workload, (median, below_10), (up, down), (hours, channels, returns, top)) in table {
        let seen = statistics(&audience(workload, 1));
        near(seen.median, median, 3.0, "median dwell, s");
        near(seen.below_10, below_10, 0.06, "dwells below 10 s");
        near(seen.surfing.0, 6.1, 0.5, "median of surfing, s");
        near(seen.surfing.1, 9.0, 1.0, "mean of surfing, s");
        near(seen.viewing.0, 5.1, 0.5, "median of viewing, min");
        near(seen.viewing.1, 8.2, 0.7, "mean of viewing, min");
        near(seen.up, up, 0.05, "steps up");
        near(seen.down, down, 0.04, "steps down");
        near(seen.hours, hours, 0.4, "hours a day");
        near(seen.channels, channels, 1.2, "channels viewed a day");
        near(seen.returns, returns, 0.07, "returns to the channel viewed before");
        near(seen.top, top, 0.08, "time on the top tenth");
    }
}

/// The shares of tunes that come to a channel which its last viewer left at most so many seconds ago.
fn returns_within(zaps: &[Zap], limits: [u64; 4]) -> [f64; 4] {
    let (mut on, mut watched, mut left) = (BTreeMap::new(), BTreeMap::<u32, u32>::new(), BTreeMap::new());
    let (mut tunes, mut counts) = (0.0, [0.0; 4]);
    for zap in zaps {
        if let Some(channel) = on.remove(&zap.viewer) {
            *watched.get_mut(&channel).unwrap() -= 1;
            left.insert(channel, zap.at);
        }
        let Some(channel) = zap.channel else { continue };
        on.insert(zap.viewer, channel);
        let watchers = watched.entry(channel).or_default();
        *watchers += 1;
        tunes += 1.0;
        if let Some(since) = left.get(&channel).filter(|_| *watchers == 1) {
            for (count, limit) in counts.iter_mut().zip(limits) {
                *count += f64::from(zap.at - since <= limit * 1000);
            }
        }
    }
    counts.map(|count| count / tunes)
}

#[test]
fn channels_are_returned_to_as_soon_as_those_of_the_table() {
    for (viewers, expected) in [(5, [0.132, 0.205, 0.359, 0.849]), (50, [0.112, 0.185, 0.386, 0.785])] {
        let audience = Audience { viewers, days: 10, ..audience(Workload::Mixed, 2) };
        let returns = returns_within(&generate(&audience), [15, 60, 600, 86_400]);
        for (share, expected) in returns.into_iter().zip(expected) {
            near(share, expected, 0.05, "returns");
        }
    }
}

#[test]
fn the_same_audience_does_the_same() {
    let few = |seed| generate(&Audience { viewers: 3, days: 2, ..audience(Workload::Mixed, seed) });
    assert_eq!(few(7), few(7));
    assert_ne!(few(7), few(8));
    assert!(few(7).is_sorted_by_key(|zap| zap.at));
}

fn household(workload: Workload, days: u32, seed: u64) -> Vec<Zap> {
    generate(&Audience { workload, viewers: 5, channels: 150, days, seed })
}

fn on_slots(slots: usize, policy: Policy) -> Setting {
    Setting { policy, slots, cold: 5000, seed: 11 }
}

fn row(zaps: &[Zap], slots: usize, policy: Policy) -> Row {
    run(zaps, 150, &on_slots(slots, policy))
}

#[test]
fn the_index_beats_every_rule_that_does_not_know_the_future() {
    let zaps = household(Workload::Mixed, 14, 11);
    let balanced = row(&zaps, 8, Policy::Index(Thrift::Balanced));
    assert!(balanced.warm >= 0.65 && balanced.idle <= 130.0 && balanced.mean <= 2.0, "{balanced:#?}");
    assert_eq!((balanced.refused, balanced.cut), (0.0, 0), "{balanced:#?}");
    for policy in Policy::ALL {
        let other = match policy {
            Policy::Index(_) | Policy::Ideal => continue,
            Policy::None
            | Policy::Lru(_)
            | Policy::LruFull
            | Policy::LfuFull
            | Policy::GdsfFull
            | Policy::Predecessor
            | Policy::Neighbours
            | Policy::Min => row(&zaps, 8, policy),
        };
        assert_eq!(other.cut, 0, "{other:#?}");
        assert!(other.warm < balanced.warm && other.mean > balanced.mean, "{other:#?}\n{balanced:#?}");
    }
    let ideal = row(&zaps, 8, Policy::Ideal);
    assert!(ideal.warm > balanced.warm, "{ideal:#?}");
}

#[test]
fn few_slots_are_used_well_and_refuse_nobody() {
    let balanced = row(&household(Workload::Mixed, 14, 11), 4, Policy::Index(Thrift::Balanced));
    assert!(balanced.warm >= 0.43 && balanced.idle <= 70.0, "{balanced:#?}");
    assert!(balanced.refused <= 0.001 && balanced.cut == 0, "{balanced:#?}");
}

#[test]
fn who_chooses_from_a_list_is_served_well_too() {
    let balanced = row(&household(Workload::Guide, 14, 13), 8, Policy::Index(Thrift::Balanced));
    assert!(balanced.warm >= 0.58, "{balanced:#?}");
}

#[test]
fn the_more_generous_the_preset_the_more_is_warm() {
    let zaps = household(Workload::Mixed, 3, 13);
    let rows = Thrift::ALL.map(|thrift| row(&zaps, 8, Policy::Index(thrift)));
    assert!(rows.is_sorted_by(|a, b| a.warm < b.warm && a.idle < b.idle), "{rows:#?}");
}

#[test]
fn the_same_simulation_has_the_same_log() {
    let zaps = household(Workload::Mixed, 2, 1);
    let once = |policy| row(&zaps, 8, policy);
    assert_eq!(once(Policy::Index(Thrift::Balanced)), once(Policy::Index(Thrift::Balanced)));
    assert_ne!(once(Policy::LruFull).log, once(Policy::LfuFull).log);
}

fn zap(at: u64, viewer: u32, channel: impl Into<Option<u32>>) -> Zap {
    Zap { at: at * 1000, viewer, channel: channel.into() }
}

#[test]
fn waits_and_idle_minutes_are_counted() {
    // What happens before second 3000 is not measured.
    let zaps = [
        zap(0, 1, 0),
        zap(2900, 1, 1),
        zap(3000, 1, 2),
        zap(3060, 1, 1),
        zap(3600, 1, None),
        zap(4200, 2, 1),
        zap(6000, 2, None),
    ];
    let row = row(&zaps, 8, Policy::LruFull);
    assert_eq!((row.tunes, row.warm, row.starts > 0.0), (3, 2.0 / 3.0, true), "2 was cold, 1 warm twice");
    assert!((row.hours - 0.6666).abs() < 0.01, "600 s and 1800 s: {}", row.hours);
    // 0 from 3000 to 6000, 1 for 60 s and for 600 s, 2 from 3060 to 6000.
    assert!((row.idle * row.hours - (3000.0 + 660.0 + 2940.0) / 60.0).abs() < 0.1, "{row:?}");
    assert_eq!(row.precision, None);
}

#[test]
fn who_finds_all_slots_watched_is_refused() {
    let zaps = [zap(0, 1, 0), zap(10, 2, 1), zap(20, 3, 2), zap(30, 3, 1), zap(40, 3, None)];
    let setting = |slots| run(&zaps, 150, &on_slots(slots, Policy::LruFull)).refused;
    assert!(setting(2) > 0.0);
    assert!(setting(3).abs() < 1e-9);
}

#[test]
fn names_are_read_as_they_are_written() {
    for policy in Policy::ALL {
        assert_eq!(policy.to_string().parse(), Ok(policy));
    }
    assert_eq!("lru-90".parse(), Ok(Policy::Lru(90)));
    assert_eq!("lru-".parse::<Policy>(), Err(NoPolicy));
    for workload in Workload::ALL {
        assert_eq!(workload.as_str().parse(), Ok(workload));
    }
    assert_eq!("tv".parse::<Workload>(), Err(NoWorkload));
}
