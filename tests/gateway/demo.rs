//! `warmgate demo` as a process, and its page in a real browser.

use std::os::unix::process::CommandExt;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use crate::support::servers::ANY;
use crate::support::stage::tune;
use jellyfin_alike::Settings;
use jellyfin_alike::viewer::Viewer;
use rustix::process::{Pid, Signal, kill_process_group};
use serde_json::Value;
use tempfile::TempDir;
use tokio::time::timeout;
use warmgate::demo::stage::Stage;

/// The longest that eleven zaps, or the zaps of a browser, may take on a busy machine.
const PATIENCE: Duration = Duration::from_secs(90);
/// How long the browser stays on a channel, in seconds.
const DWELL: u32 = 3;

fn demo(args: &[&str]) -> tokio::process::Command {
    let mut command = tokio::process::Command::new(env!("CARGO_BIN_EXE_warmgate"));
    command.arg("demo").args(args).stdin(Stdio::null()).kill_on_drop(true);
    command
}

/// A row of the table: kind, milliseconds to the first segment, FFmpeg starts, tuners in use.
struct Row {
    kind: String,
    segment: u64,
    starts: u64,
    tuners: u64,
}

impl Row {
    fn read(line: &str) -> Option<Self> {
        let (way, rest) = line.trim().split_at_checked(line.trim().find(" → ")? + " → ".len())?;
        let (_, rest) = rest.split_once(' ').filter(|_| !way.is_empty())?;
        let kind: String = rest.chars().take_while(|letter| !letter.is_ascii_digit()).collect();
        let numbers: Vec<u64> = rest.split_whitespace().filter_map(|word| word.parse().ok()).collect();
        let [_, _, segment, starts, tuners] = numbers[..] else { return None };
        Some(Self { kind: kind.trim().to_owned(), segment, starts, tuners })
    }
}

#[tokio::test]
async fn it_zaps_by_itself_and_shows_that_warm_is_quick() {
    let output = timeout(PATIENCE, demo(&["--once"]).output()).await.expect("took too long").unwrap();
    let (stdout, stderr) =
        (String::from_utf8(output.stdout).unwrap(), String::from_utf8(output.stderr).unwrap());
    assert_eq!(output.status.code(), Some(0), "{stdout}{stderr}");
    assert_eq!(stderr.lines().count(), 11, "a line for each zap where there is no terminal: {stderr}");

    let rows: Vec<_> = stdout.lines().filter_map(Row::read).collect();
    assert_eq!(rows.len(), 11, "{stdout}");
    let of = |kinds: &[&str]| {
        let times = rows.iter().filter(|row| kinds.contains(&row.kind.as_str())).map(|row| row.segment);
        times.collect::<Vec<_>>()
    };
    let cold = of(&["bare cold", "bare back", "cold"]);
    let warm = of(&["back", "second viewer", "warm"]);
    assert_eq!((cold.len(), warm.len()), (6, 5), "{stdout}");
    assert!(warm.iter().max() < cold.iter().min(), "{stdout}");

    let last = rows.last().unwrap();
    assert_eq!((last.starts, last.tuners), (0, 3), "three channels, and no FFmpeg at the server: {stdout}");
    assert!(stdout.contains("3 tuners given back\n"), "{stdout}");
}

#[tokio::test]
async fn without_ffmpeg_it_says_what_to_install() {
    let empty = tempfile::tempdir().unwrap();
    let output = demo(&["--once"]).env("PATH", empty.path()).output().await.unwrap();
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(
        stderr.contains("FFmpeg is not installed") && stderr.contains("apt-get install ffmpeg"),
        "{stderr}"
    );
}

#[tokio::test]
async fn a_browser_shows_moving_pictures_cold_and_warm() {
    let mut stage = Stage::start(Settings::real(), ANY, ANY).await.unwrap();
    let url = format!("http://{}/?auto=0,1,0,1&dwell={DWELL}", stage.page());
    let browser = Browser::open(&url);
    let report = timeout(PATIENCE, stage.report()).await.expect("the page told nothing").unwrap();
    drop(browser);

    assert_eq!(report["plays"], true, "{report}");
    let zaps = report["zaps"].as_array().unwrap();
    let warm: Vec<_> = zaps.iter().map(|zap| zap["warm"].as_bool().unwrap()).collect();
    assert_eq!(warm, [false, false, true, true], "{report}");
    for zap in zaps {
        assert_eq!(zap["error"], Value::Null, "{report}");
        assert!(zap["frames"].as_u64().unwrap() > 0, "nothing moved: {report}");
        assert!(zap["advance"].as_f64().unwrap() > f64::from(DWELL) / 2.0, "it stood still: {report}");
    }
    let frame = |at: usize| zaps[at]["frame"].as_f64().unwrap();
    assert!(frame(2).max(frame(3)) < frame(0).min(frame(1)), "warm is no quicker: {report}");
    assert_eq!(stage.origin().counts().jobs_started, 0, "the gateway makes both itself");
    println!("{report:#}");
    stage.strike().await;
}

/// The next process of a gateway would give it back, or find its player again. The demonstration has none.
#[tokio::test(flavor = "multi_thread")]
async fn what_a_player_has_not_stopped_is_said_to_be_its_own() {
    let settings = Settings::quick();
    let stage = Stage::start(settings.clone(), ANY, ANY).await.unwrap();
    let (user, item) = (&settings.users[0], &stage.origin().channels()[0].item_id);
    let viewer = Viewer::new(format!("http://{}", stage.gateway()), user.token(), &user.id, "tv");
    tune(&viewer, item).await;
    let said = stage.strike().await.to_string();
    assert_eq!(said, "0 tuners given back, 1 tuner left to a player that has not stopped");
}

/// Headless Chromium with a new profile. Dropping it kills it and its children.
struct Browser {
    process: Child,
    _profile: TempDir,
}

impl Browser {
    fn open(url: &str) -> Self {
        let profile = tempfile::tempdir().unwrap();
        let process = Command::new("chromium")
            .args(["--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"])
            .args(["--disable-background-networking", "--disable-component-update", "--disable-sync"])
            .args(["--autoplay-policy=no-user-gesture-required", "--remote-debugging-port=0"])
            .arg(format!("--user-data-dir={}", profile.path().display()))
            .arg(url)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .process_group(0)
            .spawn()
            .expect("Chromium is installed (make test does it)");
        Self { process, _profile: profile }
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        // Its children are in its process group. An error means that it has ended already.
        let _ = kill_process_group(Pid::from_child(&self.process), Signal::KILL);
        let _ = self.process.wait();
    }
}
