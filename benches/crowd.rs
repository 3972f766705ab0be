//! What a request costs the gateway in processor time when 1, 1,000 or 5,000 viewers watch a channel, with and without three
//! streams beside it that nobody watches. At 5,000 viewers a request should cost at most 1.25 times what it costs at 1.
//! `cargo bench --bench crowd`.
//!
//! The gateway runs on a thread of its own, and only that thread's time counts. The requests come one after the other over one
//! connection, as from a reverse proxy; each is another viewer's. What the streams cost by themselves is subtracted.

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

const CROWDS: [usize; 3] = [1, 1000, 5000];
const IDLE: [usize; 2] = [0, 3];
/// One account has at most 256 viewers of a stream.
const ACCOUNTS: usize = 32;
/// The name of the gateway's thread.
const GATEWAY: &str = "gateway";
/// How long each kind of request is measured, and in how many parts; their median counts.
const PART: Duration = Duration::from_millis(800);
const PARTS: usize = 5;
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
fn print(idle: usize, measured: &[[f64; 2]]) {
    println!("µs per request, {idle} idle streams beside{:>12} {:>12}   (÷ 1 viewer)", "segment", "playlist");
    for (viewers, [segment, playlist]) in CROWDS.iter().zip(measured) {
        let [alone_segment, alone_playlist] = measured[0];
        let ratios = (segment / alone_segment, playlist / alone_playlist);
        println!("{viewers:>37} {segment:>12.1} {playlist:>12.1}   {:.2}, {:.2}", ratios.0, ratios.1);
    }
}

/// A segment's and a playlist's cost for each size of the crowd.
fn measure(runtime: &Runtime, idle: usize) -> anyhow::Result<Vec<[f64; 2]>> {
    let users: Vec<_> = (0..ACCOUNTS).map(|number| User::new(&format!("viewer-{number}"))).collect();
    // One more than are used: with four or more, one stays free.
    let settings = Settings { tuners: 2 + idle, users: users.clone(), ..Settings::real() };
    let origin = runtime.block_on(Origin::start(settings))?;
    let (addr, stop, gateway) = gateway(origin.addr())?;
    let channels: Vec<_> = origin.channels().iter().map(|channel| channel.item_id.clone()).collect();
    let viewer =
        |device: String| Viewer::new(format!("http://{addr}"), users[0].token(), &users[0].id, &device);
    let left: Vec<_> = (1..=idle)
        .map(|at| {
            let viewer = viewer(format!("idle-{at}"));
            let playback = runtime.block_on(tuned(&viewer, &channels[at]))?;
            runtime.block_on(viewer.leave(&playback)).map_err(anyhow::Error::from_boxed)?;
            Ok((viewer, playback))
        })
        .collect::<anyhow::Result<_>>()?;
    let playback = runtime.block_on(tuned(&viewer("crowd".to_owned()), &channels[0]))?;
    let mut crowd = Crowd::new(addr, &playback, &users)?;
    sleep(Duration::from_secs(3));
    let costs = CROWDS.map(|viewers| crowd.cost(viewers));
    for (viewer, playback) in left {
        let answer = runtime.block_on(viewer.poll(&playback)).map_err(anyhow::Error::from_boxed)?;
        ensure!(answer.field("server-timing").contains("warm"), "an idle stream did not go on");
    }
    stop.cancel();
    drop(gateway.join());
    drop(runtime.block_on(origin.kill()));
    costs.into_iter().collect()
}

