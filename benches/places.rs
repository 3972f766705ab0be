//! Whether 500 viewers who each watch another place of one stream get each segment in time: they join one after another over some
//! minutes, pause, and then all play on at once from where they joined, from the gateway's spool and over HTTP.
//! `cargo bench --bench places -- --minutes 10 --play 30`.
//!
//! The viewers share the machine's processors with the gateway, so what is measured is the most that it may be late.

#[path = "support/own_playlist.rs"]
mod own_playlist;

use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use anyhow::{Context as _, ensure};
use clap::Parser;
use jellyfin_alike::viewer::{Answer, Viewer};
use jellyfin_alike::{Origin, Settings, User};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, sleep_until};
use tokio_util::sync::CancellationToken;
use warmgate::app::App;
use warmgate::config::Config;

use crate::own_playlist::own_playlist;

const PLACES: u32 = 500;
/// One account has at most 256 viewers of a stream.
const ACCOUNTS: u32 = 4;
/// How often a paused viewer asks for its list.
const PAUSED: Duration = Duration::from_secs(20);
/// How often one who plays does.
const POLLS: Duration = Duration::from_secs(1);
/// How long the channel may take to come about.
const AT_MOST: Duration = Duration::from_secs(30);

#[derive(Parser)]
struct Args {
    /// The minutes over which the viewers join
    #[arg(long, default_value_t = 10)]
    minutes: u32,
    /// The seconds for which all play then
    #[arg(long, default_value_t = 30)]
    play: u32,
    /// Set by cargo
    #[arg(long, hide = true)]
    bench: bool,
}

/// When each segment came after it was due, and how long each list took.
#[derive(Default)]
struct Times {
    segments: Vec<Duration>,
    lists: Vec<Duration>,
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let args = Args::parse();
    let users: Vec<_> = (0..ACCOUNTS).map(|number| User::new(&format!("viewer-{number}"))).collect();
    let origin = Origin::start(Settings { users: users.clone(), ..Settings::real() }).await?;
    let mut config = Config::for_upstream(&format!("http://{}", origin.addr()))?;
    config.listen = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
    let state = tempfile::tempdir_in("target")?;
    config.state_dir = Some(state.path().to_owned());
    let app = App::bind(config).await?;
    let (base, stop) = (format!("http://{}", app.local_addr()), CancellationToken::new());
    let serving = tokio::spawn(app.serve(stop.clone()));

    let viewer = |number: u32| {
        let user = &users[(number % ACCOUNTS) as usize];
        let agent = Some(
            "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Safari/537.36",
        );
        let mut viewer = Viewer::new(base.clone(), user.token(), &user.id, &format!("device-{number}"));
        viewer.agent = agent;
        viewer
    };
    let playlist = playing(&viewer(0), &origin.channels()[0].item_id).await?;
    // They all begin to play at this time, each a little later than the one before.
    let begin = Instant::now() + Duration::from_secs(60) * args.minutes;
    let mut viewers = JoinSet::new();
    for number in 0..PLACES {
        let (viewer, token) = (viewer(number), users[(number % ACCOUNTS) as usize].token().to_owned());
        let playlist = own_playlist(&playlist, number as usize, &token)?;
        let joins = begin - Duration::from_secs(60) * args.minutes * (PLACES - number) / PLACES;
        let plays = begin + POLLS * number / PLACES;
        viewers.spawn(async move { watch(&viewer, &playlist, joins, plays, args.play).await });
    }
    let mut all = Times::default();
    while let Some(times) = viewers.join_next().await {
        let times = times??;
        all.segments.extend(times.segments);
        all.lists.extend(times.lists);
    }
    stop.cancel();
    serving.await??;
    drop(origin.kill().await);
    print(&args, all);
    Ok(())
}

/// Opens the channel; the path of its playlist once it plays.
async fn playing(viewer: &Viewer, item: &str) -> anyhow::Result<String> {
    let playback = viewer.open(item).await.map_err(anyhow::Error::from_boxed)?;
    let since = Instant::now();
    loop {
        let list = viewer.poll(&playback).await.map_err(anyhow::Error::from_boxed)?;
        if list.field("cache-status").contains("; hit") && !list.segments().is_empty() {
            return Ok(playback.playlist);
        }
        ensure!(since.elapsed() < AT_MOST, "the channel does not play");
        sleep(Duration::from_millis(200)).await;
    }
}

/// Joins, pauses, and plays from where it joined.
async fn watch(
    viewer: &Viewer,
    playlist: &str,
    joins: Instant,
    plays: Instant,
    seconds: u32,
) -> anyhow::Result<Times> {
    sleep_until(joins).await;
    let mut list = asked(viewer, playlist).await?;
    let first = list.segments().into_iter().next().context("a segment")?;
    while Instant::now() + PAUSED < plays {
        sleep(PAUSED).await;
        list = asked(viewer, playlist).await?;
    }
    ensure!(list.segments().first() == Some(&first), "the list has lost its beginning");
    let mut times = Times::default();
    let mut due = plays;
    let (mut at, mut next_poll) = (0, plays);
    while due < plays + Duration::from_secs(1) * seconds {
        sleep_until(due).await;
        if Instant::now() >= next_poll {
            list = asked(viewer, playlist).await?;
            times.lists.push(list.took);
            next_poll += POLLS;
        }
        let Some((uri, lasts)) = entry(&list, at) else { break };
        let segment = viewer.listed(&list, &uri).await.map_err(anyhow::Error::from_boxed)?;
        ensure!(segment.status == 200 && !segment.body.is_empty(), "{} for {uri}", segment.status);
        times.segments.push(due.elapsed());
        (at, due) = (at + 1, due + lasts);
    }
    Ok(times)
}

async fn asked(viewer: &Viewer, playlist: &str) -> anyhow::Result<Answer> {
    let list = viewer.get(playlist).await.map_err(anyhow::Error::from_boxed)?;
    ensure!(list.status == 200 && list.field("cache-status").contains("; hit"), "{}", list.status);
    Ok(list)
}

/// The segment at a place of the list, and how long it lasts.
fn entry(list: &Answer, at: usize) -> Option<(String, Duration)> {
    let text = list.text();
    let mut lines = text.lines();
    let mut lasts = lines.by_ref().filter_map(|line| line.strip_prefix("#EXTINF:")).skip(at);
    let seconds = lasts.next()?.split(',').next()?.parse().ok()?;
    let uri = lines.find(|line| !line.is_empty() && !line.starts_with('#'))?;
    Some((uri.to_owned(), Duration::from_secs_f64(seconds)))
}

#[expect(clippy::print_stdout, reason = "a bench reports to its terminal")]
fn print(args: &Args, mut times: Times) {
    times.segments.sort();
    times.lists.sort();
    let of = |times: &[Duration], share: f64| {
        let at = (times.len() as f64 * share) as usize;
        times.get(at.min(times.len().saturating_sub(1))).copied().unwrap_or_default()
    };
    println!("{PLACES} viewers at {PLACES} places in {} min, playing for {} s", args.minutes, args.play);
    for (name, times) in
        [("segments, after they were due", &times.segments), ("lists, after they were asked", &times.lists)]
    {
        println!(
            "{name}: {} of them, median {:.1?}, 99 % {:.1?}, latest {:.1?}",
            times.len(),
            of(times, 0.5),
            of(times, 0.99),
            of(times, 1.0)
        );
    }
}
