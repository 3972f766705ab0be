//! Feeds that pull FFmpeg's transport stream over HTTP, from servers that behave well and badly.

use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use domain::feeding::FeedState;
use domain::reason::Failure;
use domain::ring::{Chunk, Join};
use http::HeaderMap;
use http_body_util::BodyExt;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::{Instant, sleep_until, timeout};
use tokio_util::task::TaskTracker;
use url::Url;
use warmgate::body;
use warmgate::feed::http::Http;
use warmgate::feed::input::{Input, OpenFuture};
use warmgate::feed::reader::{Reader, ReaderEnd};
use warmgate::feed::{Feed, Limits};
use warmgate::fetch::{Fetcher, Timeouts};

use crate::support::alone::{is_alone, run_alone};
use crate::support::servers::{Server, noise, raw_origin};
use crate::support::wait::{eventually, soon};

/// Seconds of the clip, each of which begins with a key frame.
const SECONDS: usize = 20;
/// How much faster than real time the clip is sent.
const HASTE: u32 = 10;

static CLIP: LazyLock<Bytes> = LazyLock::new(|| {
    let made = Command::new("ffmpeg")
        .args(["-v", "error", "-f", "lavfi", "-i", "testsrc2=size=320x180:rate=25"])
        .args(["-f", "lavfi", "-i", "sine=frequency=440:sample_rate=48000", "-t", &SECONDS.to_string()])
        .args(["-c:v", "libx264", "-preset", "ultrafast", "-tune", "zerolatency", "-g", "25"])
        .args(["-b:v", "1500k", "-c:a", "aac", "-f", "mpegts", "pipe:1"])
        .stdin(Stdio::null())
        .output()
        .unwrap();
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    made.stdout.into()
});

/// A reader that gets nothing for this long has read everything.
const SILENCE: Duration = Duration::from_secs(3);

const LIMITS: Limits = Limits {
    ring: Duration::from_secs(12),
    memory: 16 << 20,
    stall: Duration::from_secs(30),
    attempts: 3,
    connect: Duration::from_secs(5),
};

/// The seconds of the clip from `from` to `to`.
fn clip(from: usize, to: usize) -> Bytes {
    let at = |second: usize| CLIP.len() / 188 * second / SECONDS * 188;
    CLIP.slice(at(from)..at(to))
}

/// Reads a request from `stream` and answers it with this head.
async fn answer(stream: &mut TcpStream, head: &str) -> String {
    let mut request = Vec::new();
    while !request.ends_with(b"\r\n\r\n") {
        request.push(stream.read_u8().await.unwrap());
    }
    stream.write_all(format!("HTTP/1.1 {head}\r\n\r\n").as_bytes()).await.unwrap();
    String::from_utf8(request).unwrap()
}

/// Answers with a head whose body has no end.
async fn begin(stream: &mut TcpStream) -> String {
    answer(stream, "200 OK\r\nConnection: close").await
}

/// Sends `bytes` of the clip at `HASTE` times their real speed.
async fn play(stream: &mut TcpStream, bytes: &[u8]) {
    let begun = Instant::now();
    let second = CLIP.len() / SECONDS;
    for (nth, piece) in bytes.chunks(1316).enumerate() {
        let due = Duration::from_secs_f64(nth as f64 * 1316.0 / second as f64) / HASTE;
        sleep_until(begun + due).await;
        if stream.write_all(piece).await.is_err() {
            return;
        }
    }
}

/// Keeps the connection open without sending anything.
async fn silence(_stream: TcpStream) {
    std::future::pending().await
}

fn fetcher() -> Fetcher {
    let patience = Duration::from_secs(5);
    Fetcher::new(Timeouts { connect: patience, response: patience })
}

fn provider(server: &Server) -> Arc<dyn Input> {
    let url = Url::parse(&server.url("/live.ts?secret=1")).unwrap();
    Arc::new(Http::provider("first".into(), url, HeaderMap::new(), fetcher()))
}

fn start(inputs: Vec<Arc<dyn Input>>) -> Feed {
    Feed::start(inputs, LIMITS, &TaskTracker::new())
}

/// The stream without its last access units, which may be incomplete.
fn complete(stream: &Bytes) -> Bytes {
    let packets: Vec<_> = stream.chunks(188).collect();
    let pid = |packet: &[u8]| u16::from_be_bytes([packet[1] & 0x1f, packet[2]]);
    let mut last = std::collections::BTreeMap::new();
    for (at, packet) in packets.iter().enumerate().filter(|(_, packet)| packet[1] & 0x40 != 0) {
        last.insert(pid(packet), at);
    }
    let kept =
        packets.iter().enumerate().filter(|(at, packet)| last.get(&pid(packet)).is_none_or(|last| at < last));
    kept.flat_map(|(_, packet)| *packet).copied().collect()
}

