//! How an FFmpeg ends: stopped, killed, or by itself; and that none outlives the gateway.

use std::path::PathBuf;
use std::process::Stdio;
use std::time::{Duration, Instant};

use bytes::Bytes;
use domain::encoding::health::Limits;
use domain::reason::Failure;
use rustix::process::{Pid, Signal, kill_process};
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::process::{Child, Command};
use tokio_util::task::TaskTracker;
use warmgate::ffmpeg::launcher::Launcher;
use warmgate::ffmpeg::process::Running;
use warmgate::ffmpeg::{Ffmpeg, Settings, command, leftovers};

use crate::ffmpeg::support::{copy, exists, first_bytes, settings, source, start};
use crate::support::wait::{eventually, soon};

/// Environment variables of [`a_parent`]: the launcher that it uses, and the URL that its FFmpeg reads.
const LAUNCHER: &str = "WARMGATE_TEST_LAUNCHER";
const URL: &str = "WARMGATE_TEST_URL";

fn signal(pid: u32, signal: Signal) {
    kill_process(Pid::from_raw(pid.try_into().unwrap()).unwrap(), signal).unwrap();
}

/// A running copy with input left.
async fn begun(ffmpeg: &Ffmpeg) -> Running {
    let folder = tempfile::tempdir().unwrap();
    let source = source(folder.path(), 10.0);
    let mut running = start(ffmpeg, &copy()).await;
    running.stdin.as_ref().unwrap().offer(source).unwrap();
    first_bytes(&mut running.output).await;
    running
}

#[tokio::test(flavor = "multi_thread")]
async fn one_that_is_asked_to_end_does() {
    let ffmpeg = Ffmpeg::new(settings()).unwrap();
    let running = begun(&ffmpeg).await;
    let id = running.process.id();
    assert!(exists(id));
    let asked = Instant::now();
    let ended = soon(running.process.stop()).await;
    assert!(asked.elapsed() < Duration::from_secs(4), "{:?}", asked.elapsed());
    assert_eq!(ended.failure, None);
    assert!(!exists(id), "it was not reaped");
}

#[tokio::test(flavor = "multi_thread")]
async fn one_that_does_not_listen_is_killed() {
    let ffmpeg = Ffmpeg::new(settings()).unwrap();
    let running = begun(&ffmpeg).await;
    let id = running.process.id();
    signal(id, Signal::STOP);
    let asked = Instant::now();
    let ended = soon(running.process.stop()).await;
    assert!(asked.elapsed() < Duration::from_secs(4), "{:?}", asked.elapsed());
    assert_eq!((ended.failure, ended.status.unwrap().success()), (None, false));
    assert!(!exists(id), "it was not reaped");
}

