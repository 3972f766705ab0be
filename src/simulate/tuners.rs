//! `warmgate simulate tuners`: what viewers and recordings lose by channels that are kept warm.

use clap::Args;
use domain::simulate::tuners::{Household, Week, live};
use domain::value::Thrift;
use serde_json::{Value, json};

/// The numbers of tuners that are simulated.
const TUNERS: [u32; 5] = [1, 2, 3, 4, 6];

#[derive(Args)]
pub(crate) struct Tuners {
    /// Print JSON instead of a table
    #[arg(long)]
    json: bool,
    /// Days of a household's life for each number of tuners
    #[arg(long, default_value_t = 7.0, value_parser = days)]
    days: f64,
    /// Seed of the generator: the same seed gives the same household
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Start channels before anybody asks: thrift, balanced, generous or full
    #[arg(long, value_name = "PRESET")]
    ahead: Option<Thrift>,
}

fn days(text: &str) -> Result<f64, String> {
    let days: f64 = text.parse().map_err(|_| "not a number".to_owned())?;
    if (0.0..=1000.0).contains(&days) { Ok(days) } else { Err("from 0 to 1000".to_owned()) }
}

pub(super) fn run(asked: &Tuners) {
    let households = TUNERS.into_iter().flat_map(|tuners| {
        let &Tuners { days, seed, ahead, .. } = asked;
        [true, false].map(|tells| Household { tuners, tells, days, seed, ahead })
    });
    let weeks = households.map(|household| (household, live(&household)));
    if asked.json {
        let results: Vec<_> = weeks.map(|(household, week)| result_json(&household, &week)).collect();
        println!("{}", json!({"days": asked.days, "seed": asked.seed, "results": results}));
        return;
    }
    println!(
        "  {:<10}  {:>7}  {:>6}  {:>7}  {:>7}  {:>10}  {:>10}  {:>10}  {:>6}  {:>11}",
        "tuners",
        "zaps",
        "warm",
        "ahead",
        "refused",
        "needlessly",
        "recordings",
        "late tries",
        "cut",
        "left behind"
    );
    for (household, week) in weeks {
        let tuners = format!("{}{}", household.tuners, if household.tells { "" } else { ", untold" });
        println!(
            "  {tuners:<10}  {:>7}  {:>6}  {:>7}  {:>7}  {:>10}  {:>10}  {:>10}  {:>6}  {:>11}",
            week.zaps,
            week.warm,
            week.started_ahead,
            week.refused + week.refused_for_warmth,
            week.refused_for_warmth,
            week.recordings,
            week.recordings_late_for_warmth,
            week.cut.values().sum::<u64>(),
            week.left_behind,
        );
    }
}

fn result_json(household: &Household, week: &Week) -> Value {
    json!({
        "tuners": household.tuners,
        "told": household.tells,
        "zaps": week.zaps,
        "warm": week.warm,
        "started_ahead": week.started_ahead,
        "refused": week.refused,
        "refused_for_warmth": week.refused_for_warmth,
        "recordings": week.recordings,
        "recordings_late": week.recordings_late,
        "recordings_late_for_warmth": week.recordings_late_for_warmth,
        "cut": week.cut,
        "surplus": week.surplus,
        "left_behind": week.left_behind,
    })
}