/// Reads until `bytes` have come or the feed is silent, and returns the bytes and the number of splices.
async fn read(reader: &mut Reader, bytes: usize) -> (Bytes, usize) {
    let (mut all, mut splices) = (BytesMut::new(), 0);
    while all.len() < bytes {
        let Ok(Ok(Chunk { bytes, splice, .. })) = timeout(SILENCE, reader.next()).await else { break };
        assert_eq!(bytes.len() % 188, 0);
        splices += usize::from(splice);
        all.extend_from_slice(&bytes);
    }
    (all.freeze(), splices)
}

/// The number of video frames in `stream`, which FFmpeg has to decode without an error.
async fn frames(stream: &Bytes) -> usize {
    let stream = complete(stream);
    let decode = move || {
        let mut ffmpeg = Command::new("ffmpeg")
            .args(["-v", "error", "-xerror", "-err_detect", "explode", "-f", "mpegts", "-i", "pipe:0"])
            .args(["-map", "0:v", "-map", "0:a", "-f", "framecrc", "pipe:1"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut stdin = ffmpeg.stdin.take().unwrap();
        let writer = std::thread::spawn(move || std::io::Write::write_all(&mut stdin, &stream));
        let output = ffmpeg.wait_with_output().unwrap();
        let _ = writer.join().unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success() && said.is_empty(), "{said}");
        String::from_utf8(output.stdout).unwrap().lines().filter(|line| line.starts_with("0,")).count()
    };
    tokio::task::spawn_blocking(decode).await.unwrap()
}

/// Waits until the feed has this state.
async fn ends(feed: &Feed, how: FeedState) {
    soon(feed.state().wait_for(|state| *state == how)).await.unwrap();
}

#[tokio::test]
async fn a_redirect_leads_to_chunks_and_all_of_it_is_read() {
    let server = raw_origin(|mut stream, number| async move {
        if number == 0 {
            answer(&mut stream, "302 Found\r\nLocation: /other\r\nContent-Length: 0\r\nConnection: close")
                .await;
            return;
        }
        assert!(answer(&mut stream, "200 OK\r\nTransfer-Encoding: chunked").await.starts_with("GET /other "));
        for piece in clip(0, 3).chunks(997) {
            stream.write_all(format!("{:x}\r\n", piece.len()).as_bytes()).await.unwrap();
            stream.write_all(piece).await.unwrap();
            stream.write_all(b"\r\n").await.unwrap();
        }
        silence(stream).await;
    })
    .await;
    let feed = start(vec![provider(&server)]);
    let mut reader = feed.read(Join::Oldest);
    let (all, _) = read(&mut reader, clip(0, 3).len() - 10 * 188).await;
    assert!(CLIP.windows(all.len() - 188 * 10).any(|window| *window == all[188 * 10..]));
    assert!(frames(&all).await > 70);
    let facts = soon(feed.facts()).await.unwrap();
    assert_eq!(facts.video.unwrap().size, Some((320, 180)));
    assert_eq!(feed.counts().continuity_errors, 0);
}

#[tokio::test]
async fn a_clean_end_is_a_splice() {
    let server = raw_origin(|mut stream, number| async move {
        begin(&mut stream).await;
        play(&mut stream, &clip(number * 3, number * 3 + 3)).await;
        if number == 1 {
            silence(stream).await;
        }
    })
    .await;
    let feed = start(vec![provider(&server)]);
    let mut reader = feed.read(Join::Oldest);
    let (_, splices) = read(&mut reader, clip(0, 6).len() - 20 * 188).await;
    assert_eq!(splices, 1);
    let counts = feed.counts();
    assert_eq!((counts.connections, counts.splices), (2, 1));
    feed.stop();
    ends(&feed, FeedState::Ended).await;
    assert_eq!(read(&mut reader, usize::MAX).await.1, 0);
    assert_eq!(soon(reader.next()).await, Err(ReaderEnd::Stopped));
}

#[tokio::test]
async fn who_falls_silent_is_left_and_who_breaks_off_is_tried_again() {
    let silent = raw_origin(|mut stream, _| async move {
        begin(&mut stream).await;
        play(&mut stream, &clip(0, 2)).await;
        silence(stream).await;
    })
    .await;
    let broken = raw_origin(|mut stream, number| async move {
        answer(&mut stream, "200 OK\r\nTransfer-Encoding: chunked").await;
        let piece = clip(2 + number * 2, 4 + number * 2);
        stream.write_all(format!("{:x}\r\n", piece.len() + 1).as_bytes()).await.unwrap();
        play(&mut stream, &piece).await;
        if number == 1 {
            silence(stream).await;
        }
    })
    .await;
    let limits = Limits { stall: Duration::from_secs(2), ..LIMITS };
    let feed = Feed::start(vec![provider(&silent), provider(&broken)], limits, &TaskTracker::new());
    let (all, splices) = read(&mut feed.read(Join::Oldest), clip(0, 6).len() - 20 * 188).await;
    assert!(all.len() >= clip(0, 6).len() - 20 * 188);
    assert_eq!((splices, feed.counts().connections), (2, 3));
    assert_eq!(*feed.state().borrow(), FeedState::Flowing { input: 1 });
}

#[tokio::test]
async fn garbage_is_skipped_and_no_reason_to_leave() {
    let server = raw_origin(|mut stream, _| async move {
        begin(&mut stream).await;
        play(&mut stream, &clip(0, 2)).await;
        stream.write_all(&noise(7, 0, (1 << 20) + 100)).await.unwrap();
        play(&mut stream, &clip(2, 4)).await;
        silence(stream).await;
    })
    .await;
    let feed = start(vec![provider(&server)]);
    let (all, splices) = read(&mut feed.read(Join::Oldest), clip(0, 4).len() - 40 * 188).await;
    assert!(all.len() >= clip(0, 4).len() - 40 * 188);
    let counts = feed.counts();
    assert_eq!((splices, counts.connections), (0, 1));
    assert!(counts.resyncs >= 1 && counts.skipped.abs_diff((1 << 20) + 100) < 2000, "{counts:?}");
}

#[tokio::test]
async fn one_connection_serves_all_and_only_the_slow_one_suffers() {
    let connections = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&connections);
    let server = raw_origin(move |mut stream, _| {
        counted.fetch_add(1, Ordering::Relaxed);
        async move {
            begin(&mut stream).await;
            play(&mut stream, &clip(0, 20)).await;
            silence(stream).await;
        }
    })
    .await;
    let feed = start(vec![provider(&server)]);
    let mut slow = feed.read(Join::Oldest);
    soon(slow.next()).await.unwrap();
    let whole = clip(0, 20).len() - 20 * 188;
    let (mut one, mut two, mut three) =
        (feed.read(Join::Oldest), feed.read(Join::Oldest), feed.read(Join::Oldest));
    let (a, b, c) = tokio::join!(read(&mut one, whole), read(&mut two, whole), read(&mut three, whole));
    let lengths = [&a, &b, &c].map(|(bytes, splices)| (bytes.len(), *splices));
    assert!(a.0.len() >= whole && a == b && b == c && a.1 == 0, "{lengths:?} of {whole}");
    let mut body = slow.into_body();
    let error = soon(body.frame()).await.unwrap().unwrap_err();
    assert_eq!(error.downcast_ref(), Some(&ReaderEnd::Lagged));
    assert_eq!((connections.load(Ordering::Relaxed), feed.counts().readers_dropped), (1, 1));
    // A reader that joins now gets a burst of 12 s at most, which begins with a key frame.
    let (burst, _) = read(&mut feed.read(Join::Burst(Duration::from_secs(4))), clip(14, 20).len()).await;
    assert!((100..=126).contains(&frames(&burst).await));
    let (oldest, _) = read(&mut feed.read(Join::Oldest), usize::MAX).await;
    assert!((275..=300).contains(&frames(&oldest).await));
}

