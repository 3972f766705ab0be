//! Reads recordings of real players (`fixtures/cadence/README.md` describes them) as traces.
//!
//! A trace contains what the gateway sees. A request being answered does not count as presence here, since a recording does
//! not tell how long the gateway itself took.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::time::Duration;

use anyhow::Context as _;
use domain::cadence::Class;
use domain::simulate::{Seen, Trace};
use serde_json::Value;

/// The recordings in `folder` by player, one viewer each; empty if the folder does not exist.
pub(super) fn read_all(folder: &Path) -> anyhow::Result<BTreeMap<String, Vec<Trace>>> {
    let mut players: BTreeMap<_, Vec<_>> = BTreeMap::new();
    if !folder.is_dir() {
        return Ok(players);
    }
    let entries =
        std::fs::read_dir(folder).with_context(|| format!("{} cannot be read", folder.display()))?;
    let mut paths: Vec<_> = entries.filter_map(|entry| Some(entry.ok()?.path())).collect();
    paths.retain(|path| path.extension().is_some_and(|kind| kind == "ndjson"));
    paths.sort();
    for path in paths {
        let text = std::fs::read_to_string(&path).with_context(|| format!("{}", path.display()))?;
        let (player, trace) = read(&text).with_context(|| format!("{}", path.display()))?;
        players.entry(player).or_default().push(trace);
    }
    Ok(players)
}

fn read(text: &str) -> anyhow::Result<(String, Trace)> {
    let mut lines = text.lines().filter(|line| !line.trim().is_empty());
    let head: Value = serde_json::from_str(lines.next().context("it is empty")?)?;
    let player = head["player"].as_str().context("its first line names no player")?;
    let target = head["target_ms"].as_u64().context("its first line has no target_ms")?;
    let agent = head["user_agent"].as_str().unwrap_or(player);
    let mut trace = Trace {
        class: Class::of_user_agent(agent),
        target: Duration::from_millis(target),
        events: Vec::new(),
        left_at: None,
    };
    let (mut began, mut cut, mut sockets) = (None, None, Vec::new());
    let mut connections = BTreeSet::new();
    for line in lines {
        let line: Value = serde_json::from_str(line)?;
        let at = line["at_ms"].as_u64().context("a line without at_ms")?;
        let (kind, detail) = (line["kind"].as_str().unwrap_or_default(), &line["detail"]);
        let is_socket = detail["name"] == "socket";
        if began.is_none() && kind != "playlist" && !is_socket {
            continue;
        }
        if is_socket {
            sockets.push(at + detail["ms"].as_u64().unwrap_or_default());
            continue;
        }
        let at = at.saturating_sub(*began.get_or_insert(at));
        match (kind, detail["did"].as_str()) {
            ("viewer", Some("cut")) => cut = Some(at),
            ("viewer", Some("restore")) => cut = None,
            ("viewer", Some("stop" | "kill")) => trace.left_at = Some(at),
            _ => trace.events.extend(seen(kind, detail, at)),
        }
        if let Some(connection) = detail["connection"].as_u64() {
            match (kind, detail["by"].as_str()) {
                ("playlist" | "segment", _) => {
                    trace.events.push((at, Seen::Connected { new: connections.insert(connection) }));
                }
                ("close", by) if connections.remove(&connection) => {
                    trace.events.push((at, Seen::Disconnected { by_peer: by == Some("player") }));
                }
                _ => {}
            }
        }
    }
    let ends = sockets.into_iter().filter_map(|at| at.checked_sub(began?));
    trace.events.extend(ends.map(|at| (at, Seen::SocketClosed)));
    // A player cut off for good left at that moment, as far as the gateway can see.
    trace.left_at = cut.or(trace.left_at);
    trace.events.sort_by_key(|(at, _)| *at);
    Ok((player.to_owned(), trace))
}

fn seen(kind: &str, detail: &Value, at: u64) -> Option<(u64, Seen)> {
    if detail["method"] == "OPTIONS" {
        return None;
    }
    match (kind, detail["name"].as_str()) {
        ("playlist", _) => Some((at, Seen::Playlist)),
        ("segment", _) => Some((at, Seen::Segment(detail["number"].as_u64()?))),
        ("report", Some("Stopped")) => Some((at, Seen::Stopped)),
        ("report", _) => Some((at, Seen::Report { paused: detail["paused"].as_bool()? })),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use domain::simulate::{Detector, judge};

    use super::*;

    #[test]
    fn a_recording_is_what_the_gateway_saw() {
        let text = r#"{"player":"page","scenario":"kill","target_ms":5000,"user_agent":"Mozilla/5.0"}
{"at_ms":90,"detail":{"did":"play"},"kind":"viewer"}
{"at_ms":95,"detail":{"name":"socket","ms":900,"method":"GET"},"kind":"other"}
{"at_ms":100,"detail":{"method":"GET","ms":1},"kind":"playlist"}
{"at_ms":130,"detail":{"method":"GET","number":7},"kind":"segment"}
{"at_ms":200,"detail":{"method":"OPTIONS","name":"Playing"},"kind":"report"}
{"at_ms":201,"detail":{"method":"POST","name":"Playing","paused":false},"kind":"report"}
{"at_ms":900,"detail":{"did":"kill"},"kind":"viewer"}
"#;
        let (player, trace) = read(text).unwrap();
        let events = [
            (0, Seen::Playlist),
            (30, Seen::Segment(7)),
            (101, Seen::Report { paused: false }),
            (895, Seen::SocketClosed),
        ];
        assert_eq!((player.as_str(), trace.class, trace.left_at), ("page", Class::Web, Some(800)));
        assert_eq!(trace.events, events);
        assert!(read("").is_err() && read("{}").is_err());
    }

    #[test]
    fn no_recorded_player_that_still_plays_is_ever_judged_left() {
        for (player, traces) in read_all(Path::new("fixtures/cadence")).unwrap() {
            // Chromium's own HLS fails at its second playlist: it does not play.
            if player != "chromium" {
                assert_eq!(judge(Detector::Posterior, &traces).false_left, 0, "{player}");
            }
        }
    }
}
