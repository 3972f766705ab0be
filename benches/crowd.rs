//! What a request costs the gateway in processor time when 1, 1,000 or 5,000 viewers watch a channel, with and without three
//! streams beside it that nobody watches. At 5,000 viewers a request should cost at most 1.25 times what it costs at 1.
//! `cargo bench --bench crowd`.
//!
//! Each crowd has a gateway of its own, which runs on a thread of its own, and only that thread's time counts. The requests come
//! one after the other over one connection, as from a reverse proxy; each is another viewer's. What the streams cost by
//! themselves is subtracted.

#[path = "support/own_playlist.rs"]
mod own_playlist;

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::thread::{self, sleep};
use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use jellyfin_alike::viewer::{Playback, Viewer};
use jellyfin_alike::{Origin, Settings, User};
use tokio::runtime::{Builder, Runtime};
use tokio_util::sync::CancellationToken;
use warmgate::app::App;
use warmgate::config::Config;

use crate::own_playlist::own_playlist;

const CROWDS: [usize; 3] = [1, 1000, 5000];
const IDLE: [usize; 2] = [0, 3];
/// One account has at most 256 viewers of a stream.
const ACCOUNTS: usize = 32;
/// How long one kind of request is measured at a time, and as long before it what the gateway spends without requests.
const PART: Duration = Duration::from_millis(400);
/// The crowds are measured in turns, so that what slows the machine slows them all; the medians count.
const TURNS: usize = 11;
/// How long a stream may take to come about or to be left.
const AT_MOST: Duration = Duration::from_secs(30);

fn main() -> anyhow::Result<()> {
    let runtime = Builder::new_multi_thread().enable_all().build()?;
    let measured = IDLE.map(|idle| measure(&runtime, idle));
    for (idle, measured) in IDLE.into_iter().zip(measured) {
        print(idle, &measured?);
    }
    Ok(())
}

#[expect(clippy::print_stdout, reason = "a bench reports to its terminal")]
fn print(idle: usize, turns: &[[[f64; 2]; CROWDS.len()]]) {
    println!("µs per request, {idle} idle streams beside{:>12} {:>12}   (÷ 1 viewer)", "segment", "playlist");
    for (crowd, viewers) in CROWDS.iter().enumerate() {
        let of = |kind: usize| median(turns.iter().map(|turn| turn[crowd][kind]));
        let ratio = |kind: usize| median(turns.iter().map(|turn| turn[crowd][kind] / turn[0][kind]));
        println!("{viewers:>37} {:>12.1} {:>12.1}   {:.2}, {:.2}", of(0), of(1), ratio(0), ratio(1));
    }
}

/// A segment's and a playlist's cost for each size of the crowd, turn by turn.
fn measure(runtime: &Runtime, idle: usize) -> anyhow::Result<Vec<[[f64; 2]; CROWDS.len()]>> {
    let users: Vec<_> = (0..ACCOUNTS).map(|number| User::new(&format!("viewer-{number}"))).collect();
    // One more than are used: with four or more, one stays free.
    let settings = Settings { tuners: 2 + idle, users: users.clone(), ..Settings::real() };
    let origin = runtime.block_on(Origin::start(settings))?;
    let mut stages = CROWDS
        .iter()
        .map(|viewers| Stage::new(runtime, &origin, &users, *viewers, idle))
        .collect::<anyhow::Result<Vec<_>>>()?;
    sleep(Duration::from_secs(3));
    let turn = |_| -> anyhow::Result<_> {
        let mut costs = [[0.0; 2]; CROWDS.len()];
        for (stage, cost) in stages.iter_mut().zip(&mut costs) {
            *cost = [stage.cost(Crowd::segment)?, stage.cost(Crowd::playlist)?];
        }
        Ok(costs)
    };
    let turns = (0..TURNS).map(turn).collect::<anyhow::Result<Vec<_>>>();
    for stage in stages {
        stage.end(runtime)?;
    }
    drop(runtime.block_on(origin.kill()));
    turns
}

/// A gateway with a crowd, and the thread that it runs on.
struct Stage {
    thread: String,
    gateway: thread::JoinHandle<()>,
    stop: CancellationToken,
    /// Who tuned to the streams that nobody watches.
    left: Vec<(Viewer, Playback)>,
    crowd: Crowd,
}