#[tokio::test]
async fn what_is_no_stream_is_told_apart() {
    let page = raw_origin(|mut stream, _| async move {
        begin(&mut stream).await;
        stream.write_all(b"<!DOCTYPE html><title>too many connections</title>").await.unwrap();
        silence(stream).await;
    })
    .await;
    let refusal = raw_origin(|mut stream, _| async move {
        answer(&mut stream, "404 Not Found\r\nContent-Length: 0\r\nConnection: close").await;
    })
    .await;
    let feed = start(vec![provider(&page)]);
    ends(&feed, FeedState::Failed(Failure::Unreadable)).await;
    assert_eq!(soon(feed.read(Join::Oldest).next()).await, Err(ReaderEnd::Failed(Failure::Unreadable)));
    assert_eq!(soon(feed.facts()).await, None);

    let feed = start(vec![provider(&refusal)]);
    ends(&feed, FeedState::Failed(Failure::Refused)).await;
}

/// A stream without a clock cannot be known to come too fast: the ring is bounded by its bytes.
#[tokio::test]
async fn a_flood_stays_within_the_ring() {
    // The memory of this process is measured.
    if !is_alone() {
        return run_alone("feed::a_flood_stays_within_the_ring", &[]).await;
    }
    let server = raw_origin(|mut stream, _| async move {
        begin(&mut stream).await;
        let mut packets = vec![0xff; 188 * 5000];
        packets.chunks_mut(188).for_each(|packet| packet[..4].copy_from_slice(&[0x47, 0x01, 0x00, 0x10]));
        while stream.write_all(&packets).await.is_ok() {}
    })
    .await;
    let before = resident();
    let feed = start(vec![provider(&server)]);
    let _slow = feed.read(Join::Oldest);
    eventually("200 MiB came", async || {
        let counts = feed.counts();
        assert!(counts.held <= LIMITS.memory);
        counts.bytes > 200 << 20
    })
    .await;
    let grown = resident().saturating_sub(before);
    assert!(grown < (LIMITS.memory >> 20) + 24, "{grown} MiB");
}

