//! Measures the time until the first segment can be listed: from a feed that still has to connect, from a running one, and
//! from an FFmpeg started as Jellyfin starts it. The source sends in real time, with a key frame each second. `cargo bench --bench start`.

use std::path::Path;
use std::process::Stdio;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use bytes::Bytes;
use domain::cutter::{Cutter, Rule};
use domain::ring::Join;
use http::HeaderMap;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;
use tokio::process::{Child, Command};
use tokio::sync::broadcast;
use tokio::time::{sleep, timeout};
use tokio_util::task::TaskTracker;
use url::Url;
use warmgate::feed::http::Http;
use warmgate::feed::input::Input;
use warmgate::feed::{Feed, Limits};
use warmgate::fetch::{Fetcher, Timeouts};

const ROUNDS: usize = 9;
const AT_MOST: Duration = Duration::from_secs(30);
/// The rule by which the supervisor cuts.
const RULE: Rule = Rule {
    piece: Duration::from_millis(500),
    target: Duration::from_secs(1),
    first: Duration::from_millis(2200),
    largest: 64 << 20,
};
const JOIN: Join = Join::Burst(Duration::from_secs(6));

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let source = Source::start().await?;
    let warm = feed(&source.url);
    let mut taken = [const { Vec::new() }; 3];
    // The running feed fills its ring.
    sleep(Duration::from_secs(8)).await;
    for round in 0..ROUNDS {
        // A provider's stream is joined at any moment between two key frames.
        sleep(Duration::from_millis(370 * round as u64 % 1000)).await;
        let begun = Instant::now();
        first_segment(&feed(&source.url)).await?;
        taken[0].push(begun.elapsed());
        let begun = Instant::now();
        first_segment(&warm).await?;
        taken[1].push(begun.elapsed());
        taken[2].push(as_jellyfin_does(&source.url).await?);
    }
    print(taken);
    Ok(())
}

fn feed(url: &Url) -> Feed {
    let fetcher = Fetcher::new(Timeouts::default());
    let input: Arc<dyn Input> =
        Arc::new(Http::provider("source".to_owned(), url.clone(), HeaderMap::new(), fetcher));
    Feed::start(vec![input], Limits::default(), &TaskTracker::new())
}

/// The time until a playlist could list a segment.
async fn first_segment(feed: &Feed) -> anyhow::Result<()> {
    let (mut reader, mut cutter) = (feed.read(JOIN), Cutter::new(RULE));
    timeout(AT_MOST, async {
        while cutter.poll().is_none() {
            cutter.push(&reader.next().await?.bytes);
        }
        anyhow::Ok(())
    })
    .await?
}

/// `DynamicHlsController.cs` on a source whose picture and sound are copied, until its playlist names a segment.
async fn as_jellyfin_does(url: &Url) -> anyhow::Result<Duration> {
    let folder = tempfile::tempdir()?;
    let playlist = folder.path().join("a.m3u8");
    let begun = Instant::now();
    let ffmpeg = Command::new("ffmpeg")
        .args(["-v", "quiet", "-analyzeduration", "3000000", "-fflags", "+igndts+genpts", "-i", url.as_str()])
        .args(["-map_metadata", "-1", "-map_chapters", "-1", "-threads", "0", "-sn", "-codec:v:0", "copy"])
        .args(["-start_at_zero", "-codec:a:0", "copy", "-copyts", "-avoid_negative_ts", "disabled"])
        .args(["-max_muxing_queue_size", "2048", "-f", "hls", "-max_delay", "5000000", "-hls_time", "3"])
        .args(["-hls_segment_type", "mpegts", "-start_number", "0", "-hls_playlist_type", "event"])
        .args(["-hls_list_size", "0", "-hls_segment_filename"])
        .args([folder.path().join("a%d.ts").as_os_str(), "-y".as_ref(), playlist.as_os_str()])
        .stdin(Stdio::null())
        .kill_on_drop(true)
        .spawn()
        .context("ffmpeg")?;
    timeout(AT_MOST, listed(&playlist)).await?;
    let took = begun.elapsed();
    end(ffmpeg).await;
    Ok(took)
}

async fn listed(playlist: &Path) {
    while !std::fs::read_to_string(playlist).is_ok_and(|text| text.contains("#EXTINF")) {
        sleep(Duration::from_millis(5)).await;
    }
}

async fn end(mut process: Child) {
    let _ = process.kill().await;
}

/// A channel: one FFmpeg, whose output each connection gets from its beginning on.
struct Source {
    url: Url,
    _ffmpeg: Child,
}

impl Source {
    async fn start() -> anyhow::Result<Self> {
        let mut ffmpeg = Command::new("ffmpeg")
            .args(["-v", "quiet", "-re", "-f", "lavfi", "-i", "testsrc2=size=640x360:rate=25"])
            .args(["-re", "-f", "lavfi", "-i", "sine=frequency=440:sample_rate=48000"])
            .args([
                "-c:v",
                "libx264",
                "-preset",
                "ultrafast",
                "-tune",
                "zerolatency",
                "-threads",
                "1",
                "-g",
                "25",
            ])
            .args([
                "-sc_threshold",
                "0",
                "-b:v",
                "1000k",
                "-c:a",
                "aac",
                "-f",
                "mpegts",
                "-flush_packets",
                "1",
            ])
            .args(["-muxdelay", "0", "-muxpreload", "0", "pipe:1"])
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .context("ffmpeg")?;
        let mut stdout = ffmpeg.stdout.take().context("no output")?;
        let (send, _) = broadcast::channel::<Bytes>(1024);
        let pump = send.clone();
        tokio::spawn(async move {
            let mut piece = vec![0; 16 << 10];
            while let Ok(count @ 1..) = stdout.read(&mut piece).await {
                let _ = pump.send(Bytes::copy_from_slice(&piece[..count]));
            }
        });
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let url = Url::parse(&format!("http://{}/live.ts", listener.local_addr()?))?;
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                let mut live = send.subscribe();
                tokio::spawn(async move {
                    let mut request = Vec::new();
                    while !request.ends_with(b"\r\n\r\n") {
                        let Ok(byte) = stream.read_u8().await else { return };
                        request.push(byte);
                    }
                    let head = b"HTTP/1.1 200 OK\r\nContent-Type: video/mp2t\r\nConnection: close\r\n\r\n";
                    let mut sent = stream.write_all(head).await;
                    while let (Ok(()), Ok(bytes)) = (sent, live.recv().await) {
                        sent = stream.write_all(&bytes).await;
                    }
                });
            }
        });
        Ok(Self { url, _ffmpeg: ffmpeg })
    }
}

#[expect(clippy::print_stdout, reason = "a bench reports to its terminal")]
fn print(taken: [Vec<Duration>; 3]) {
    println!("milliseconds to the first segment, of {ROUNDS}");
    println!("{:<24} {:>8} {:>8}   (÷ FFmpeg)", "", "median", "longest");
    let sorted = taken.map(|mut times| {
        times.sort_unstable();
        times
    });
    let median = |times: &[Duration]| times[times.len() / 2].as_secs_f64() * 1e3;
    let names = ["feed, connecting", "feed, flowing", "FFmpeg as in Jellyfin"];
    for (name, times) in names.iter().zip(&sorted) {
        let longest = times.last().copied().unwrap_or_default().as_secs_f64() * 1e3;
        let ratio = median(times) / median(&sorted[2]);
        println!("{name:<24} {:>8.0} {longest:>8.0}   {ratio:.3}", median(times));
    }
}
