//! Long runs of viewers that zap by chance, on hardly any tuners, with gateway and origin killed at random moments: nobody gets
//! an error, and no tuner is left behind.
//!
//! A seed gives the same viewers, though not the same moments. CI runs the short ones; CONTRIBUTING says how to run the others.

mod account;
mod kills;
mod truth;
mod zapper;

use std::net::TcpListener;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use domain::lineup::source::SourceUrl;
use domain::lineup::{Override, Rules};
use domain::produce::Produce;
use futures_util::future::join_all;
use jellyfin_alike::{Settings, User, Version};
use tokio::time::{Instant, sleep};
use warmgate::config::{Config, Location, Playlist, Secret};

use crate::direct::write_list;
use crate::runs::account::{Sample, ghosts, looking, miscounts};
use crate::runs::truth::{Patience, Truth};
use crate::runs::zapper::{Pace, World, Zapper};
use crate::support::provider::Provider;
use crate::support::stage::{Stage, household};
use crate::support::wait::eventually;

/// The token of the gateway's own playlist.
const TOKEN: &str = "t0k-s3cr3t";
/// The tokens of the viewers, one for each.
const TOKENS: [&str; 3] = ["one", "two", "three"];

/// Once everybody has left, how long the gateway may take to give everything back.
const AFTERMATH: Duration = Duration::from_secs(45);

const SHORT: Pace = Pace {
    shortest: Duration::from_millis(200),
    longest: Duration::from_millis(1500),
    poll: Duration::from_millis(500),
    report: Duration::from_secs(1),
    silence: Duration::from_secs(6),
    short: true,
};

const LONG: Pace = Pace {
    shortest: Duration::from_secs(1),
    longest: Duration::from_secs(8),
    poll: Duration::from_secs(1),
    report: Duration::from_secs(3),
    silence: Duration::from_secs(20),
    short: false,
};

/// A run in one process with the gateway.
struct Run {
    settings: Settings,
    pace: Pace,
    zaps: usize,
    seed: u64,
    /// Whether the origin tunes by the gateway's own playlist.
    is_tuned_by_us: bool,
}

/// The seed of the long runs: `WARMGATE_SEED`, else the time.
fn seed() -> u64 {
    let given = std::env::var("WARMGATE_SEED").ok().and_then(|seed| seed.parse().ok());
    let now = || std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs();
    given.unwrap_or_else(now)
}

/// The number of zaps: `WARMGATE_ZAPS`, else `usual`.
fn zaps(usual: usize) -> usize {
    std::env::var("WARMGATE_ZAPS").ok().and_then(|zaps| zaps.parse().ok()).unwrap_or(usual)
}

fn users() -> Vec<User> {
    vec![household("family", &TOKENS)]
}

fn impatient(config: &mut Config) {
    config.viewers.silence = Duration::from_secs(2);
    config.viewers.patience = Duration::from_secs(4);
    config.viewers.unfollowed = Duration::from_secs(6);
    config.upstream.cold_timeout = Duration::from_secs(6);
    config.pool.idle_timeout = Duration::from_secs(3);
    config.warm.encode = Duration::from_secs(3);
    config.warm.feed = Duration::from_secs(3);
}

/// How long each may take with that configuration: a viewer that waits for a cold start is there, and after four target
/// durations a silence means something.
fn patience(pace: Pace) -> Patience {
    let silent = if pace.short { 10 } else { 16 };
    Patience { silent: Duration::from_secs(silent), unfollowed: Duration::from_secs(8) }
}

