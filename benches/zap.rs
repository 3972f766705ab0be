//! Measures a cold zap from the response to PlaybackInfo until the playlist and the first segment: at the bare server, through
//! a gateway that adopts, and through one that taps the tuner's stream, in turn and in one run. The channels are probed
//! already. One round has a key frame each second, one every other second; the moments at which streams are joined are
//! spread evenly between two key frames, and are the same for all three. `cargo bench --bench zap`.

use std::net::{Ipv4Addr, SocketAddr};
use std::time::{Duration, Instant};

use anyhow::Context as _;
use domain::produce::Produce;
use jellyfin_alike::viewer::Viewer;
use jellyfin_alike::{Origin, Settings};
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;
use warmgate::app::App;
use warmgate::config::Config;

const ROUNDS: usize = 9;
/// The distance of the sources' key frames.
const GOPS: [Duration; 2] = [Duration::from_secs(1), Duration::from_secs(2)];
/// The time in which a server gives everything back.
const AT_MOST: Duration = Duration::from_secs(30);

/// A way to the server, and its measurements.
struct Way {
    name: &'static str,
    origin: Origin,
    at: SocketAddr,
    gateway: Option<Gateway>,
    taken: Vec<Taken>,
}

struct Gateway {
    stop: CancellationToken,
    serving: tokio::task::JoinHandle<()>,
}

/// The times of a zap, in milliseconds.
#[derive(Clone, Copy)]
struct Taken {
    info: f64,
    playlist: f64,
    segment: f64,
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    for gop in GOPS {
        measure(gop).await?;
    }
    Ok(())
}

async fn measure(gop: Duration) -> anyhow::Result<()> {
    let mut ways = [
        Way::to("bare server", gop, None).await?,
        Way::to("adopt", gop, Some(Produce::Adopt)).await?,
        Way::to("tap", gop, Some(Produce::Auto)).await?,
    ];
    for round in 0..=ROUNDS {
        for way in &mut ways {
            let taken = way.zap().await.with_context(|| format!("a zap before: {}", way.name))?;
            // The first zap probes the channel.
            if round > 0 {
                way.taken.push(taken);
            }
        }
    }
    print(gop, &ways);
    for way in ways {
        way.end().await;
    }
    Ok(())
}

impl Way {
    async fn to(name: &'static str, gop: Duration, produce: Option<Produce>) -> anyhow::Result<Self> {
        let origin = Origin::start(Settings { gop, ..Settings::real() }).await?;
        let mut way = Self { name, at: origin.addr(), origin, gateway: None, taken: Vec::new() };
        if let Some(produce) = produce {
            let mut config = Config::for_upstream(&format!("http://{}", way.at))?;
            config.listen = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
            config.produce.default = produce;
            // Each zap has to be a cold one.
            config.viewers.goodbye = Duration::ZERO;
            config.pool.idle_timeout = Duration::from_millis(100);
            config.warm.encode = Duration::from_millis(100);
            config.warm.feed = Duration::from_millis(100);
            let app = App::bind(config).await?;
            way.at = app.local_addr();
            let stop = CancellationToken::new();
            let until = stop.clone();
            let serving = tokio::spawn(async move { drop(app.serve(until).await) });
            way.gateway = Some(Gateway { stop, serving });
        }
        Ok(way)
    }

    async fn zap(&self) -> anyhow::Result<Taken> {
        let user = Settings::real().users.into_iter().next().context("a user")?;
        let viewer = Viewer::new(format!("http://{}", self.at), user.token(), &user.id, "bench");
        let item = self.origin.channels()[0].item_id.clone();
        let asked = Instant::now();
        let playback = viewer.open(&item).await.map_err(anyhow::Error::from_boxed)?;
        let opened = asked.elapsed();
        let list = viewer.poll(&playback).await.map_err(anyhow::Error::from_boxed)?;
        let playlist = asked.elapsed() - opened;
        let first = list.segments().into_iter().next().context("an empty playlist")?;
        let media = viewer.segment(&playback, &first).await.map_err(anyhow::Error::from_boxed)?;
        anyhow::ensure!(media.status == 200, "a segment with {}", media.status);
        let segment = asked.elapsed() - opened;
        viewer.report(&playback, "Playing").await.map_err(anyhow::Error::from_boxed)?;
        viewer.leave(&playback).await.map_err(anyhow::Error::from_boxed)?;
        self.is_cold().await?;
        let [info, playlist, segment] = [opened, playlist, segment].map(|span| span.as_secs_f64() * 1e3);
        Ok(Taken { info, playlist, segment })
    }

    async fn is_cold(&self) -> anyhow::Result<()> {
        let since = Instant::now();
        loop {
            let counts = self.origin.counts();
            if counts.tuners_open == 0 && counts.jobs == 0 {
                return Ok(());
            }
            anyhow::ensure!(since.elapsed() < AT_MOST, "something stays open: {counts:?}");
            sleep(Duration::from_millis(50)).await;
        }
    }

    async fn end(self) {
        if let Some(Gateway { stop, serving }) = self.gateway {
            stop.cancel();
            let _ = serving.await;
        }
        drop(self.origin.kill().await);
    }

    fn median(&self, of: impl Fn(&Taken) -> f64) -> f64 {
        let mut values: Vec<_> = self.taken.iter().map(of).collect();
        values.sort_by(f64::total_cmp);
        values[values.len() / 2]
    }
}

#[expect(clippy::print_stdout, reason = "a bench reports to its terminal")]
fn print(gop: Duration, ways: &[Way]) {
    println!("a key frame each {gop:?}; medians of {ROUNDS} cold zaps to a known channel,");
    println!("ms after the click, then after PlaybackInfo's answer");
    println!("{:<12} {:>12} {:>10} {:>14}   (÷ bare)", "", "PlaybackInfo", "playlist", "first segment");
    let columns: [fn(&Taken) -> f64; 3] = [|taken| taken.info, |taken| taken.playlist, |taken| taken.segment];
    for way in ways {
        let [info, playlist, segment] = columns.map(|of| way.median(of));
        let ratio = |of: fn(&Taken) -> f64| way.median(of) / ways[0].median(of);
        println!(
            "{:<12} {info:>12.0} {playlist:>10.0} {segment:>14.0}    {:.2}, {:.2}, {:.2}",
            way.name,
            ratio(columns[0]),
            ratio(columns[1]),
            ratio(columns[2])
        );
    }
}
