//! Those who use the gateway meanwhile.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use anyhow::Context as _;
use domain::simulate::Chance;
use futures_util::SinkExt as _;
use jellyfin_alike::User;
use jellyfin_alike::viewer::{Answer, BoxError, Viewer};
use rustix::process::{Pid, Signal, kill_process};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, timeout_at};
use tokio_tungstenite::tungstenite::Message;
use tokio_util::sync::CancellationToken;

/// How many zap, and how many of each other kind there are.
pub(crate) const VIEWERS: usize = 4;
pub(crate) const OTHERS: usize = 2;
/// The token of the gateway's own playlist.
pub(crate) const TOKEN: &str = "soak";
/// The size of a download, in bytes.
const DOWNLOAD: usize = 4 << 20;
/// One request of so many may fail: a channel may be asked for while all tuners are taken.
const RARELY: u64 = 200;

/// What they share.
pub(crate) struct World {
    gateway: SocketAddr,
    users: Vec<User>,
    items: Vec<String>,
    requests: AtomicU64,
    failed: Mutex<Vec<String>>,
    /// The streams that answers came from lately.
    streams: Mutex<BTreeSet<String>>,
    stop: CancellationToken,
}

impl World {
    pub(crate) fn new(gateway: SocketAddr, users: Vec<User>, items: Vec<String>) -> Self {
        let (requests, failed, streams) = (AtomicU64::new(0), Mutex::default(), Mutex::default());
        Self { gateway, users, items, requests, failed, streams, stop: CancellationToken::new() }
    }

    /// How many requests have been answered, or should have been.
    pub(crate) fn requests(&self) -> u64 {
        self.requests.load(Ordering::Relaxed)
    }

    /// From how many streams answers came since this was asked last.
    pub(crate) fn streams_since(&self) -> usize {
        std::mem::take(&mut *lock(&self.streams)).len()
    }

    /// What failed, if it was more than happens.
    pub(crate) fn failures(&self) -> Vec<String> {
        let failed = lock(&self.failed);
        if failed.len() as u64 * RARELY <= self.requests() {
            return Vec::new();
        }
        let some = failed.iter().rev().take(10).cloned().collect::<Vec<_>>().join("\n  ");
        vec![format!("{} of {} requests failed, the last of them:\n  {some}", failed.len(), self.requests())]
    }

    /// Has the gateway read its configuration anew.
    pub(crate) fn changes(&self, gateway: u32) -> anyhow::Result<()> {
        let process = Pid::from_raw(gateway.try_into()?).context("a process")?;
        Ok(kill_process(process, Signal::HUP)?)
    }

    fn viewer(&self, nth: usize, device: &str) -> Viewer {
        let user = &self.users[nth % self.users.len()];
        Viewer::new(format!("http://{}", self.gateway), user.token(), &user.id, device)
    }

    /// Counts a request, and returns its answer if that is none of an error.
    fn counted(&self, what: &str, answer: Result<Answer, BoxError>) -> Option<Answer> {
        let answer = match answer {
            Ok(answer) if answer.status.as_u16() < 400 => Ok(answer),
            Ok(answer) => Err(format!("{what}: {} {}", answer.status, answer.field("cache-status"))),
            Err(error) => Err(format!("{what}: {error}")),
        };
        let stream = answer.as_ref().ok().map(|answer| answer.field("warmgate-stream").to_owned());
        lock(&self.streams).extend(stream.filter(|stream| !stream.is_empty()));
        self.ended(answer)
    }

    fn ended<T>(&self, done: Result<T, String>) -> Option<T> {
        self.requests.fetch_add(1, Ordering::Relaxed);
        done.map_err(|failed| lock(&self.failed).push(failed)).ok()
    }

    /// Waits, but not beyond the end.
    async fn pause(&self, span: Duration) {
        let _ = self.stop.run_until_cancelled(sleep(span)).await;
    }
}

/// All of them.
pub(crate) struct Load {
    world: Arc<World>,
    tasks: JoinSet<()>,
}

impl Load {
    pub(crate) fn begin(world: &Arc<World>, seed: u64) -> Self {
        let mut tasks = JoinSet::new();
        let mut last = seed;
        let mut chance = || {
            last += 1;
            Chance::of(last)
        };
        for nth in 0..VIEWERS {
            tasks.spawn(zap(Arc::clone(world), nth, chance()));
        }
        for nth in 0..OTHERS {
            tasks.spawn(download(Arc::clone(world), nth));
            tasks.spawn(talk(Arc::clone(world), nth, chance()));
            tasks.spawn(read(Arc::clone(world), chance()));
        }
        Self { world: Arc::clone(world), tasks }
    }

    /// Has everybody leave, and waits for that.
    pub(crate) async fn end(self) {
        self.world.stop.cancel();
        self.tasks.join_all().await;
    }
}

