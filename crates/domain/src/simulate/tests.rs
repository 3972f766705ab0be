//! What must hold, on simulated viewers with a fixed seed.

use std::time::Duration;

use super::*;

fn rows(hints: bool) -> Vec<(Player, Row)> {
    let row = |(at, player): (usize, Player)| {
        let seed = 40 + at as u64;
        let traces = generate(player, Duration::from_secs(3), hints, 25.0, seed);
        (player, judge(Detector::Posterior, &traces))
    };
    Player::ALL.into_iter().enumerate().map(row).collect()
}

fn over_all(rows: &[(Player, Row)]) -> f64 {
    let wrong: u64 = rows.iter().map(|(_, row)| row.false_left).sum();
    let hours: f64 = rows.iter().map(|(_, row)| row.hours).sum();
    f64::from(u32::try_from(wrong).unwrap()) / hours
}

#[test]
fn with_hints_departures_are_seen_at_once_and_hardly_ever_imagined() {
    let rows = rows(true);
    assert!(over_all(&rows) <= 0.02, "{rows:#?}");
    for (player, row) in rows {
        assert!(row.suspect.median <= 1.0, "{player:?} {row:?}");
        assert!(row.left.median <= 2.5, "{player:?} {row:?}");
    }
}

#[test]
fn without_hints_departures_are_rarely_imagined() {
    let rows = rows(false);
    assert!(over_all(&rows) <= 0.05, "{rows:#?}");
}

#[test]
fn the_same_seed_gives_the_same_viewers() {
    let target = Duration::from_secs(6);
    let once = |seed| generate(Player::HlsJsHidden, target, true, 2.0, seed);
    let events = |traces: Vec<Trace>| traces.into_iter().map(|trace| trace.events).collect::<Vec<_>>();
    assert_eq!(events(once(7)), events(once(7)));
    assert_ne!(events(once(7)), events(once(8)));
}

#[test]
fn what_others_do_is_measured_alike() {
    let traces = generate(Player::HlsJs, Duration::from_secs(6), false, 10.0, 1);
    let fixed = judge(Detector::Fixed(5), &traces);
    assert!(fixed.false_per_hour() > 300.0, "shorter than every gap: {fixed:?}");
    let fixed = judge(Detector::Fixed(60), &traces);
    assert!((52.0..61.0).contains(&fixed.left.median), "{fixed:?}");
}