impl Run {
    /// Plays it, and returns what went wrong.
    async fn play(self, config: impl FnOnce(&mut Config)) -> Vec<String> {
        let Self { settings, pace, zaps, seed, is_tuned_by_us } = self;
        if std::env::var_os("WARMGATE_STORY").is_some() {
            let subscriber = tracing_subscriber::fmt().with_ansi(false);
            let _ = subscriber
                .with_max_level(tracing::Level::DEBUG)
                .with_timer(tracing_subscriber::fmt::time::uptime())
                .try_init();
        }
        let tuners = settings.tuners;
        let configure = |asked: &mut Config| {
            impatient(asked);
            config(asked);
        };
        let stage = Stage::with(|asked| *asked = Settings { users: users(), ..settings }, configure).await;
        if is_tuned_by_us {
            let url = own_playlist(&stage.base);
            eventually("the origin has channels", async || stage.origin().tune_by(&url).await.is_ok()).await;
        }
        let items = stage.origin().channels().into_iter().map(|channel| channel.item_id).collect();
        let truth = Truth::new(patience(pace));
        let world = Arc::new(World { base: stage.base.clone(), items, truth, pace });
        let user = users()[0].id.clone();
        let zappers = TOKENS.iter().zip(0..).map(|(token, number)| {
            let mut zapper = Zapper::new(&world, &user, token, seed.wrapping_mul(31).wrapping_add(number));
            tokio::spawn(async move { zapper.zap(zaps / TOKENS.len()).await })
        });
        let zappers: Vec<_> = zappers.collect();
        let look = || {
            let believed = Some(stage.snapshot().tuners.in_use);
            Some(Sample::of(stage.origin(), believed, &world.truth))
        };
        let run = async {
            join_all(zappers).await.into_iter().for_each(|ended| ended.unwrap());
            let deserted = Instant::now();
            let is_known = || {
                let snapshot = stage.snapshot();
                snapshot.tuners.in_use == 0 && snapshot.openings == 0
            };
            let is_over = || stage.origin().counts().tuners_open == 0 && is_known();
            while !is_over() && deserted.elapsed() < AFTERMATH {
                sleep(Duration::from_millis(100)).await;
            }
            sleep(Duration::from_millis(500)).await;
        };
        let ((), samples) = looking(look, run).await;
        let mut wrong = world.truth.faults();
        if std::env::var_os("WARMGATE_STORY").is_some() {
            world.truth.story().iter().for_each(|line| eprintln!("{line}"));
            account::changes(&samples).iter().for_each(|line| eprintln!("{line}"));
            for seen in stage.origin().requests() {
                let path = &seen.path;
                if path.contains("Sessions/Playing")
                    || path.contains("LiveStreams")
                    || path.contains("PlaybackInfo")
                    || path.contains(".m3u8")
                {
                    eprintln!(
                        "R {:.3?} {} {path} {:?} {:?}",
                        seen.at, seen.method, seen.status, seen.user_agent
                    );
                }
            }
        }
        wrong.extend(miscounts(&samples));
        wrong.extend(ghosts(&samples, &world.truth));
        wrong.extend(world.truth.needless_refusals(tuners));
        let (left, snapshot) = (stage.origin().consumers(), stage.snapshot());
        if !left.is_empty() || snapshot.tuners.in_use > 0 || snapshot.openings > 0 {
            wrong.push(format!(
                "left behind: {left:?}, believed {:?}, {} openings",
                snapshot.tuners, snapshot.openings
            ));
        }
        let (mistake, lasting) = account::largest_mistake(&samples);
        eprintln!(
            "seed {seed}, {tuners} tuners: {}, {} wrong, mistaken by at most {mistake}, for at most {lasting:.1?}, \
             {} tuners left, {:?}",
            world.truth.summary(),
            wrong.len(),
            left.len(),
            snapshot.tally
        );
        wrong
    }
}

