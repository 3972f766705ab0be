//! `warmgate simulate`: how good the gateway's rules are, on viewers made up and on viewers recorded.

use std::io::{IsTerminal, Write as _, stderr};
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Context as _;
use clap::{Args, Subcommand};
use serde_json::{Value, json};
use warmgate::domain::cadence::Class;
use warmgate::domain::simulate::{Detector, Player, Row, Seen, Trace, generate, judge};

/// Target durations of the streams that are watched, in seconds.
const TARGETS: [u64; 2] = [3, 6];

#[derive(Subcommand)]
pub(crate) enum Simulation {
    /// How often a viewer is held to have left who has not, and how soon one who has
    Presence(Presence),
}

#[derive(Args)]
pub(crate) struct Presence {
    /// Print JSON instead of a table
    #[arg(long)]
    json: bool,
    /// Hours of viewing, for each kind of player, target duration, with and without hints
    #[arg(long, default_value_t = 200.0, value_parser = hours)]
    hours: f64,
    /// The same seed gives the same viewers
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Recordings of real players (*.ndjson); left out if there are none
    #[arg(long, value_name = "FOLDER", default_value = "fixtures/cadence")]
    traces: PathBuf,
}

fn hours(text: &str) -> Result<f64, String> {
    let hours: f64 = text.parse().map_err(|_| "not a number".to_owned())?;
    if (0.0..=1e5).contains(&hours) { Ok(hours) } else { Err("from 0 to 100000".to_owned()) }
}

/// Some viewers and what they are.
struct Crowd {
    player: String,
    scenario: String,
    traces: Vec<Trace>,
}

pub(crate) fn run(simulation: Simulation) -> anyhow::Result<()> {
    let Simulation::Presence(asked) = simulation;
    let recorded = recordings(&asked.traces)?;
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
    for crowd in recorded {
        progress(results.len(), steps, &crowd.player);
        results.push(judged(crowd));
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

fn progress(done: usize, steps: usize, what: &str) {
    if stderr().is_terminal() {
        let end = if done == steps { "\r\x1b[2K" } else { "" };
        eprint!("\r\x1b[2K  {done}/{steps}  {what}{end}");
        let _ = stderr().flush();
    } else {
        eprintln!("  {done}/{steps}  {what}");
    }
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

/// The recordings in `folder`, one viewer each; none if there is no such folder.
fn recordings(folder: &Path) -> anyhow::Result<Vec<Crowd>> {
    if !folder.is_dir() {
        return Ok(Vec::new());
    }
    let entries =
        std::fs::read_dir(folder).with_context(|| format!("{} cannot be read", folder.display()))?;
    let mut paths: Vec<_> = entries.filter_map(|entry| Some(entry.ok()?.path())).collect();
    paths.retain(|path| path.extension().is_some_and(|kind| kind == "ndjson"));
    paths.sort();
    paths.iter().map(|path| recording(path).with_context(|| format!("{}", path.display()))).collect()
}

fn recording(path: &Path) -> anyhow::Result<Crowd> {
    let text = std::fs::read_to_string(path)?;
    let mut lines = text.lines().filter(|line| !line.trim().is_empty());
    let head: Value = serde_json::from_str(lines.next().context("it is empty")?)?;
    let word = |name: &str| head[name].as_str().unwrap_or_default().to_owned();
    let target = head["target_ms"].as_u64().context("its first line has no target_ms")?;
    let mut trace = Trace {
        class: class_of(&word("player")),
        target: Duration::from_millis(target),
        events: Vec::new(),
        left_at: None,
    };
    let mut began = None;
    for line in lines {
        let line: Value = serde_json::from_str(line)?;
        let at = line["at_ms"].as_f64().context("a line without at_ms")?.max(0.0);
        let at = u64::try_from(Duration::from_secs_f64(at / 1000.0).as_millis())?;
        let kind = line["kind"].as_str().unwrap_or_default();
        if began.is_none() && kind != "playlist" {
            continue;
        }
        let at = at.saturating_sub(*began.get_or_insert(at));
        take(kind, &line["detail"], at, &mut trace);
    }
    trace.events.sort_by_key(|(at, _)| *at);
    Ok(Crowd {
        player: word("player"),
        scenario: format!("recorded: {}", word("scenario")),
        traces: vec![trace],
    })
}

fn take(kind: &str, detail: &Value, at: u64, trace: &mut Trace) {
    let words = detail.to_string().to_ascii_lowercase();
    let says = |names: &[&str]| names.iter().any(|name| words.contains(name));
    match kind {
        "playlist" => trace.events.push((at, Seen::Playlist)),
        "segment" => {
            let digits: String = words.chars().rev().skip_while(|c| !c.is_ascii_digit()).collect();
            let number: String = digits.chars().take_while(char::is_ascii_digit).collect();
            let sequence = number.chars().rev().collect::<String>().parse().unwrap_or(at);
            trace.events.push((at, Seen::Segment(sequence)));
        }
        "report" if says(&["stopped"]) => trace.events.push((at, Seen::Stopped)),
        "report" => {
            let paused = says(&["\"ispaused\":true", "\"paused\":true", "\"paused\""]);
            trace.events.push((at, Seen::Report { paused }));
        }
        // The first departure counts: a viewer who comes back is another.
        "viewer" if says(&["stop", "kill", "close", "quit", "left", "cut", "exit"]) => {
            trace.left_at.get_or_insert(at);
        }
        _ => {}
    }
}

fn class_of(player: &str) -> Class {
    let player = player.to_ascii_lowercase();
    match Class::of_user_agent(&player) {
        Class::Unknown if ["ffmpeg", "mpv", "vlc", "gst"].iter().any(|name| player.contains(name)) => {
            Class::Pull
        }
        Class::Unknown => Class::Web,
        known @ (Class::Web | Class::App | Class::Pull) => known,
    }
}