/// Zaps: stays for a while, and then says goodbye or not.
async fn zap(world: Arc<World>, nth: usize, mut chance: Chance) {
    // At the server a token is a device's, by which its session is known.
    let token = &world.users[nth].tokens[0];
    let mut viewer = world.viewer(nth, &token.device_id);
    viewer.client.clone_from(&token.client);
    while !world.stop.is_cancelled() {
        let opened = viewer.open(&world.items[chance.below(world.items.len())]).await;
        let Some(playback) = world.ended(opened.map_err(|error| format!("opening: {error}"))) else {
            world.pause(Duration::from_secs(2)).await;
            continue;
        };
        world.counted("report", viewer.report(&playback, "Playing").await);
        let (until, mut last) = (Instant::now() + seconds(&mut chance, 4.0, 30.0), String::new());
        while Instant::now() < until && !world.stop.is_cancelled() {
            let list = world.counted("playlist", viewer.poll(&playback).await);
            if let Some(list) = list
                && let Some(newest) = list.segments().pop().filter(|newest| *newest != last)
            {
                world.counted("segment", viewer.listed(&list, &newest).await);
                last = newest;
            }
            world.pause(Duration::from_secs(1)).await;
        }
        if world.stop.is_cancelled() || chance.happens(0.7) {
            world.ended(viewer.leave(&playback).await.map_err(|error| format!("goodbye: {error}")));
        }
    }
}

/// Downloads what passes through.
async fn download(world: Arc<World>, nth: usize) {
    let viewer = world.viewer(nth, &format!("phone-{nth}"));
    while !world.stop.is_cancelled() {
        let answer = viewer.get(&format!("/Playback/BitrateTest?Size={DOWNLOAD}")).await;
        world.counted("download", answer);
        world.pause(Duration::from_secs(3)).await;
    }
}

/// Opens a WebSocket, talks for a while, and closes it or not.
async fn talk(world: Arc<World>, nth: usize, mut chance: Chance) {
    // A user of its own: with the last WebSocket of a session, the server closes what that session plays.
    let token = &world.users[VIEWERS + nth].tokens[0];
    let url = format!("ws://{}/socket?ApiKey={}&deviceId={}", world.gateway, token.value, token.device_id);
    while !world.stop.is_cancelled() {
        let connected = tokio_tungstenite::connect_async(&url).await;
        let Some((mut socket, _)) = world.ended(connected.map_err(|error| format!("WebSocket: {error}")))
        else {
            world.pause(Duration::from_secs(1)).await;
            continue;
        };
        for _ in 0..1 + chance.below(10) {
            let said = socket.send(Message::text("{\"MessageType\":\"KeepAlive\"}")).await;
            world.ended(said.map_err(|error| format!("message: {error}")));
            world.pause(Duration::from_secs(1)).await;
        }
        if chance.happens(0.5) {
            let _ = socket.close(None).await;
        }
    }
}

/// Reads a channel of the gateway's own playlist as it is, for a while.
async fn read(world: Arc<World>, mut chance: Chance) {
    let viewer = world.viewer(0, "recorder");
    while !world.stop.is_cancelled() {
        let list = viewer.get(&format!("/lineup/channels.m3u?token={TOKEN}")).await;
        let channels = world.counted("lineup", list).map(|list| list.segments()).unwrap_or_default();
        let Some(channel) = channels.get(chance.below(channels.len())) else {
            world.pause(Duration::from_secs(1)).await;
            continue;
        };
        let until = Instant::now() + seconds(&mut chance, 3.0, 20.0);
        let read = world.stop.run_until_cancelled(read_until(channel, world.gateway, until)).await;
        if let Some(read) = read {
            world.ended(read.map_err(|error| format!("raw stream: {error}")));
        }
    }
}

async fn read_until(channel: &str, gateway: SocketAddr, until: Instant) -> anyhow::Result<()> {
    let path = channel.splitn(4, '/').nth(3).context("a path")?;
    let mut stream = TcpStream::connect(gateway).await?;
    stream.write_all(format!("GET /{path} HTTP/1.1\r\nHost: {gateway}\r\n\r\n").as_bytes()).await?;
    let (mut bytes, mut all) = (vec![0; 64 << 10], 0);
    while let Ok(read) = timeout_at(until, stream.read(&mut bytes)).await {
        let read = read?;
        anyhow::ensure!(read > 0, "it ended after {all} bytes");
        anyhow::ensure!(
            all > 0 || bytes.starts_with(b"HTTP/1.1 200"),
            "{}",
            String::from_utf8_lossy(&bytes[..read])
        );
        all += read;
    }
    anyhow::ensure!(all > 0, "nothing came");
    Ok(())
}

fn lock<T>(shared: &Mutex<T>) -> MutexGuard<'_, T> {
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A time between these numbers of seconds.
fn seconds(chance: &mut Chance, least: f64, most: f64) -> Duration {
    Duration::from_secs_f64(least + (most - least) * chance.even())
}
