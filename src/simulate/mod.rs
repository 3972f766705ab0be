//! `warmgate simulate` measures the gateway's rules on generated and recorded viewers.

mod progress;
mod recording;
mod tuners;
mod zapping;

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Subcommand};
use domain::simulate::{Detector, Player, Row, Trace, generate, judge};
use serde_json::{Value, json};

use crate::simulate::progress::progress;

/// The target durations of the simulated streams, in seconds.
const TARGETS: [u64; 2] = [3, 6];

#[derive(Subcommand)]
pub(crate) enum Simulation {
    /// Measure how often a viewer is wrongly held to have left, and how soon one that has left is noticed
    Presence(Presence),
    /// Measure what viewers and recordings lose by channels that are kept warm, on a server with few tuners
    Tuners(tuners::Tuners),
    /// Measure what rules for warm channels are worth: how long viewers wait who change channel, and how long channels run for nobody
    Zapping(zapping::Zapping),
}

#[derive(Args)]
pub(crate) struct Presence {
    /// Print JSON instead of a table
    #[arg(long)]
    json: bool,
    /// Hours of viewing for each combination of player, target duration and hints
    #[arg(long, default_value_t = 200.0, value_parser = hours)]
    hours: f64,
    /// Seed of the generator: the same seed gives the same viewers
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Folder with recordings of real players (*.ndjson); may be missing
    #[arg(long, value_name = "FOLDER", default_value = "fixtures/cadence")]
    traces: PathBuf,
}

fn hours(text: &str) -> Result<f64, String> {
    let hours: f64 = text.parse().map_err(|_| "not a number".to_owned())?;
    if (0.0..=1e5).contains(&hours) { Ok(hours) } else { Err("from 0 to 100000".to_owned()) }
}

/// Viewers of one kind.
struct Crowd {
    player: String,
    scenario: String,
    traces: Vec<Trace>,
}

pub(crate) fn run(simulation: Simulation) -> anyhow::Result<()> {
    let asked = match simulation {
        Simulation::Presence(asked) => asked,
        Simulation::Tuners(asked) => {
            tuners::run(&asked);
            return Ok(());
        }
        Simulation::Zapping(asked) => return zapping::run(&asked),
    };
    let recorded = recording::read_all(&asked.traces)?;
    let settings = Player::ALL.into_iter().flat_map(|player| {
        TARGETS.into_iter().flat_map(move |target| [false, true].map(move |hints| (player, target, hints)))
    });
    let settings: Vec<_> = settings.filter(|_| asked.hours > 0.0).collect();
    let (steps, mut results) = (settings.len() + recorded.len(), Vec::new());
    for (at, (player, target, hints)) in settings.into_iter().enumerate() {
        progress(at, steps, player.as_str());
        let traces = generate(player, Duration::from_secs(target), hints, asked.hours, asked.seed);
        let scenario = format!("TD {target} s, {}", if hints { "hints" } else { "no hints" });
        results.push(judged(Crowd { player: player.as_str().to_owned(), scenario, traces }));
    }
    for (player, traces) in recorded {
        progress(results.len(), steps, &player);
        results.push(judged(Crowd { player, scenario: "recorded".to_owned(), traces }));
    }
    progress(steps, steps, "done");
    if asked.json {
        println!("{}", json!({"hours": asked.hours, "seed": asked.seed, "results": results_json(&results)}));
    } else {
        results.iter().for_each(|(crowd, rows)| table(crowd, rows));
    }
    Ok(())
}

fn judged(crowd: Crowd) -> (Crowd, Vec<Row>) {
    let rows = Detector::ALL.into_iter().map(|detector| judge(detector, &crowd.traces)).collect();
    (crowd, rows)
}

fn table(crowd: &Crowd, rows: &[Row]) {
    println!("\n  {}, {}", crowd.player, crowd.scenario);
    println!(
        "  {:<11}  {:>9}  {:>9}  {:>8}  {:>8}  {:>8}  {:>8}",
        "", "false", "per hour", "suspect", "p95", "left", "p95"
    );
    for row in rows {
        println!(
            "  {:<11}  {:>9}  {:>9.3}  {:>8.1}  {:>8.1}  {:>8.1}  {:>8.1}",
            row.detector.name(),
            row.false_left,
            row.false_per_hour(),
            row.suspect.median,
            row.suspect.p95,
            row.left.median,
            row.left.p95,
        );
    }
}

fn results_json(results: &[(Crowd, Vec<Row>)]) -> Vec<Value> {
    let row = |row: &Row| {
        json!({
            "detector": row.detector.name(),
            "hours": row.hours,
            "false_left": row.false_left,
            "false_per_hour": row.false_per_hour(),
            "suspect_s": {"median": row.suspect.median, "p95": row.suspect.p95},
            "left_s": {"median": row.left.median, "p95": row.left.p95},
        })
    };
    let of = |(crowd, rows): &(Crowd, Vec<Row>)| {
        let rows: Vec<_> = rows.iter().map(row).collect();
        json!({"player": crowd.player, "scenario": crowd.scenario, "viewers": crowd.traces.len(), "rows": rows})
    };
    results.iter().map(of).collect()
}
