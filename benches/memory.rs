//! Measures the growth of the gateway's resident set beyond the bytes of its windows and rings, while eight channels of
//! 13 Mbit/s on average are cut and watched. `cargo bench --bench memory`.

mod support;

use std::collections::{BTreeSet, VecDeque};
use std::fmt::Write as _;
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Output, Stdio};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use anyhow::Context as _;
use bytes::Bytes;
use domain::time::Timestamp;
use domain::window::{Arrival, ListLengths, Promise, Window};
use jellyfin_alike::viewer::{Answer, Viewer};
use jellyfin_alike::{Origin, Settings};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;
use tokio::process::{Child, Command};
use tokio::sync::broadcast;
use tokio::task::JoinSet;
use tokio::time::{sleep, sleep_until};
use tokio_util::sync::CancellationToken;

use crate::support::Gateway;

const CHANNELS: u32 = 8;
/// The gateway's defaults.
const LENGTHS: ListLengths = ListLengths { least: LENGTH, most: LENGTH };
const LENGTH: Duration = Duration::from_secs(30);
const RING: Duration = Duration::from_secs(12);
/// The time until every window is full: with the listed segments, and those that older playlists listed.
const FILLING: Duration = Duration::from_secs(80);
const MEASURING: Duration = Duration::from_secs(60);
const POLL: Duration = Duration::from_millis(100);
/// The delay of each channel after the one before, so that they are not all cut at once.
const LATER: Duration = Duration::from_millis(850);
/// The time until everything is given back.
const LEAVING: Duration = Duration::from_secs(15);

/// The sizes of the segments that a window of the gateway has to keep.
type Model = Arc<Mutex<Option<Window<()>>>>;
/// The bytes sent in the last seconds, with their times.
type Sent = Arc<Mutex<VecDeque<(Instant, u64)>>>;

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let source = Source::start().await?;
    let settings = Settings { channels: CHANNELS, tuners: CHANNELS as usize, ..Settings::quick() };
    let origin = Origin::start(settings.clone()).await?;
    let gateway = gateway(&origin, &source).await?;
    // What the gateway does once, such as trying the encoders, is no growth.
    sleep(Duration::from_secs(10)).await;
    let idle = gateway.resident()?;

    let begun = Instant::now();
    let (mut viewers, stop) = (JoinSet::new(), CancellationToken::new());
    let models: Vec<Model> = (0..CHANNELS).map(|_| Model::default()).collect();
    for (channel, model) in origin.channels().into_iter().zip(&models) {
        let user = settings.users.first().context("a user")?;
        let base = format!("http://{}", gateway.address);
        let viewer = Viewer::new(base, user.token(), &user.id, &format!("tv-{}", channel.number));
        viewers.spawn(watch(viewer, channel.item_id, Arc::clone(model), begun, stop.clone()));
    }
    let mut samples = Vec::new();
    while begun.elapsed() < FILLING + MEASURING {
        tokio::select! {
            () = sleep(Duration::from_secs(1)) => {}
            Some(ended) = viewers.join_next() => ended??,
        }
        if begun.elapsed() >= FILLING {
            let windows = models.iter().map(|model| lock(model).as_ref().map_or(0, Window::bytes)).sum();
            samples.push(Sample { resident: gateway.resident()?, windows, rings: source.rings() });
        }
    }
    stop.cancel();
    while let Some(ended) = viewers.join_next().await {
        ended??;
    }
    sleep(LEAVING).await;
    print(idle, samples, gateway.resident()?);
    gateway.stop().await;
    drop(origin.kill().await);
    Ok(())
}