/// A gateway before the server at `origin`, on a thread of its own until the token is cancelled.
fn gateway(origin: SocketAddr) -> anyhow::Result<(SocketAddr, CancellationToken, thread::JoinHandle<()>)> {
    let mut config = Config::for_upstream(&format!("http://{origin}"))?;
    config.listen = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
    config.viewers.goodbye = Duration::ZERO;
    let runtime = Builder::new_current_thread().enable_all().thread_name("gateway-waits").build()?;
    let app = runtime.block_on(App::bind(config))?;
    let (addr, stop) = (app.local_addr(), CancellationToken::new());
    let until = stop.clone();
    let serving = move || runtime.block_on(app.serve(until));
    Ok((addr, stop, thread::Builder::new().name(GATEWAY.to_owned()).spawn(serving)?))
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

/// The viewers of one stream, over one connection.
struct Crowd {
    connection: TcpStream,
    /// The path and query of each viewer's playlist.
    playlists: Vec<String>,
    /// The path and query of each viewer's segments, before and after the number.
    segments: Vec<(String, String)>,
    newest: String,
    read: Vec<u8>,
}

impl Crowd {
    fn new(addr: SocketAddr, playback: &Playback, users: &[User]) -> anyhow::Result<Self> {
        let connection = TcpStream::connect(addr)?;
        connection.set_nodelay(true)?;
        let viewers = CROWDS[CROWDS.len() - 1];
        let (path, query) = playback.playlist.split_once('?').context("a query")?;
        let playlist = |viewer: usize| {
            let own = |pair: &str| match pair.split_once('=').unwrap_or_default().0.to_lowercase().as_str() {
                "playsessionid" => format!("PlaySessionId={:032x}", viewer + 1),
                "deviceid" => format!("DeviceId=device-{viewer}"),
                "apikey" | "api_key" => format!("ApiKey={}", users[viewer % ACCOUNTS].token()),
                _ => pair.to_owned(),
            };
            format!("{path}?{}", query.split('&').map(own).collect::<Vec<_>>().join("&"))
        };
        let playlists = (0..viewers).map(playlist).collect();
        Ok(Self { connection, playlists, segments: Vec::new(), newest: String::new(), read: Vec::new() })
    }

    /// What a segment and a playlist cost among so many viewers, in µs.
    fn cost(&mut self, viewers: usize) -> anyhow::Result<[f64; 2]> {
        for viewer in self.segments.len()..viewers {
            let segment = self.playlist(viewer)?;
            self.segments.push(segment);
        }
        let segment = median(|| self.requests(viewers, true))?;
        let playlist = median(|| self.requests(viewers, false))?;
        Ok([segment, playlist])
    }

    /// The cost of one of the requests that go round all viewers for a while.
    fn requests(&mut self, viewers: usize, segments: bool) -> anyhow::Result<f64> {
        let (began, before) = (Instant::now(), processor_time()?);
        sleep(PART / 2);
        let at_rest = (processor_time()? - before).div_duration_f64(began.elapsed());
        self.playlist(0)?;
        let (began, before) = (Instant::now(), processor_time()?);
        let mut count = 0_u32;
        while began.elapsed() < PART {
            let viewer = count as usize % viewers;
            if segments {
                let (before, after) = &self.segments[viewer];
                let target = format!("{before}{}{after}", self.newest);
                self.get(&target, "Range: bytes=0-1023\r\n")?;
            } else {
                self.playlist(viewer)?;
            }
            count += 1;
        }
        let spent = (processor_time()? - before).as_secs_f64() - at_rest * began.elapsed().as_secs_f64();
        Ok(spent * 1e6 / f64::from(count))
    }

    /// Requests a viewer's playlist; what stands before and after the number of its newest segment.
    fn playlist(&mut self, viewer: usize) -> anyhow::Result<(String, String)> {
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

fn median(mut part: impl FnMut() -> anyhow::Result<f64>) -> anyhow::Result<f64> {
    let mut parts = (0..PARTS).map(|_| part()).collect::<anyhow::Result<Vec<_>>>()?;
    parts.sort_by(f64::total_cmp);
    Ok(parts[PARTS / 2])
}

/// The time that the gateway's thread has spent on a processor, in user and in kernel mode.
fn processor_time() -> anyhow::Result<Duration> {
    for task in fs::read_dir("/proc/self/task")? {
        let task = task?.path();
        if fs::read_to_string(task.join("comm"))?.trim() == GATEWAY {
            let times = fs::read_to_string(task.join("schedstat"))?;
            let nanoseconds = times.split(' ').next().unwrap_or_default().parse()?;
            return Ok(Duration::from_nanos(nanoseconds));
        }
    }
    anyhow::bail!("the gateway has ended")
}
