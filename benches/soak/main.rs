//! A modest and mixed load for hours, and whether the gateway's memory, open files and threads grow under it: viewers zap and vanish,
//! files are downloaded, WebSockets come and go, raw streams are read, and the configuration changes. `make soak` takes an
//! hour, `SOAK=600 make soak` ten minutes.
//!
//! It prints a line per minute, and fails if something has grown, or is still open at the server once everybody has left.

mod load;
mod provider;
mod samples;
#[path = "../support/mod.rs"]
mod support;

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use clap::Parser;
use jellyfin_alike::{Origin, Settings, User};
use tokio::time::{Instant, MissedTickBehavior, interval, sleep};

use crate::load::{Load, World};
use crate::provider::Provider;
use crate::samples::{Sample, Samples};
use crate::support::Gateway;

/// The time from one sample to the next, and how many make a line.
const SAMPLE: Duration = Duration::from_secs(10);
const LINE: usize = 6;
/// The time in which everything is given back once everybody has left: `warm.feed`, and what a silent viewer takes.
const AFTERMATH: Duration = Duration::from_secs(150);

#[derive(Parser)]
struct Args {
    /// How long the load lasts
    #[arg(long, default_value_t = 3600)]
    seconds: u64,
    /// The seed of what the viewers do
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Set by cargo
    #[arg(long, hide = true)]
    bench: bool,
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let args = Args::parse();
    let users: Vec<_> =
        (1..=load::VIEWERS + load::OTHERS).map(|number| User::new(&format!("viewer-{number}"))).collect();
    let settings = Settings { users: users.clone(), tuners: 6, ..Settings::quick() };
    let (key, origin, provider) =
        (settings.api_key.clone(), Origin::start(settings).await?, Provider::start().await?);
    let folder = tempfile::tempdir()?;
    let file = folder.path().join("gateway.yaml");
    std::fs::write(folder.path().join("list.m3u"), provider.playlist())?;
    configure(&file, origin.addr(), &key, 4)?;
    let gateway = Gateway::start(folder).await?;
    let items = origin.channels().into_iter().map(|channel| channel.item_id).collect();
    let world = Arc::new(World::new(gateway.address, users, items));
    let load = Load::begin(&world, args.seed);
    let mut samples = Samples::default();
    let (begun, mut ticks) = (Instant::now(), interval(SAMPLE));
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    title();
    while begun.elapsed() < Duration::from_secs(args.seconds) {
        ticks.tick().await;
        samples.add(Sample::of(&gateway)?);
        let count = samples.count();
        if count % 2 == 0 {
            configure(&file, origin.addr(), &key, 4 + count / 2 % 2)?;
            world.changes(gateway.id()?)?;
        }
        if count % LINE == 0 {
            line(begun.elapsed(), samples.last().context("a sample")?, &origin, &world);
        }
    }
    load.end().await;
    let mut wrong = samples.growth();
    wrong.extend(left(&origin, &provider).await);
    wrong.extend(world.failures());
    gateway.stop().await;
    drop(origin.kill().await);
    verdict(&wrong);
    anyhow::ensure!(wrong.is_empty(), "{}", wrong.join("\n"));
    Ok(())
}

/// Writes the gateway's configuration: what nobody watches is soon given back, and what is old lies on disk.
fn configure(file: &Path, origin: SocketAddr, key: &str, slots: usize) -> anyhow::Result<()> {
    let text = format!(
        "listen: 127.0.0.1:0\nstate_dir: .\nupstream: {{url: \"http://{origin}\", api_key: {key:?}}}\n\
         pool: {{slots: {slots}, idle_timeout: 30s}}\nwarm: {{encode: 15s, feed: 30s}}\n\
         viewers: {{silence: 8s, unfollowed: 30s}}\nwindow: {{length: 8s}}\nrewind: {{budget: 256MiB}}\n\
         lineup: [{{file: list.m3u, tuners: 4}}]\nlineup_server: {{enabled: true, token: {}}}\n",
        load::TOKEN
    );
    Ok(std::fs::write(file, text)?)
}

/// What is still open some time after everybody has left.
async fn left(origin: &Origin, provider: &Provider) -> Vec<String> {
    let begun = Instant::now();
    loop {
        let counts = origin.counts();
        let open = [
            ("tuners", counts.tuners_open),
            ("jobs", counts.jobs),
            ("WebSockets", counts.websockets),
            ("connections at the provider", provider.open()),
        ];
        let left: Vec<_> = open.into_iter().filter(|(_, count)| *count > 0).collect();
        if left.is_empty() || begun.elapsed() > AFTERMATH {
            let told = left.into_iter().map(|(what, count)| format!("{count} {what} are left"));
            let whose = origin.consumers().into_iter().map(|(id, consumers)| format!("{id}: {consumers:?}"));
            return told.chain(whose).collect();
        }
        sleep(Duration::from_millis(500)).await;
    }
}

#[expect(clippy::print_stdout, reason = "a bench reports to its terminal")]
fn title() {
    println!(
        "{:>7} {:>9} {:>6} {:>8} {:>8} {:>7} {:>9}",
        "min", "RSS, MiB", "files", "threads", "streams", "tuners", "requests"
    );
}

#[expect(clippy::print_stdout, reason = "a bench reports to its terminal")]
fn line(after: Duration, sample: Sample, origin: &Origin, world: &World) {
    println!(
        "{:>7.1} {:>9.1} {:>6} {:>8} {:>8} {:>7} {:>9}",
        after.as_secs_f64() / 60.0,
        sample.resident as f64 / f64::from(1 << 20),
        sample.files,
        sample.threads,
        world.streams_since(),
        origin.counts().tuners_open,
        world.requests(),
    );
}

#[expect(clippy::print_stdout, reason = "a bench reports to its terminal")]
fn verdict(wrong: &[String]) {
    if wrong.is_empty() {
        println!("nothing has grown, and nothing is left");
    }
}