/// Watches as a player does: polls the playlist, gets every segment once, and leaves.
async fn watch(
    viewer: Viewer,
    item: String,
    model: Model,
    begun: Instant,
    stop: CancellationToken,
) -> anyhow::Result<()> {
    let playback = viewer.open(&item).await.map_err(anyhow::Error::from_boxed)?;
    let mut seen = BTreeSet::new();
    while !stop.is_cancelled() {
        let list = viewer.poll(&playback).await.map_err(anyhow::Error::from_boxed)?;
        let status = list.field("cache-status");
        anyhow::ensure!(
            status.contains("; hit") || status.contains("stored"),
            "not made by the gateway: {}",
            list.text()
        );
        let target = Duration::from_secs(list.tag("EXT-X-TARGETDURATION").context("no target duration")?);
        for (uri, duration) in list.segments().into_iter().zip(durations(&list)) {
            if !seen.insert(uri.clone()) {
                continue;
            }
            let segment = viewer.segment(&playback, &uri).await.map_err(anyhow::Error::from_boxed)?;
            anyhow::ensure!(segment.status == 200, "{} for {uri}", segment.status);
            let (size, now) = (segment.body.len() as u64, Timestamp::after_start(begun.elapsed()));
            let arrival = Arrival { duration, discontinuity: false, independent: true, ends_group: true };
            lock(&model).get_or_insert_with(|| Window::new(0, Promise::Segments(target), LENGTHS)).push(
                arrival,
                (),
                size,
                (now, Duration::ZERO),
            );
        }
        sleep(POLL).await;
    }
    viewer.leave(&playback).await.map_err(anyhow::Error::from_boxed)
}

fn durations(list: &Answer) -> Vec<Duration> {
    let text = list.text();
    let told = text.lines().filter_map(|line| line.strip_prefix("#EXTINF:")?.split(',').next()?.parse().ok());
    told.map(Duration::from_secs_f64).collect()
}

fn lock<T>(shared: &Mutex<T>) -> MutexGuard<'_, T> {
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Starts the gateway in front of `origin`, whose channels it pulls from `source`.
async fn gateway(origin: &Origin, source: &Source) -> anyhow::Result<Gateway> {
    let folder = tempfile::tempdir()?;
    let (mut list, mut urls) = ("#EXTM3U\n".to_owned(), String::new());
    for channel in origin.channels() {
        let number = channel.number;
        writeln!(list, "#EXTINF:-1 tvg-id=\"c{number}\",C {number}\n{}", channel.url)?;
        writeln!(urls, "      c{number}: http://{}/{number}.ts", source.address)?;
    }
    std::fs::write(folder.path().join("list.m3u"), list)?;
    let config = format!(
        "listen: 127.0.0.1:0\nstate_dir: .\nupstream:\n  url: http://{}\npool:\n  slots: {CHANNELS}\n  memory: 8GiB\n\
         warm:\n  encode: 2s\n  feed: 2s\n\
         produce:\n  default: own\nffmpeg:\n  encodes: 0\nlineup:\n  - file: list.m3u\n    channels:\n{urls}",
        origin.addr()
    );
    std::fs::write(folder.path().join("gateway.yaml"), config)?;
    Gateway::start(folder).await
}

/// A provider with the same picture on all its channels, sent in real time to every connection.
struct Source {
    address: SocketAddr,
    sent: Sent,
    _ffmpeg: Child,
    _folder: TempDir,
}

impl Source {
    async fn start() -> anyhow::Result<Self> {
        let folder = tempfile::tempdir()?;
        let clip = folder.path().join("clip.ts");
        Self::make(&clip).await?;
        let mut ffmpeg = Command::new("ffmpeg")
            .args(["-v", "quiet", "-re", "-stream_loop", "-1", "-i"])
            .arg(&clip)
            .args(["-c", "copy", "-f", "mpegts", "-muxdelay", "0", "-muxpreload", "0", "pipe:1"])
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .context("ffmpeg")?;
        let mut stdout = ffmpeg.stdout.take().context("no output")?;
        let (send, _) = broadcast::channel::<(Instant, Bytes)>(4096);
        let (pump, sent) = (send.clone(), Sent::default());
        let note = Arc::clone(&sent);
        tokio::spawn(async move {
            let mut piece = vec![0; 16 << 10];
            while let Ok(count @ 1..) = stdout.read(&mut piece).await {
                let mut sent = lock(&note);
                sent.push_back((Instant::now(), count as u64));
                while sent.pop_front_if(|(at, _)| at.elapsed() > RING + LATER * CHANNELS).is_some() {}
                let _ = pump.send((Instant::now(), Bytes::copy_from_slice(&piece[..count])));
            }
        });
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        tokio::spawn(async move {
            for later in (0..).map(|nth| LATER * nth) {
                let Ok((mut stream, _)) = listener.accept().await else { return };
                let mut live = send.subscribe();
                tokio::spawn(async move {
                    let mut request = Vec::new();
                    while !request.ends_with(b"\r\n\r\n") {
                        let Ok(byte) = stream.read_u8().await else { return };
                        request.push(byte);
                    }
                    let head = b"HTTP/1.1 200 OK\r\nContent-Type: video/mp2t\r\nConnection: close\r\n\r\n";
                    let mut sent = stream.write_all(head).await;
                    while let (Ok(()), Ok((at, bytes))) = (sent, live.recv().await) {
                        sleep_until((at + later).into()).await;
                        sent = stream.write_all(&bytes).await;
                    }
                });
            }
        });
        Ok(Self { address, sent, _ffmpeg: ffmpeg, _folder: folder })
    }

