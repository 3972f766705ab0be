//! Tries the deadlines against the figures of docs/presence.md 3.

use std::time::Duration;

use super::*;
use crate::cadence::laws::{LEFT, Rates, SUSPECT};

fn crossings(class: Class, target: u64, change: impl FnOnce(&mut Outlook)) -> (f64, f64) {
    let target = Duration::from_secs(target);
    let mut outlook = Outlook::new(&Rhythm::default(), class, target, Rates::assumed(class));
    change(&mut outlook);
    (outlook.crossing(SUSPECT).as_secs_f64(), outlook.crossing(LEFT).as_secs_f64())
}

fn near((suspect, left): (f64, f64), expected: (f64, f64)) {
    let close = |seen: f64, told: f64| (seen - told).abs() < told * 0.1 + 1.0;
    assert!(close(suspect, expected.0) && close(left, expected.1), "{suspect} {left}, not {expected:?}");
}

#[test]
fn the_deadlines_are_those_of_the_note() {
    near(crossings(Class::Web, 3, |_| ()), (7.0, 62.0));
    near(crossings(Class::Web, 6, |_| ()), (10.0, 62.0));
    near(crossings(Class::App, 3, |_| ()), (7.0, 17.0));
    near(crossings(Class::App, 6, |_| ()), (10.0, 20.0));
    near(crossings(Class::Pull, 3, |_| ()), (78.0, 565.0));
}

#[test]
fn evidence_moves_the_deadlines() {
    let plain = crossings(Class::App, 3, |_| ());
    let closed = crossings(Class::App, 3, |outlook| outlook.odds = laws::SOCKET_CLOSED);
    let reporting = crossings(Class::App, 3, |outlook| outlook.reports = true);
    assert!(closed.1 < plain.1 && plain.1 < reporting.1, "{closed:?} {plain:?} {reporting:?}");
    let pausing = crossings(Class::Pull, 3, |outlook| outlook.pause = Pause::UnderWay);
    let telling = crossings(Class::Pull, 3, |outlook| outlook.pause = Pause::Told);
    assert!(telling.1 < 60.0 && pausing.0 > 600.0, "{telling:?} {pausing:?}");
}

#[test]
fn the_longer_the_silence_the_surer() {
    for class in Class::ALL {
        for odds in [0.1, 1.0, 10.0] {
            let target = Duration::from_secs(4);
            let mut outlook = Outlook::new(&Rhythm::default(), class, target, Rates::assumed(class));
            outlook.odds = odds;
            let after = |tenths: u64| outlook.absence(Duration::from_millis(tenths * 100));
            assert!((0..20_000).all(|tenths| after(tenths) <= after(tenths + 1)), "{class:?} {odds}");
            assert!((0..40).all(|tenths| after(tenths) == 0.0), "not before it is due");
        }
    }
}

#[test]
fn a_rhythm_is_learned_and_forgotten() {
    let target = Duration::from_secs(2);
    let mut rhythm = Rhythm::default();
    for _ in 0..40 {
        rhythm.learn(Duration::from_secs(14));
        rhythm.learn(Duration::from_millis(30));
    }
    assert!((15.0..16.5).contains(&rhythm.expected(target)), "{rhythm:?}");
    for _ in 0..60 {
        rhythm.learn(Duration::from_secs(2));
    }
    assert!(rhythm.expected(target) < 3.0, "{rhythm:?}");
    rhythm.learn(Duration::from_secs(3000));
    assert!(rhythm.expected(target) < 4.0, "one odd gap is not a rhythm: {rhythm:?}");
}

#[test]
fn a_hidden_tab_has_a_rhythm_of_its_own() {
    let target = Duration::from_secs(3);
    let mut rhythm = Rhythm::default();
    for _ in 0..3 {
        rhythm.learn(Duration::from_secs(60));
    }
    assert!(rhythm.is_thin());
    let outlook = Outlook::new(&rhythm, Class::Web, target, Rates::assumed(Class::Web));
    assert!(outlook.crossing(SUSPECT).as_secs_f64() > 65.0);
    rhythm.learn(Duration::from_secs(3));
    assert!(!rhythm.is_thin());
}

#[test]
fn players_are_told_by_their_names() {
    for (agent, class) in [
        ("Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 Chrome/120", Class::Web),
        ("Lavf/59.27.100", Class::Pull),
        ("VLC/3.0.18 LibVLC/3.0.18", Class::Pull),
        ("Kodi/20.2 (Linux; Android 11)", Class::Pull),
        ("GStreamer souphttpsrc 1.22.0 libsoup/3.2.2", Class::Pull),
        ("Jellyfin Android TV/0.18 (Linux;Android 12) AndroidXMedia3/1.4.1", Class::App),
        ("AppleCoreMedia/1.0.0.21A329 (Apple TV; U; CPU OS 17_0 like Mac OS X)", Class::App),
        ("curl/8", Class::Unknown),
        ("", Class::Unknown),
    ] {
        assert_eq!(Class::of_user_agent(agent), class, "{agent}");
    }
}
