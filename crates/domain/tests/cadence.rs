//! Checks the table of `fixtures/cadence/README.md` against the recordings of real players.
#![allow(clippy::unwrap_used, reason = "a test may panic, and so may its helpers")]

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use serde_json::Value;

const FOLDER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../fixtures/cadence");

struct Recording {
    head: Value,
    events: Vec<Event>,
}

struct Event {
    at: u64,
    kind: String,
    detail: Value,
}

impl Recording {
    fn read(path: &Path) -> Self {
        let text = fs::read_to_string(path).unwrap();
        let mut lines = text.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
        let head = lines.next().unwrap();
        let events = lines.map(|line| Event {
            at: line["at_ms"].as_u64().unwrap(),
            kind: line["kind"].as_str().unwrap().to_owned(),
            detail: line["detail"].clone(),
        });
        Self { head, events: events.collect() }
    }

    fn text(&self, key: &str) -> &str {
        self.head[key].as_str().unwrap_or_else(|| panic!("{key} is missing"))
    }

    /// The time at which the viewer did this.
    fn did(&self, deed: &str) -> Option<u64> {
        let found = self.events.iter().find(|event| event.kind == "viewer" && event.detail["did"] == deed);
        found.map(|event| event.at)
    }

    /// The times of the player's requests.
    fn requests(&self) -> impl Iterator<Item = u64> {
        ["playlist", "segment", "report"]
            .into_iter()
            .flat_map(|kind| self.of(kind))
            .collect::<BTreeSet<_>>()
            .into_iter()
    }

    fn of(&self, kind: &str) -> impl Iterator<Item = u64> {
        self.events.iter().filter(move |event| event.kind == kind).map(|event| event.at)
    }

    /// The longest time without a request that overlaps with the span between two times.
    fn silence(&self, from: u64, to: u64) -> u64 {
        let mut times: Vec<u64> = self.requests().collect();
        if times.last().is_none_or(|last| *last < to) {
            times.push(to);
        }
        let gaps = times.windows(2).filter(|gap| gap[1] > from && gap[0] < to);
        gaps.map(|gap| gap[1] - gap[0]).max().unwrap_or(0)
    }

    /// The same between two actions of the viewer.
    fn silence_between(&self, from: &str, to: &str) -> Option<u64> {
        Some(self.silence(self.did(from)?, self.did(to)?))
    }

    /// The connections that are open one second after an action.
    fn open_after(&self, deed: &str) -> Option<usize> {
        let until = self.did(deed)? + 1000;
        let mut open = BTreeSet::new();
        for event in self.events.iter().filter(|event| event.at <= until) {
            let Some(connection) = event.detail["connection"].as_u64() else { continue };
            if event.kind == "close" {
                open.remove(&connection)
            } else {
                open.insert(connection)
            };
        }
        Some(open.len())
    }
}

fn recordings() -> BTreeMap<(String, String), Recording> {
    let entries = fs::read_dir(FOLDER).unwrap().map(|entry| entry.unwrap().path());
    let recordings = entries.filter(|path| path.extension().is_some_and(|end| end == "ndjson"));
    let named = recordings.map(|path| {
        let recording = Recording::read(&path);
        let (player, scenario) = (recording.text("player").to_owned(), recording.text("scenario").to_owned());
        assert_eq!(path.file_stem().unwrap().to_str().unwrap(), format!("{player}-{scenario}"));
        ((player, scenario), recording)
    });
    named.collect()
}

#[test]
fn every_recording_is_well_formed() {
    let recordings = recordings();
    assert!(recordings.len() > 30, "{}", recordings.len());
    for (name, recording) in &recordings {
        for key in ["version", "user_agent", "recorded"] {
            assert!(!recording.text(key).is_empty(), "{name:?}");
        }
        assert!(recording.head["target_ms"].as_u64().is_some_and(|target| target >= 1000), "{name:?}");
        assert!(recording.events.is_sorted_by_key(|event| event.at), "{name:?}");
        let known = ["playlist", "segment", "report", "other", "close", "viewer"];
        assert!(recording.events.iter().all(|event| known.contains(&event.kind.as_str())), "{name:?}");
        assert!(recording.events.iter().all(|event| event.detail.get("failed").is_none()), "{name:?}");
        assert!(recording.did("play").is_some() && recording.did("end").is_some(), "{name:?}");
        assert!(recording.events.len() < 1000, "{name:?}");
    }
}

#[test]
fn a_player_that_plays_is_never_silent_for_long() {
    for (name, recording) in &recordings() {
        if name.0 == "chromium" {
            continue; // it gives up at the second playlist
        }
        let begun = recording.of("segment").next().unwrap();
        let disturbed = recording.of("viewer").nth(1).unwrap();
        let before: Vec<u64> = recording.requests().filter(|at| (begun..disturbed).contains(at)).collect();
        let longest = before.windows(2).map(|gap| gap[1] - gap[0]).max().unwrap();
        let promised = recording.head["target_ms"].as_u64().unwrap();
        assert!(disturbed - begun > 30_000, "{name:?} hardly played");
        assert!(longest <= promised * 11 / 10, "{name:?} was silent for {longest} ms");
        assert!(disturbed - before.last().unwrap() <= promised * 11 / 10, "{name:?} fell silent");
    }
}

/// A row of the table for each player, from its recordings.
fn table() -> String {
    let recordings = recordings();
    let players: BTreeSet<&str> = recordings.keys().map(|(player, _)| player.as_str()).collect();
    let mut table = String::new();
    for player in players {
        let of = |scenario: &str| recordings.get(&(player.to_owned(), scenario.to_owned()));
        let between = |scenario, from, to| seconds(of(scenario).and_then(|it| it.silence_between(from, to)));
        let open =
            |deed| of(deed).and_then(|it| it.open_after(deed)).map_or("–".to_owned(), |it| it.to_string());
        let any = recordings.iter().find(|((name, _), _)| name == player).unwrap().1;
        let played = of("stop").and_then(|it| Some(it.silence(it.of("segment").next()?, it.did("stop")?)));
        let back = of("cut").and_then(|it| {
            let restored = it.did("restore")?;
            Some(it.of("segment").find(|at| *at >= restored).map(|at| at - restored))
        });
        let back =
            back.map_or("–".to_owned(), |back| back.map_or("never".to_owned(), |at| seconds(Some(at))));
        let _ = writeln!(
            table,
            "| {player} | {} | {} | {} | {} | {} | {} | {} | {} |",
            any.text("version"),
            seconds(played),
            between("pause", "pause", "resume"),
            between("hide", "hide", "show"),
            between("hide-muted", "hide", "show"),
            back,
            open("stop"),
            open("kill"),
        );
    }
    table
}

fn seconds(span: Option<u64>) -> String {
    span.map_or("–".to_owned(), |span| format!("{:.1} s", span as f64 / 1000.0))
}

#[test]
fn the_readme_tells_what_was_recorded() {
    let readme = fs::read_to_string(format!("{FOLDER}/README.md")).unwrap();
    let table = table();
    assert!(readme.contains(&table), "the table in {FOLDER}/README.md should be:\n{table}");
}