impl Stage {
    fn new(
        runtime: &Runtime,
        origin: &Origin,
        users: &[User],
        viewers: usize,
        idle: usize,
    ) -> anyhow::Result<Self> {
        let thread = format!("gateway-{viewers}");
        let (addr, stop, gateway) = gateway(origin.addr(), &thread)?;
        let channels: Vec<_> = origin.channels().iter().map(|channel| channel.item_id.clone()).collect();
        let viewer = |device: &str| {
            let device = format!("{device}-of-{viewers}");
            Viewer::new(format!("http://{addr}"), users[0].token(), &users[0].id, &device)
        };
        let left = (1..=idle)
            .map(|at| {
                let viewer = viewer(&format!("idle-{at}"));
                let playback = runtime.block_on(tuned(&viewer, &channels[at]))?;
                runtime.block_on(viewer.leave(&playback)).map_err(anyhow::Error::from_boxed)?;
                Ok((viewer, playback))
            })
            .collect::<anyhow::Result<_>>()?;
        let playback = runtime.block_on(tuned(&viewer("crowd"), &channels[0]))?;
        let crowd = Crowd::new(addr, &playback, users, viewers)?;
        Ok(Self { thread, gateway, stop, left, crowd })
    }

    /// The processor time of one of the requests that go round all viewers for a while, in µs.
    fn cost(&mut self, request: fn(&mut Crowd) -> anyhow::Result<()>) -> anyhow::Result<f64> {
        let (began, before) = (Instant::now(), self.processor_time()?);
        sleep(PART);
        let at_rest = (self.processor_time()? - before).div_duration_f64(began.elapsed());
        // Learns the newest segment; and a viewer that has not polled for two minutes gets none.
        self.crowd.poll_all()?;
        let (began, before) = (Instant::now(), self.processor_time()?);
        let mut count = 0_u32;
        while began.elapsed() < PART {
            request(&mut self.crowd)?;
            count += 1;
        }
        let spent = (self.processor_time()? - before).as_secs_f64() - at_rest * began.elapsed().as_secs_f64();
        Ok(spent * 1e6 / f64::from(count))
    }

    /// The time that the gateway's thread has spent on a processor, in user and in kernel mode.
    fn processor_time(&self) -> anyhow::Result<Duration> {
        for task in fs::read_dir("/proc/self/task")? {
            let task = task?.path();
            if fs::read_to_string(task.join("comm"))?.trim() == self.thread {
                let times = fs::read_to_string(task.join("schedstat"))?;
                let nanoseconds = times.split(' ').next().unwrap_or_default().parse()?;
                return Ok(Duration::from_nanos(nanoseconds));
            }
        }
        anyhow::bail!("the gateway has ended")
    }

    /// Stops the gateway, whose idle streams must still run.
    fn end(self, runtime: &Runtime) -> anyhow::Result<()> {
        for (viewer, playback) in self.left {
            let answer = runtime.block_on(viewer.poll(&playback)).map_err(anyhow::Error::from_boxed)?;
            ensure!(answer.field("server-timing").contains("warm"), "an idle stream did not go on");
        }
        self.stop.cancel();
        drop(self.gateway.join());
        Ok(())
    }
}

/// A gateway before the server at `origin`, on a thread of that name until the token is cancelled.
fn gateway(
    origin: SocketAddr,
    thread: &str,
) -> anyhow::Result<(SocketAddr, CancellationToken, thread::JoinHandle<()>)> {
    let mut config = Config::for_upstream(&format!("http://{origin}"))?;
    config.listen = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
    config.viewers.goodbye = Duration::ZERO;
    let runtime = Builder::new_current_thread().enable_all().thread_name("gateway-waits").build()?;
    let app = runtime.block_on(App::bind(config))?;
    let (addr, stop) = (app.local_addr(), CancellationToken::new());
    let until = stop.clone();
    let serving = move || drop(runtime.block_on(app.serve(until)));
    Ok((addr, stop, thread::Builder::new().name(thread.to_owned()).spawn(serving)?))
}