fn fine(wrong: &[String]) {
    assert!(
        wrong.is_empty(),
        "{} wrong:\n{}",
        wrong.len(),
        wrong.iter().take(40).cloned().collect::<Vec<_>>().join("\n")
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn forty_zaps_on_two_tuners() {
    let settings = Settings { tuners: 2, ..Settings::quick() };
    let run = Run { settings, pace: SHORT, zaps: 39, seed: 1, is_tuned_by_us: false };
    fine(&run.play(|config| config.produce.default = Produce::Auto).await);
}

/// As long as the issue wants it, at an origin as slow as a real one.
async fn three_hundred(tuners: usize, version: Version, produce: Produce) {
    let settings = Settings { tuners, version, width: 320, height: 180, ..Settings::real() };
    let run = Run { settings, pace: LONG, zaps: zaps(300), seed: seed(), is_tuned_by_us: false };
    fine(&run.play(move |config| config.produce.default = produce).await);
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "takes ten minutes; see CONTRIBUTING"]
async fn three_hundred_zaps_on_two_tuners() {
    three_hundred(2, Version::V12, Produce::Auto).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "takes ten minutes; see CONTRIBUTING"]
async fn three_hundred_zaps_on_two_tuners_with_adopted_streams() {
    three_hundred(2, Version::V10_11, Produce::Adopt).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "takes ten minutes; see CONTRIBUTING"]
async fn three_hundred_zaps_on_one_tuner() {
    three_hundred(1, Version::V10_11, Produce::Auto).await;
}

/// The gateway pulls its channels from a provider that allows two connections, beside the server's two tuners.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "takes ten minutes; see CONTRIBUTING"]
async fn three_hundred_zaps_with_a_provider() {
    let (provider, folder) = (Provider::start().await, tempfile::tempdir().unwrap());
    write_list(folder.path(), 6);
    let channel = |number: usize| Override {
        channel: format!("c{number}"),
        urls: vec![SourceUrl::new(provider.url(number))],
        ..Override::default()
    };
    let rules = Rules { overrides: (1..=6).map(channel).collect(), ..Rules::default() };
    let location = Location::File(folder.path().join("list.m3u"));
    let lineup = Playlist { location, tuners: 2, reload: Duration::from_secs(600), guide: None, rules };
    let settings = Settings { tuners: 2, width: 320, height: 180, ..Settings::real() };
    let run = Run { settings, pace: LONG, zaps: zaps(300), seed: seed(), is_tuned_by_us: false };
    let mut wrong =
        run.play(move |config| (config.produce.default, config.lineup) = (Produce::Auto, vec![lineup])).await;
    if provider.most() > 2 || provider.open() > 0 {
        wrong.push(format!("the provider had {} connections, {} are left", provider.most(), provider.open()));
    }
    fine(&wrong);
}

/// The address of the playlist that the gateway at `base` serves.
fn own_playlist(base: &str) -> String {
    format!("{base}/lineup/channels.m3u?token={TOKEN}")
}

/// Writes a playlist of a provider's channels.
fn write_list_of(list: &Path, provider: &Provider) {
    let entry =
        |number: usize| format!("#EXTINF:-1 tvg-id=\"c{number}\",C {number}\n{}\n", provider.url(number));
    let entries: String = (1..=6).map(entry).collect();
    std::fs::write(list, format!("#EXTM3U\n{entries}")).unwrap();
}

/// The origin tunes by the gateway's own playlist, whose provider allows as many connections as the origin has tuners.
async fn tuned_by_us(settings: Settings, pace: Pace, zaps: usize, seed: u64) {
    let (provider, folder) = (Provider::start().await, tempfile::tempdir().unwrap());
    let list = folder.path().join("list.m3u");
    write_list_of(&list, &provider);
    let tuners = u32::try_from(settings.tuners).unwrap();
    let (location, reload) = (Location::File(list), Duration::from_secs(600));
    let lineup = Playlist { location, tuners, reload, guide: None, rules: Rules::default() };
    // The gateway recognizes its own channels by its address.
    let listen = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let run = Run { settings, pace, zaps, seed, is_tuned_by_us: true };
    let wrong = run
        .play(move |config| {
            (config.produce.default, config.lineup, config.listen) = (Produce::Auto, vec![lineup], listen);
            config.lineup_server.enabled = true;
            config.lineup_server.token = Some(Secret::new(TOKEN));
            config.lineup_server.base = Some(format!("http://{listen}"));
        })
        .await;
    fine(&wrong);
    eventually("the provider's connections are ended", async || provider.open() == 0).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn forty_zaps_through_the_gateways_own_playlist() {
    let settings = Settings { tuners: 2, ..Settings::quick() };
    tuned_by_us(settings, SHORT, 39, 1).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "takes ten minutes; see CONTRIBUTING"]
async fn three_hundred_zaps_through_the_gateways_own_playlist() {
    let settings = Settings { tuners: 2, width: 320, height: 180, ..Settings::real() };
    tuned_by_us(settings, LONG, zaps(300), seed()).await;
}