#[tokio::test(flavor = "multi_thread")]
async fn one_that_nobody_wants_any_more_ends() {
    let ffmpeg = Ffmpeg::new(settings()).unwrap();
    let running = begun(&ffmpeg).await;
    let id = running.process.id();
    drop(running);
    drop(ffmpeg);
    eventually("it is reaped", async || !exists(id)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn one_that_dies_is_noticed_and_reaped() {
    let ffmpeg = Ffmpeg::new(settings()).unwrap();
    let running = begun(&ffmpeg).await;
    let id = running.process.id();
    signal(id, Signal::KILL);
    assert_eq!(soon(running.process.ended()).await.failure, Some(Failure::Crashed));
    assert!(!exists(id), "it was not reaped");
    eventually("its room is free", async || ffmpeg.abilities().processes_left == settings().processes).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn one_that_cannot_be_started_has_crashed() {
    for launcher in [settings().launcher, Launcher::Plain] {
        let path = PathBuf::from("/nowhere/ffmpeg");
        let ffmpeg = Ffmpeg::new(Settings { path, launcher, ..settings() }).unwrap();
        match ffmpeg.start(&crate::ffmpeg::support::command(&copy()), &TaskTracker::new()).await {
            Ok(running) => assert_eq!(soon(running.process.ended()).await.failure, Some(Failure::Crashed)),
            Err(error) => assert_eq!(error.failure(), Failure::Crashed),
        }
        soon(ffmpeg.probe()).await;
        assert!(ffmpeg.abilities().video_encoders.is_empty());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn one_that_gives_nothing_any_more_is_ended() {
    let limits = Limits { silence: Duration::from_secs(2), ..settings().limits };
    let ffmpeg = Ffmpeg::new(Settings { limits, ..settings() }).unwrap();
    let running = begun(&ffmpeg).await;
    let id = running.process.id();
    signal(id, Signal::STOP);
    assert_eq!(soon(running.process.ended()).await.failure, Some(Failure::Stalled));
    assert!(!exists(id), "it was not reaped");
}

#[tokio::test(flavor = "multi_thread")]
async fn one_that_holds_too_much_memory_is_ended() {
    let limits = Limits { memory: 1 << 20, ..settings().limits };
    let ffmpeg = Ffmpeg::new(Settings { limits, ..settings() }).unwrap();
    let running = start(&ffmpeg, &copy()).await;
    assert_eq!(soon(running.process.ended()).await.failure, Some(Failure::TooMuchMemory));
}

#[tokio::test(flavor = "multi_thread")]
async fn one_that_takes_nothing_keeps_nobody_waiting() {
    let ffmpeg = Ffmpeg::new(settings()).unwrap();
    let running = begun(&ffmpeg).await;
    signal(running.process.id(), Signal::STOP);
    let stdin = running.stdin.unwrap();
    let chunk = Bytes::from(vec![0x47; 1 << 20]);
    let offered = Instant::now();
    let refused = (0..20).find_map(|_| stdin.offer(chunk.clone()).err());
    assert_eq!(refused, Some(Failure::TooSlow));
    assert!(offered.elapsed() < Duration::from_millis(500));
    soon(running.process.stop()).await;
    assert_eq!(stdin.offer(chunk), Err(Failure::Ended));
}

/// A second process of this test program, which starts an FFmpeg, prints its process id, and waits to be killed.
struct Parent {
    child: Child,
    ffmpeg: u32,
    _connection: TcpStream,
}

impl Parent {
    async fn start(launcher: &str) -> Self {
        // It accepts connections and never answers, so that FFmpeg neither reads from its parent nor writes to it.
        let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "ffmpeg::processes::a_parent", "--ignored", "--nocapture"])
            .env(LAUNCHER, launcher)
            .env(URL, format!("http://{}/live.m3u8", silent.local_addr().unwrap()))
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let ffmpeg = loop {
            let line = soon(lines.next_line()).await.unwrap().expect("it did not start");
            if let Some((_, id)) = line.split_once("ffmpeg=") {
                break id.parse().unwrap();
            }
        };
        let (connection, _) = soon(silent.accept()).await.unwrap();
        Self { child, ffmpeg, _connection: connection }
    }

    fn owner(&self) -> String {
        format!("test-{}", self.child.id().unwrap())
    }
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "the tests below start and kill it"]
async fn a_parent() {
    let Ok(url) = std::env::var(URL) else { return };
    let launcher = match std::env::var(LAUNCHER).unwrap().as_str() {
        "plain" => Launcher::Plain,
        _ => settings().launcher,
    };
    let ffmpeg = Ffmpeg::new(Settings { launcher, ..settings() }).unwrap();
    let front = command::Command::remux(&url, command::InputFormat::Hls, []);
    let running = ffmpeg.start(&front, &TaskTracker::new()).await.unwrap();
    println!("\nffmpeg={}", running.process.id());
    tokio::time::sleep(Duration::from_secs(25)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_parent_that_is_killed_leaves_none() {
    let mut parent = Parent::start("own").await;
    assert!(exists(parent.ffmpeg));
    parent.child.kill().await.unwrap();
    eventually("it has died with its parent", async || !exists(parent.ffmpeg)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_left_all_the_same_is_ended_by_the_next() {
    let mut parent = Parent::start("plain").await;
    let owner = parent.owner();
    assert_eq!(leftovers::end(&owner), 0, "it has its parent");
    parent.child.kill().await.unwrap();
    assert!(exists(parent.ffmpeg), "nothing ended it");
    assert_eq!(leftovers::end("somebody-else"), 0);
    eventually("it has another parent", async || leftovers::end(&owner) == 1).await;
    eventually("it is gone", async || !exists(parent.ffmpeg)).await;
}