/// Opens a channel, and returns once it plays.
async fn tuned(viewer: &Viewer, item: &str) -> anyhow::Result<Playback> {
    let playback = viewer.open(item).await.map_err(anyhow::Error::from_boxed)?;
    let since = Instant::now();
    loop {
        let list = viewer.poll(&playback).await.map_err(anyhow::Error::from_boxed)?;
        if let Some(segment) = list.segments().first()
            && list.field("server-timing").contains("cache")
        {
            viewer.segment(&playback, segment).await.map_err(anyhow::Error::from_boxed)?;
            return Ok(playback);
        }
        ensure!(since.elapsed() < AT_MOST, "a channel does not play");
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}

/// The viewers of one stream, over one connection. Each request is the next viewer's.
struct Crowd {
    connection: TcpStream,
    /// The path and query of each viewer's playlist.
    playlists: Vec<String>,
    /// The path and query of each viewer's segments, before and after the number.
    segments: Vec<(String, String)>,
    newest: String,
    requests: usize,
    read: Vec<u8>,
}

impl Crowd {
    fn new(addr: SocketAddr, playback: &Playback, users: &[User], viewers: usize) -> anyhow::Result<Self> {
        let connection = TcpStream::connect(addr)?;
        connection.set_nodelay(true)?;
        let playlists = (0..viewers)
            .map(|viewer| own_playlist(&playback.playlist, viewer, users[viewer % ACCOUNTS].token()))
            .collect::<anyhow::Result<_>>()?;
        let (segments, newest, read) = (Vec::with_capacity(viewers), String::new(), Vec::new());
        let mut crowd = Self { connection, playlists, segments, newest, requests: 0, read };
        for viewer in 0..viewers {
            let segment = crowd.playlist_of(viewer)?;
            crowd.segments.push(segment);
        }
        Ok(crowd)
    }

    fn next(&mut self) -> usize {
        self.requests += 1;
        self.requests % self.playlists.len()
    }

    /// Has each viewer request its playlist once.
    fn poll_all(&mut self) -> anyhow::Result<()> {
        (0..self.playlists.len()).try_for_each(|viewer| self.playlist_of(viewer).map(drop))
    }

    fn playlist(&mut self) -> anyhow::Result<()> {
        let viewer = self.next();
        self.playlist_of(viewer).map(drop)
    }

    /// Requests the beginning of the newest segment.
    fn segment(&mut self) -> anyhow::Result<()> {
        let viewer = self.next();
        let (before, after) = &self.segments[viewer];
        let target = format!("{before}{}{after}", self.newest);
        self.get(&target, "Range: bytes=0-1023\r\n")
    }

    /// Requests a viewer's playlist; what stands before and after the number of its newest segment.
    fn playlist_of(&mut self, viewer: usize) -> anyhow::Result<(String, String)> {
        let target = self.playlists[viewer].clone();
        self.get(&target, "")?;
        let list = String::from_utf8_lossy(&self.read);
        let uri =
            list.lines().rfind(|line| !line.starts_with('#') && !line.is_empty()).context("a segment")?;
        let folder = target.split('?').next().and_then(|path| path.rsplit_once('/')).context("a folder")?.0;
        let (path, rest) = uri.split_once(".ts").context("a segment's name")?;
        let number = path.len() - path.bytes().rev().take_while(u8::is_ascii_digit).count();
        let segment = (format!("{folder}/{}", &path[..number]), format!(".ts{rest}"));
        path[number..].clone_into(&mut self.newest);
        Ok(segment)
    }

    /// Makes a request, and reads its answer.
    fn get(&mut self, target: &str, field: &str) -> anyhow::Result<()> {
        let request =
            format!("GET {target} HTTP/1.1\r\nHost: bench\r\nX-Forwarded-For: 192.0.2.1\r\n{field}\r\n");
        self.connection.write_all(request.as_bytes())?;
        let mut head = Vec::new();
        let mut buffer = [0; 16 << 10];
        loop {
            let read = self.connection.read(&mut buffer)?;
            ensure!(read > 0, "the gateway closed the connection");
            head.extend_from_slice(&buffer[..read]);
            if let Some(end) = head.windows(4).position(|window| window == b"\r\n\r\n") {
                self.read = head.split_off(end + 4);
                break;
            }
        }
        let head = String::from_utf8_lossy(&head).to_lowercase();
        ensure!(head.contains(" 200 ok") || head.contains(" 206 partial"), "{target}: {head}");
        ensure!(head.contains("; hit"), "not from the stream: {head}");
        let length = head.split("content-length: ").nth(1).context("a length")?;
        let length: usize = length.lines().next().unwrap_or_default().trim().parse()?;
        let rest = length.saturating_sub(self.read.len());
        let start = self.read.len();
        self.read.resize(start + rest, 0);
        self.connection.read_exact(&mut self.read[start..])?;
        Ok(())
    }
}

fn median(values: impl Iterator<Item = f64>) -> f64 {
    let mut values: Vec<_> = values.collect();
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}