    /// The bytes that all rings together have to keep.
    fn rings(&self) -> u64 {
        let (sent, now) = (lock(&self.sent), Instant::now());
        let ring = |later: Duration| -> u64 {
            let ages = sent.iter().map(|(at, bytes)| (now - *at, bytes));
            ages.filter(|(age, _)| *age >= later && *age < later + RING).map(|(_, bytes)| bytes).sum()
        };
        (0..CHANNELS).map(|nth| ring(LATER * nth)).sum()
    }

    /// A picture that is noise for three of seven seconds, so that segments differ in size.
    async fn make(clip: &Path) -> anyhow::Result<()> {
        let picture = "testsrc2=size=640x360:rate=25:duration=28,noise=alls=60:allf=t:enable='lt(mod(t,7),3)',format=yuv420p";
        let Output { status, stderr, .. } = Command::new("ffmpeg")
            .args(["-v", "error", "-f", "lavfi", "-i", picture])
            .args(["-f", "lavfi", "-i", "sine=frequency=440:sample_rate=48000:duration=28"])
            .args(["-c:v", "libx264", "-preset", "ultrafast", "-profile:v", "baseline", "-level", "3.0"])
            .args(["-crf", "24", "-bf", "0", "-g", "25", "-keyint_min", "25", "-sc_threshold", "0"])
            .args(["-c:a", "aac", "-ac", "1", "-f", "mpegts", "-y"])
            .arg(clip)
            .stdin(Stdio::null())
            .output()
            .await
            .context("ffmpeg")?;
        anyhow::ensure!(status.success(), "{}", String::from_utf8_lossy(&stderr));
        Ok(())
    }
}

/// A number of bytes at a time.
struct Sample {
    resident: u64,
    windows: u64,
    rings: u64,
}

#[expect(clippy::print_stdout, reason = "a bench reports to its terminal")]
fn print(idle: u64, mut samples: Vec<Sample>, left: u64) {
    let mebibytes = |bytes: u64| bytes as f64 / f64::from(1 << 20);
    let growth = |sample: &Sample| sample.resident.saturating_sub(idle);
    let ratio = |sample: &Sample| growth(sample) as f64 / (sample.windows + sample.rings) as f64;
    samples.sort_by(|a, b| ratio(a).total_cmp(&ratio(b)));
    println!("MiB, {CHANNELS} channels, over {} s", MEASURING.as_secs());
    println!(
        "{:<8} {:>6} {:>9} {:>7} {:>8} {:>6}   growth ÷ kept",
        "", "idle", "resident", "growth", "windows", "rings"
    );
    for (name, sample) in [("median", samples.get(samples.len() / 2)), ("most", samples.last())] {
        let Some(sample) = sample else { continue };
        println!(
            "{name:<8} {:>6.1} {:>9.1} {:>7.1} {:>8.1} {:>6.1}   {:.3}",
            mebibytes(idle),
            mebibytes(sample.resident),
            mebibytes(growth(sample)),
            mebibytes(sample.windows),
            mebibytes(sample.rings),
            ratio(sample)
        );
    }
    println!("resident when everything has been given back: {:.1}", mebibytes(left));
}
