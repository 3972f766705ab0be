//! `warmgate simulate zapping`: what rules for warm channels are worth, for viewers who change channels.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, ensure};
use clap::Args;
use domain::simulate::zapping::{self, Audience, Policy, Row, Setting, Workload, Zap, generate};
use serde_json::{Value, json};

use crate::simulate::progress::progress;

#[derive(Args)]
pub(crate) struct Zapping {
    /// Print JSON instead of a table
    #[arg(long)]
    json: bool,
    /// Replay a recording instead of made-up viewers: lines of CSV with `t_ms,viewer,channel`, where an empty channel is off; the
    /// channels stand in the line-up in the order of their numbers or names, and the times begin at a midnight
    #[arg(long, value_name = "FILE", conflicts_with_all = ["workload", "viewers", "channels", "days"])]
    trace: Option<PathBuf>,
    /// How made-up viewers change channels: stb, mixed or guide
    #[arg(long, default_value_t = Workload::Mixed)]
    workload: Workload,
    /// Made-up viewers
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..=200))]
    viewers: u32,
    /// Channels of their line-up
    #[arg(long, default_value_t = 150, value_parser = clap::value_parser!(u32).range(1..=5000))]
    channels: u32,
    /// Days of their life; the second half is measured
    #[arg(long, default_value_t = 14, value_parser = clap::value_parser!(u32).range(1..=365))]
    days: u32,
    /// Channels that run at once, watched or not
    #[arg(long, default_value_t = 8, value_parser = clap::value_parser!(u32).range(1..=1000))]
    slots: u32,
    /// Median wait for a channel that is not warm, in milliseconds
    #[arg(long, value_name = "MILLISECONDS", default_value_t = 5000, value_parser = clap::value_parser!(u64).range(1..=120_000))]
    cold_ms: u64,
    /// Simulate this rule alone: `none`, `lru-SECONDS`, `lru-full`, `lfu-full`, `gdsf-full`, `predecessor`, `neighbours`,
    /// `index-thrift`, `index-balanced`, `index-generous`, `index-full`, `min` or `ideal-1`
    #[arg(long)]
    policy: Option<Policy>,
    /// Seed of viewers and cold waits: the same seed gives the same rows
    #[arg(long, default_value_t = 1)]
    seed: u64,
}

pub(super) fn run(asked: &Zapping) -> anyhow::Result<()> {
    let (zaps, channels) = match &asked.trace {
        Some(path) => read(path)?,
        None => {
            let &Zapping { workload, viewers, channels, days, seed, .. } = asked;
            (generate(&Audience { workload, viewers, channels, days, seed }), channels)
        }
    };
    let policies = asked.policy.map_or_else(|| Policy::ALL.to_vec(), |policy| vec![policy]);
    let mut rows = Vec::new();
    for &policy in &policies {
        progress(rows.len(), policies.len(), &policy.to_string());
        let slots = usize::try_from(asked.slots)?;
        rows.push(zapping::run(
            &zaps,
            channels,
            &Setting { policy, slots, cold: asked.cold_ms, seed: asked.seed },
        ));
    }
    progress(rows.len(), policies.len(), "done");
    if asked.json {
        let rows: Vec<_> = rows.iter().map(row_json).collect();
        let &Zapping { slots, cold_ms, seed, .. } = asked;
        println!(
            "{}",
            json!({"slots": slots, "cold_ms": cold_ms, "channels": channels, "seed": seed, "rows": rows})
        );
    } else {
        table(&rows);
    }
    Ok(())
}

fn read(path: &Path) -> anyhow::Result<(Vec<Zap>, u32)> {
    let text = std::fs::read_to_string(path).with_context(|| format!("{} cannot be read", path.display()))?;
    recorded(&text).with_context(|| format!("{}", path.display()))
}