/// A file is pulled as fast as it plays, once the ring is full.
#[tokio::test]
async fn a_file_is_pulled_at_its_own_pace() {
    let server = raw_origin(|mut stream, _| async move {
        begin(&mut stream).await;
        stream.write_all(&CLIP).await.unwrap();
    })
    .await;
    let limits = Limits { ring: Duration::from_secs(5), ..LIMITS };
    let feed = Feed::start(vec![provider(&server)], limits, &TaskTracker::new());
    let mut reader = feed.read(Join::Oldest);
    let begun = Instant::now();
    let (all, splices) = read(&mut reader, clip(0, 8).len()).await;
    assert_eq!((all.len() >= clip(0, 8).len(), splices), (true, 0), "no reader is driven out");
    assert!(begun.elapsed() > Duration::from_secs(2), "{:?}", begun.elapsed());
}

/// The resident set of this process, in MiB.
fn resident() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("VmRSS")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse::<u64>().unwrap() / 1024
}

/// Prints figures: `cargo test --release --test gateway feed:: -- --ignored --nocapture`.
#[tokio::test]
#[ignore = "it measures and asserts nothing"]
async fn figures() {
    throughput().await;
    delay().await;
}

/// Prints how fast a feed is pulled if nothing holds it back.
async fn throughput() {
    let _ = &*CLIP;
    for size in [1316, 16 << 10, 256 << 10] {
        let input = Arc::new(Memory { size, left: 128 << 20 });
        let limits = Limits { ring: Duration::from_secs(1_000_000), ..LIMITS };
        let begun = Instant::now();
        let feed = Feed::start(vec![input], Limits { attempts: 1, ..limits }, &TaskTracker::new());
        ends(&feed, FeedState::Failed(Failure::Ended)).await;
        let rate = feed.counts().bytes as f64 / begun.elapsed().as_secs_f64() / 1e6;
        println!("pieces of {size}: {rate:.0} MB/s");
    }
}

/// Prints the time from the sending of a byte to its reading, over a socket, and how long a burst takes.
async fn delay() {
    let (sent, mut moments) = tokio::sync::mpsc::unbounded_channel();
    let server = raw_origin(move |mut stream, _| {
        let sent = sent.clone();
        async move {
            begin(&mut stream).await;
            stream.write_all(&clip(0, 12)).await.unwrap();
            tokio::time::sleep(Duration::from_secs(2)).await;
            for piece in clip(12, 14).chunks(1316) {
                sent.send(Instant::now()).unwrap();
                stream.write_all(piece).await.unwrap();
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
            silence(stream).await;
        }
    })
    .await;
    let feed = start(vec![provider(&server)]);
    let mut reader = feed.read(Join::Oldest);
    read(&mut reader, clip(0, 12).len() - 188).await;
    let joined = Instant::now();
    let (burst, _) = read(&mut feed.read(Join::Burst(Duration::from_secs(6))), clip(0, 6).len()).await;
    println!("a burst of {} bytes joined and read in {:?}", burst.len(), joined.elapsed());
    let mut delays = Vec::new();
    while let Some(sent) = moments.recv().await {
        let Ok(chunk) = timeout(SILENCE, reader.next()).await else { break };
        chunk.unwrap();
        delays.push(sent.elapsed());
        if delays.len() == 300 {
            break;
        }
    }
    delays.sort();
    println!("delay: median {:?}, 99 % {:?}", delays[delays.len() / 2], delays[delays.len() * 99 / 100]);
}

/// An input that repeats the clip from memory.
#[derive(Debug)]
struct Memory {
    size: usize,
    left: usize,
}

impl Input for Memory {
    fn open(&self) -> OpenFuture<'_> {
        let (size, pieces) = (self.size, self.left / self.size);
        let frames = futures_util::stream::iter((0..pieces).map(move |nth| {
            let at = nth * size % (CLIP.len() - size);
            Ok::<_, body::BoxError>(http_body::Frame::data(CLIP.slice(at..at + size)))
        }));
        Box::pin(std::future::ready(Ok(body::boxed(http_body_util::StreamBody::new(frames)))))
    }

    fn name(&self) -> &str {
        "memory"
    }
}
