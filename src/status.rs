//! `warmgate status` and `warmgate top` show in the terminal what the gateway that runs on this machine does.
//!
//! They ask its API, as the dashboard does, and know nothing else of it.

use std::fmt::Write as _;
use std::io::{self, Write as _};
use std::time::Duration;

use anyhow::{Context as _, bail};
use http::header::{AUTHORIZATION, HOST};
use http::{Request, StatusCode};
use serde_json::Value;
use tokio::net::TcpStream;
use tokio::time::{sleep, timeout};
use warmgate::body;
use warmgate::config::Config;

use crate::running::{exchange, reachable};

/// How long the gateway may take.
const PATIENCE: Duration = Duration::from_secs(5);
/// The longest answer that is read, in bytes.
const LONGEST: usize = 16 << 20;
/// Between two looks.
const LOOK: Duration = Duration::from_secs(1);
/// How many of the last zaps are shown.
const ZAPS: usize = 10;
/// Puts the cursor at the top, and clears what is below.
const CLEAR: &str = "\x1b[H\x1b[J";

/// Prints the state.
///
/// # Errors
/// If the gateway does not tell it.
pub(crate) async fn show(config: &Config, as_json: bool) -> anyhow::Result<()> {
    let state = ask(config, "/api/v1/state").await?;
    if as_json {
        println!("{state:#}");
    } else {
        print!("{}", page(&state, &ask(config, "/api/v1/zaps").await?));
    }
    Ok(())
}

/// Prints the state again and again. A gateway that is away may come back.
///
/// # Errors
/// If the first question fails, or nothing can be printed any more.
pub(crate) async fn follow(config: &Config) -> anyhow::Result<()> {
    ask(config, "/api/v1/state").await?;
    loop {
        let asked = tokio::try_join!(ask(config, "/api/v1/state"), ask(config, "/api/v1/zaps"));
        let page = asked.map_or_else(|error| format!("{error:#}\n"), |(state, zaps)| page(&state, &zaps));
        let mut out = io::stdout();
        if write!(out, "{CLEAR}{page}").and_then(|()| out.flush()).is_err() {
            return Ok(());
        }
        sleep(LOOK).await;
    }
}

async fn ask(config: &Config, path: &str) -> anyhow::Result<Value> {
    if !config.admin.enabled {
        bail!("admin.enabled is false, so the gateway shows nothing");
    }
    let address = reachable(config.admin.listen);
    let asking = async {
        let mut request = Request::get(path).header(HOST, address.to_string());
        if let Some(token) = &config.admin.token {
            request = request.header(AUTHORIZATION, format!("Bearer {}", token.expose()));
        }
        exchange(TcpStream::connect(address).await?, request.body(body::empty())?, LONGEST).await
    };
    let answer = timeout(PATIENCE, asking).await.context("no answer in time").and_then(|answer| answer);
    let (status, body) = answer.with_context(|| format!("the gateway does not answer at {address}"))?;
    if status != StatusCode::OK {
        bail!("the gateway at {address} answers {status}");
    }
    serde_json::from_slice(&body)
        .with_context(|| format!("something else than the gateway answers at {address}"))
}

fn page(state: &Value, zaps: &Value) -> String {
    let mut page = String::new();
    // Writing to a string cannot fail.
    let _ = write(&mut page, state, zaps);
    page
}

fn write(page: &mut String, state: &Value, zaps: &Value) -> std::fmt::Result {
    let streams = list(&state["streams"]);
    let tuners = &state["tuners"];
    let limit = tuners["limit"].as_u64().map_or_else(|| "?".to_owned(), |limit| limit.to_string());
    writeln!(
        page,
        "warmgate {} in front of {}: {} of {} streams, {} of {limit} tuners in use",
        text(&state["version"]),
        text(&state["upstream"]),
        streams.len(),
        state["slots"],
        tuners["in_use"],
    )?;
    for stream in streams {
        let channel = &stream["channel"];
        writeln!(
            page,
            "\n{:>4}  {}  {}",
            stream["id"].as_u64().unwrap_or_default(),
            name(channel),
            text(&stream["state"])
        )?;
        writeln!(page, "      {}", text(&stream["why"]))?;
        for viewer in list(&stream["viewers"]) {
            let who = [&viewer["user"], &viewer["device"]].map(text).join(" on ");
            writeln!(page, "      {who}: {} ({})", text(&viewer["presence"]), text(&viewer["player"]))?;
        }
    }
    let zaps = list(&zaps["zaps"]);
    if !zaps.is_empty() {
        writeln!(page, "\nThe last zaps, the newest first:")?;
    }
    for zap in zaps.iter().rev().take(ZAPS) {
        let waited = zap["waited"].as_f64();
        let waited = waited.map_or_else(|| "-".to_owned(), |waited| format!("{:.0} ms", waited * 1000.0));
        writeln!(page, "{waited:>10}  {:<9}  {}", text(&zap["outcome"]), name(&zap["channel"]))?;
    }
    Ok(())
}

fn list(value: &Value) -> &[Value] {
    value.as_array().map(Vec::as_slice).unwrap_or_default()
}

/// A text, without what a terminal would take for a command: devices name themselves.
fn text(value: &Value) -> String {
    value.as_str().unwrap_or("?").chars().filter(|letter| !letter.is_control()).collect()
}

/// A channel's number and name, or its item.
fn name(channel: &Value) -> String {
    let (number, name, item) = (&channel["number"], &channel["name"], &channel["item"]);
    match (number.is_string(), name.is_string()) {
        (true, true) => format!("{} {}", text(number), text(name)),
        (false, true) => text(name),
        (_, false) => text(item),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_page_says_who_watches_and_how_long_zaps_took() {
        let state = json!({
            "version": "1", "upstream": "http://tv", "slots": 4, "tuners": {"in_use": 1, "limit": 2},
            "streams": [{"id": 7, "state": "live", "why": "one viewer watches it",
                "channel": {"item": "a", "name": "News", "number": "1"},
                "viewers": [{"user": "alice", "device": "tv", "presence": "playing", "player": "hls.js"}]}],
        });
        let zaps = json!({"zaps": [
            {"outcome": "cold", "waited": 1.9, "channel": {"item": "a"}},
            {"outcome": "conflict", "channel": {"item": "b", "name": "Films"}},
        ]});
        assert_eq!(
            page(&state, &zaps),
            "warmgate 1 in front of http://tv: 1 of 4 streams, 1 of 2 tuners in use\n\n   7  1 News  live\n      \
             one viewer watches it\n      alice on tv: playing (hls.js)\n\nThe last zaps, the newest first:\n         \
             -  conflict   Films\n   1900 ms  cold       a\n"
        );
    }
}
