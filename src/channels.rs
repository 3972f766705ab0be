//! `warmgate lineup` shows the channels of the provider's playlists as the gateway would use them; `warmgate check` reports
//! the problems of playlists on this machine.

use std::process::ExitCode;
use std::sync::Arc;

use domain::lineup::entry::Complaint;
use domain::lineup::source::ChannelSource;
use domain::lineup::{Lineup, LineupChannel, parse};
use serde_json::{Value, json};
use warmgate::config::{Config, Location, Playlist};
use warmgate::fetch::{Fetcher, Timeouts};
use warmgate::lineup::{self, Error};

/// A playlist of the configuration, with the result of loading it.
type Got<'a> = (&'a Playlist, Result<Arc<parse::Playlist>, Error>);

/// The problems of the playlists that are files on this machine.
pub(crate) async fn check(config: &Config) -> Vec<String> {
    let here = |playlist: &&Playlist| matches!(playlist.location, Location::File(_));
    let files: Vec<_> = config.lineup.iter().filter(here).cloned().collect();
    if files.is_empty() {
        return Vec::new();
    }
    get(&files).await.iter().flat_map(complaints).collect()
}

/// Loads the playlists and prints their channels. Fails if one cannot be loaded.
pub(crate) async fn show(config: &Config, as_json: bool) -> ExitCode {
    let got = get(&config.lineup).await;
    let known = got.iter().map(|(playlist, got)| {
        (playlist.rules.clone(), got.as_ref().map_or_else(|_| Arc::default(), Arc::clone))
    });
    let lineup = Lineup::new(&known.collect::<Vec<_>>());
    if as_json {
        println!("{:#}", document(&lineup, &got));
    } else {
        print!("{}", table(&lineup));
        let skipped = got.iter().flat_map(complaints).chain(idle(&lineup, config)).collect::<Vec<_>>();
        skipped.iter().for_each(|said| println!("{said}"));
        println!("{} channels from {} playlists", lineup.channels().len(), got.len());
    }
    if got.iter().all(|(_, got)| got.is_ok()) { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

async fn get(playlists: &[Playlist]) -> Vec<Got<'_>> {
    let fetcher = Fetcher::new(Timeouts::default());
    playlists.iter().zip(lineup::fetch_all(playlists, &fetcher).await).collect()
}

fn complaints((playlist, got): &Got<'_>) -> Vec<String> {
    let location = &playlist.location;
    match got {
        Ok(playlist) => playlist.complaints.iter().map(|said| format!("{location}: {said}")).collect(),
        Err(error) => vec![format!("{location}: {}", reason(error))],
    }
}

/// An error and its causes.
fn reason(error: &Error) -> String {
    let causes = std::iter::successors(std::error::Error::source(error), |cause| cause.source());
    causes.fold(error.to_string(), |said, cause| format!("{said}: {cause}"))
}

fn idle(lineup: &Lineup, config: &Config) -> Vec<String> {
    let place = |index: usize| &config.lineup[index].location;
    let idle = lineup.idle_rules().iter();
    idle.map(|(index, channel)| {
        format!("{}: {channel}: this override matches no channel of the playlist", place(*index))
    })
    .collect()
}

fn table(lineup: &Lineup) -> String {
    let width = |of: fn(&LineupChannel) -> &str, least: usize| {
        lineup.channels().iter().map(|channel| of(channel).chars().count()).fold(least, usize::max).min(40)
    };
    let number = |channel: &LineupChannel| channel.number.clone().unwrap_or_default();
    let name = width(|channel| &channel.name, 4);
    let group = width(|channel| channel.group.as_deref().unwrap_or_default(), 5);
    let mut text =
        format!("{:>6}  {:name$}  {:group$}  {:32}  sources\n", "number", "name", "group", "media source");
    for channel in lineup.channels() {
        let sources: Vec<_> = channel.sources.iter().map(|source| source.url.to_string()).collect();
        let media_source = channel.media_sources.first().map_or("", |id| id.as_str());
        let group_name = channel.group.as_deref().unwrap_or_default();
        text += &format!(
            "{:>6}  {:name$}  {group_name:group$}  {media_source:32}  {}\n",
            number(channel),
            channel.name,
            sources.join(", ")
        );
    }
    text
}

fn document(lineup: &Lineup, got: &[Got<'_>]) -> Value {
    let source = |source: &ChannelSource| json!({ "url": source.url.to_string(), "kind": source.kind.as_str(), "playlist": source.playlist });
    let channel = |channel: &LineupChannel| {
        json!({
            "id": channel.id.as_str(),
            "name": channel.name,
            "number": channel.number,
            "group": channel.group,
            "tvg_id": channel.tvg_id(),
            "media_sources": channel.media_sources.iter().map(|id| id.as_str()).collect::<Vec<_>>(),
            "produce": channel.produce.map(|wish| wish.as_str()),
            "sources": channel.sources.iter().map(source).collect::<Vec<_>>(),
        })
    };
    let playlist = |(index, (playlist, got)): (usize, &Got<'_>)| {
        let (read, error) = match got {
            Ok(read) => (Some(read), None),
            Err(error) => (None, Some(reason(error))),
        };
        let said = read.into_iter().flat_map(|read| &read.complaints);
        let complaint = |said: &Complaint| json!({ "line": said.line, "name": said.name, "what": said.flaw.to_string(), "skipped": said.flaw.skips() });
        let idle = lineup.idle_rules().iter().filter(|(of, _)| *of == index);
        json!({
            "location": playlist.location.to_string(),
            "tuners": playlist.tuners,
            "entries": read.map(|read| read.entries.len()),
            "error": error,
            "complaints": said.map(complaint).collect::<Vec<_>>(),
            "idle_overrides": idle.map(|(_, channel)| channel).collect::<Vec<_>>(),
        })
    };
    json!({
        "channels": lineup.channels().iter().map(channel).collect::<Vec<_>>(),
        "playlists": got.iter().enumerate().map(playlist).collect::<Vec<_>>(),
    })
}