/// What viewers did according to a recording, in the order of time, and the number of its channels.
fn recorded(text: &str) -> anyhow::Result<(Vec<Zap>, u32)> {
    let mut lines = Vec::new();
    for (at, line) in text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty()) {
        let fields: Vec<_> = line.split(',').map(str::trim).collect();
        let &[time, viewer, channel] = fields.as_slice() else {
            anyhow::bail!("line {}: not t_ms,viewer,channel", at + 1);
        };
        match time.parse::<u64>() {
            Ok(time) => lines.push((time, viewer, channel)),
            // The names of the columns.
            Err(_) if at == 0 => {}
            Err(_) => anyhow::bail!("line {}: {time:?} is no time in milliseconds", at + 1),
        }
    }
    ensure!(!lines.is_empty(), "it has no line with a time");
    let viewers = numbered(lines.iter().map(|&(_, viewer, _)| viewer));
    let channels =
        numbered(lines.iter().map(|&(_, _, channel)| channel).filter(|channel| !channel.is_empty()));
    let zap = |(at, viewer, channel)| {
        let viewer = viewers.get(viewer).copied().unwrap_or_default();
        Zap { at, viewer, channel: channels.get(channel).copied() }
    };
    let mut zaps: Vec<_> = lines.into_iter().map(zap).collect();
    zaps.sort_unstable();
    Ok((zaps, u32::try_from(channels.len())?))
}

/// The place of each name: numbers in their order, then other names in theirs.
fn numbered<'a>(names: impl Iterator<Item = &'a str>) -> BTreeMap<&'a str, u32> {
    let mut names: Vec<_> = names.map(|name| (name.parse::<u64>().unwrap_or(u64::MAX), name)).collect();
    names.sort_unstable();
    names.dedup();
    names.into_iter().map(|(_, name)| name).zip(0..).collect()
}

fn table(rows: &[Row]) {
    println!(
        "  {:<14}  {:>6}  {:>6}  {:>6}  {:>6}  {:>7}  {:>6}  {:>6}  {:>6}  {:>6}  {:>9}  {:>7}  {:>3}",
        "",
        "warm",
        "mean",
        "p50",
        "p95",
        "≤0.43 s",
        "≤2 s",
        "idle",
        "wasted",
        "starts",
        "precision",
        "refused",
        "cut"
    );
    for row in rows {
        let percent = |share: f64| format!("{:.1} %", share * 100.0);
        println!(
            "  {:<14}  {:>6}  {:>6.2}  {:>6.2}  {:>6.2}  {:>7}  {:>6}  {:>6.0}  {:>6.0}  {:>6.1}  {:>9}  {:>7}  {:>3}",
            row.policy,
            percent(row.warm),
            row.mean,
            row.p50,
            row.p95,
            percent(row.unnoticed),
            percent(row.within_2_s),
            row.idle,
            row.wasted,
            row.starts,
            row.precision.map(percent).unwrap_or_default(),
            percent(row.refused),
            row.cut,
        );
    }
    if let Some(row) = rows.first() {
        println!(
            "\n  {} tunes in {:.0} hours of viewing. Waits are in seconds; idle and wasted are minutes, and starts are counted, for each hour of viewing.",
            row.tunes, row.hours
        );
    }
}

fn row_json(row: &Row) -> Value {
    json!({
        "policy": row.policy.to_string(),
        "tunes": row.tunes,
        "viewing_hours": row.hours,
        "warm_share": row.warm,
        "wait_s": {"mean": row.mean, "median": row.p50, "p95": row.p95},
        "within_0.43_s": row.unnoticed,
        "within_2_s": row.within_2_s,
        "idle_minutes_per_hour": row.idle,
        "wasted_minutes_per_hour": row.wasted,
        "starts_per_hour": row.starts,
        "start_ahead_precision": row.precision,
        "refused_share": row.refused,
        "cut": row.cut,
        "log": format!("{:016x}", row.log),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_recording_is_read_in_the_order_of_time_and_of_channels() {
        let text = "t_ms,viewer,channel\n2000,ann,10\n1000,bob,9\n\n3000,ann,\n4000,bob,news\n";
        let (zaps, channels) = recorded(text).unwrap();
        let zap = |at, viewer, channel| Zap { at, viewer, channel };
        assert_eq!(
            zaps,
            [zap(1000, 1, Some(0)), zap(2000, 0, Some(1)), zap(3000, 0, None), zap(4000, 1, Some(2))]
        );
        assert_eq!(channels, 3);
    }

    #[test]
    fn what_is_no_recording_is_told() {
        let error = |text| recorded(text).unwrap_err().to_string();
        assert_eq!(error("t_ms,viewer,channel\n"), "it has no line with a time");
        assert_eq!(error("1,2\n"), "line 1: not t_ms,viewer,channel");
        assert_eq!(error("1,a,2\nsoon,a,3\n"), "line 2: \"soon\" is no time in milliseconds");
    }
}
