//! Another process of the gateway takes over while viewers play: none is refused, and none loses its place.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use bytes::Bytes;
use futures_util::{SinkExt as _, StreamExt as _};
use jellyfin_alike::viewer::{Answer, Playback, Viewer};
use jellyfin_alike::{LoggedRequest, Origin, Settings};
use rusqlite::Connection;
use rustix::process::Signal;
use tempfile::TempDir;
use tokio::task::JoinSet;
use tokio::time::sleep;
use tokio_tungstenite::connect_async;
use tokio_tungstenite::tungstenite::Message;

use crate::support::program::{PROGRAM, Program};
use crate::support::servers::{fetch, get, http};
use crate::support::stage::{is_ours, tune};
use crate::support::wait::{eventually, soon};

/// What the tests have in common.
struct Setting {
    state: TempDir,
    settings: Settings,
    origin: Origin,
    program: Program,
}

impl Setting {
    /// A quick origin, and a gateway that adopts all its streams, with more configuration in `environment`.
    async fn with(environment: &[(&str, &str)]) -> Self {
        Self::before(Settings::quick(), environment).await
    }

    /// The same before an origin with other settings. The program is reached by a link, which an update may replace.
    async fn before(settings: Settings, environment: &[(&str, &str)]) -> Self {
        let state = TempDir::new().unwrap();
        let origin = Origin::start(settings.clone()).await.unwrap();
        let link = state.path().join("warmgate");
        symlink(PROGRAM, &link).unwrap();
        let mut all = vec![
            ("WARMGATE__PRODUCE__DEFAULT", "adopt"),
            ("WARMGATE__UPSTREAM__API_KEY", &settings.api_key),
            // Lists do not slide meanwhile.
            ("WARMGATE__WINDOW__LENGTH", "600s"),
        ];
        all.extend_from_slice(environment);
        let program = Program::start_at_path(&link, state.path(), &origin, &all).await;
        Self { state, settings, origin, program }
    }

    /// Replaces the program by a script.
    fn replace_program(&self, script: &str) {
        let (new, link) = (self.state.path().join("new"), self.state.path().join("warmgate"));
        fs::write(&new, format!("#!/bin/sh\n{script}\n")).unwrap();
        fs::set_permissions(&new, fs::Permissions::from_mode(0o755)).unwrap();
        fs::rename(new, link).unwrap();
    }

    /// Puts the program back.
    fn restore_program(&self) {
        let (new, link) = (self.state.path().join("new"), self.state.path().join("warmgate"));
        symlink(PROGRAM, &new).unwrap();
        fs::rename(new, link).unwrap();
    }

    /// Has a hand-over begin that comes to nothing, and waits until the log says why.
    async fn fails_to_hand_over(&self, why: &str) {
        let before = self.program.log.text().len();
        self.program.signal(Signal::USR2);
        eventually(why, async || {
            let text = self.program.log.text();
            text[before..].lines().any(|line| line.contains("the hand-over has failed") && line.contains(why))
        })
        .await;
    }

    fn viewer(&self, device: &str) -> Viewer {
        self.program.viewer(&self.settings, device)
    }

    fn item(&self, channel: usize) -> String {
        self.origin.channels()[channel].item_id.clone()
    }

    /// Waits until the gateway holds one consumer of each of the live streams, beside those of `viewers`.
    async fn holds_each_once(&self, viewers: &BTreeMap<String, usize>) {
        eventually("the old processes have given back what they held", async || {
            let consumers = self.origin.counts().consumers;
            viewers.iter().all(|(live_stream, count)| consumers.get(live_stream) == Some(&(count + 1)))
        })
        .await;
    }
}

/// A viewer that plays: it may miss no list and no segment, and keeps its place.
struct Player {
    viewer: Viewer,
    playback: Playback,
    list: Answer,
    /// The bytes of the first segment that was listed.
    first: Bytes,
}

impl Player {
    async fn begin(viewer: Viewer, item: &str) -> Self {
        let (playback, list) = tune(&viewer, item).await;
        assert!(is_ours(&list), "{}", list.field("cache-status"));
        let first = soon(viewer.listed(&list, &list.segments()[0])).await.unwrap();
        assert_eq!(first.status, 200);
        Self { viewer, playback, list, first: first.body }
    }

    /// Asks for the list, for what is new in it, and for its first segment.
    async fn look(&mut self) {
        let list = soon(self.viewer.poll(&self.playback)).await.expect("no answer");
        assert_eq!(list.status, 200, "{}", list.text());
        let (before, after) = (self.list.segments(), list.segments());
        assert!(is_ours(&list) && after.starts_with(&before), "{}\n{}", self.list.text(), list.text());
        for tag in ["EXT-X-MEDIA-SEQUENCE", "EXT-X-TARGETDURATION"] {
            assert_eq!(list.tag(tag), self.list.tag(tag), "{}", list.text());
        }
        for uri in [&before[0]].into_iter().chain(&after[before.len()..]) {
            let segment = soon(self.viewer.listed(&list, uri)).await.expect("no answer");
            assert_eq!(segment.status, 200, "{uri}");
            assert!(*uri != before[0] || segment.body == self.first, "other bytes");
        }
        self.list = list;
    }

    /// How often the stream has not gone on where it was.
    fn discontinuities(&self) -> usize {
        self.list.text().matches("#EXT-X-DISCONTINUITY\n").count()
    }
}

/// Everybody plays until `over`. Returns how often each has asked for its list.
fn play(players: Vec<Player>, over: &Arc<AtomicBool>) -> JoinSet<(Player, usize)> {
    let mut playing = JoinSet::new();
    for mut player in players {
        let over = Arc::clone(over);
        playing.spawn(async move {
            let mut polls = 0;
            while !over.load(Ordering::Relaxed) {
                player.look().await;
                polls += 1;
                sleep(Duration::from_millis(50)).await;
            }
            (player, polls)
        });
    }
    playing
}

/// Twenty viewers play, and others connect anew all the while. `WARMGATE_HANDOVERS=200` has it happen as often.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn nobody_notices_many_hand_overs() {
    let hand_overs = std::env::var("WARMGATE_HANDOVERS").map_or(20, |many| many.parse().unwrap());
    let mut setting = Setting::with(&[]).await;
    let (mut players, mut viewers) = (Vec::new(), BTreeMap::new());
    for number in 0..20 {
        let item = setting.item(number % 2);
        let player = Player::begin(setting.viewer(&format!("tv-{number}")), &item).await;
        *viewers.entry(player.playback.live_stream.clone()).or_insert(0) += 1;
        players.push(player);
    }
    let mut watcher = Player::begin(setting.viewer("watcher"), &setting.item(0)).await;
    *viewers.entry(watcher.playback.live_stream.clone()).or_insert(0) += 1;
    setting.holds_each_once(&viewers).await;
    let tuners = setting.origin.counts().tuners_open;
    let (over, most, newcomers) =
        (Arc::new(AtomicBool::new(false)), AtomicUsize::new(0), AtomicUsize::new(0));
    let playing = play(players, &over);
    let Setting { origin, program, .. } = &mut setting;
    let url = format!("http://{}/System/Ping", program.address);
    let connecting = async {
        while !over.load(Ordering::Relaxed) {
            assert_eq!(fetch(&http(), get(&url)).await.0.status, 200);
            newcomers.fetch_add(1, Ordering::Relaxed);
            most.fetch_max(origin.counts().tuners_open, Ordering::Relaxed);
            sleep(Duration::from_millis(5)).await;
        }
    };
    let begun = Instant::now();
    let handing_over = async {
        for hand_over in 1..=hand_overs {
            program.hand_over().await;
            eventually("the new process goes on with the stream", async || {
                watcher.look().await;
                watcher.discontinuities() == hand_over
            })
            .await;
        }
        over.store(true, Ordering::Relaxed);
    };
    tokio::join!(connecting, handing_over);
    let took = begun.elapsed();
    let mut polls = 0;
    let mut players = Vec::new();
    for (player, asked) in soon(playing.join_all()).await {
        polls += asked;
        players.push(player);
    }
    println!(
        "{hand_overs} hand-overs in {took:?}: {polls} lists, {} connections; stood still for {:?} ms",
        newcomers.load(Ordering::Relaxed),
        stood_still(&setting.program.log.text()),
    );
    assert!(polls > 20 * hand_overs);
    assert_eq!((most.load(Ordering::Relaxed), setting.origin.counts().tuners_open), (tuners, tuners));
    setting.holds_each_once(&viewers).await;
    // All play on.
    for player in &mut players {
        let listed = player.list.segments().len();
        eventually("its list grows", async || {
            player.look().await;
            player.list.segments().len() > listed
        })
        .await;
    }
    // Each viewing is remembered once, and has not ended.
    let is_history = |path: &PathBuf| path.extension().is_some_and(|ending| ending == "db");
    let files = fs::read_dir(setting.state.path()).unwrap().map(|entry| entry.unwrap().path());
    let history = Connection::open(files.into_iter().find(is_history).unwrap()).unwrap();
    let count = "SELECT count(*), count(ended) FROM viewing WHERE how IS NOT NULL";
    let counted: (i64, i64) = history.query_row(count, [], |row| Ok((row.get(0)?, row.get(1)?))).unwrap();
    assert_eq!(counted, (21, 0));
    setting.program.all_end().await;
}

/// A new program may be no program, have a wrong configuration, or die when everything has been handed to it.
#[tokio::test(flavor = "multi_thread")]
async fn a_process_that_does_not_take_over_changes_nothing() {
    let mut setting = Setting::with(&[]).await;
    let mut players = Vec::new();
    for number in 0..4 {
        let item = setting.item(number % 2);
        players.push(Player::begin(setting.viewer(&format!("tv-{number}")), &item).await);
    }
    let over = Arc::new(AtomicBool::new(false));
    let playing = play(players, &over);

    setting.replace_program("exit 3");
    setting.fails_to_hand_over("has ended before it took over (exit status: 3)").await;
    let says = |ready: &str| {
        format!("printf '\\{:03o}\\0\\0\\0\\0\\0\\0\\0\\0\\0\\0\\0\\0\\0\\0\\0{ready}' >&0", ready.len())
    };
    setting.replace_program(&format!("{}; exec sleep 30", says(r#"{"Ready":{"version":999}}"#)));
    setting.fails_to_hand_over("in another way (version 999, here").await;
    setting.replace_program(&format!("{}; sleep 1; exit 4", says(r#"{"Ready":{"version":4}}"#)));
    setting.fails_to_hand_over("has ended before it took over (exit status: 4)").await;
    setting.restore_program();
    fs::write(setting.state.path().join("gateway.yaml"), "status_fields: never\n").unwrap();
    setting.fails_to_hand_over("has ended before it took over (exit status: 2)").await;
    fs::remove_file(setting.state.path().join("gateway.yaml")).unwrap();

    over.store(true, Ordering::Relaxed);
    let mut players: Vec<_> = soon(playing.join_all()).await.into_iter().map(|(player, _)| player).collect();
    assert!(players.iter().all(|player| player.discontinuities() == 0), "the streams have gone on");
    setting.program.hand_over().await;
    for player in &mut players {
        eventually("the new process goes on with its stream", async || {
            player.look().await;
            player.discontinuities() == 1
        })
        .await;
    }
    setting.program.all_end().await;
}

/// A process that takes over later would go on with what this one closes.
#[tokio::test(flavor = "multi_thread")]
async fn told_to_end_in_the_middle_both_processes_end() {
    let mut setting = Setting::with(&[]).await;
    let _player = Player::begin(setting.viewer("tv"), &setting.item(0)).await;
    let named = setting.state.path().join("pid");
    setting.replace_program(&format!("echo $$ >{0}.new; mv {0}.new {0}; exec sleep 60", named.display()));
    setting.program.signal(Signal::USR2);
    eventually("the new process runs", async || named.exists()).await;
    let pid = fs::read_to_string(&named).unwrap();
    setting.program.signal(Signal::TERM);
    assert!(setting.program.first_has_ended().await.success());
    eventually("the new process has ended", async || {
        // Nobody may have asked for its exit status yet.
        let status = fs::read_to_string(format!("/proc/{}/status", pid.trim()));
        status.map_or(true, |status| status.contains("State:\tZ"))
    })
    .await;
    eventually("all is given back", async || setting.origin.counts().consumers.values().sum::<usize>() <= 1)
        .await;
}

/// Whoever dies, everything is closed once, and nothing is that somebody uses.
#[tokio::test(flavor = "multi_thread")]
async fn the_account_is_right_whoever_dies() {
    for dies in ["old", "new"] {
        let mut settings = Settings::quick();
        // The old process waits for the new one's streams before it closes anything.
        settings.delays.analyze = Duration::from_millis(1500);
        let more = [("WARMGATE__UPSTREAM__COLD_TIMEOUT", "5s"), ("WARMGATE__VIEWERS__UNFOLLOWED", "5s")];
        let mut setting = Setting::before(settings, &more).await;
        let mut player = Player::begin(setting.viewer("tv"), &setting.item(0)).await;
        let viewers = BTreeMap::from([(player.playback.live_stream.clone(), 1)]);
        setting.holds_each_once(&viewers).await;
        setting.program.hand_over().await;
        eventually("both hold it", async || setting.origin.counts().consumers.values().sum::<usize>() == 3)
            .await;
        if dies == "old" {
            setting.program.kill_the_first().await;
            eventually("the new one plays", async || {
                player.look().await;
                player.discontinuities() == 1
            })
            .await;
            setting.holds_each_once(&viewers).await;
            assert_eq!(setting.origin.counts().tuners_open, 1);
            continue;
        }
        drop(player);
        setting.program.kill_the_last();
        assert!(setting.program.first_has_ended().await.success(), "it closes its own, and ends");
        let ledger = ledger_in(setting.state.path());
        assert!(fs::read_to_string(&ledger).unwrap().len() > 10, "what the killed one had open stands there");
        let listen = setting.program.address.clone();
        let environment = [
            ("WARMGATE__PRODUCE__DEFAULT", "adopt"),
            ("WARMGATE__UPSTREAM__API_KEY", &setting.settings.api_key),
            more[0],
            more[1],
        ];
        let _next = Program::start(setting.state.path(), &listen, &setting.origin, &environment).await;
        eventually("all is closed, the client's opening too", async || {
            let counts = setting.origin.counts();
            counts.tuners_open == 0 && counts.jobs == 0
        })
        .await;
        eventually("it is struck out", async || fs::read_to_string(&ledger).unwrap() == "{}").await;
    }
}

/// For how many milliseconds each hand-over has kept requests for lists waiting.
fn stood_still(log: &str) -> Vec<u64> {
    let told = log.split("stood_still_ms=").skip(1);
    told.filter_map(|rest| rest.split(' ').next()?.parse().ok()).collect()
}

/// The file that records what is open.
fn ledger_in(state: &Path) -> PathBuf {
    let files = fs::read_dir(state).unwrap().map(|entry| entry.unwrap().path());
    let is_ledger = |path: &PathBuf| {
        let name = path.file_name().unwrap().to_string_lossy();
        name.starts_with("open-") && name.ends_with(".json")
    };
    files.into_iter().find(is_ledger).unwrap()
}

/// What is too old for memory lies in files without names, which change hands too.
#[tokio::test(flavor = "multi_thread")]
async fn what_lies_on_disk_is_handed_over() {
    let mut setting = Setting::with(&[("WARMGATE__WINDOW__LENGTH", "6s")]).await;
    let mut player = Player::begin(setting.viewer("tv"), &setting.item(0)).await;
    for _ in 0..2 {
        // The beginning of a list that is twice as long has left memory.
        let listed = player.list.segments().len();
        eventually("its list grows", async || {
            player.look().await;
            player.list.segments().len() > listed + 8
        })
        .await;
        setting.program.hand_over().await;
    }
    player.look().await;
    for uri in player.list.segments() {
        assert_eq!(soon(player.viewer.listed(&player.list, &uri)).await.unwrap().status, 200, "{uri}");
    }
    setting.program.all_end().await;
}

/// Streams that the gateway makes itself, from the server's raw stream.
#[tokio::test(flavor = "multi_thread")]
async fn streams_of_its_own_go_on_too() {
    let mut setting = Setting::with(&[("WARMGATE__PRODUCE__DEFAULT", "auto")]).await;
    let mut player = Player::begin(setting.viewer("tv"), &setting.item(0)).await;
    let viewers = BTreeMap::from([(player.playback.live_stream.clone(), 1)]);
    for hand_over in 1..=2 {
        setting.holds_each_once(&viewers).await;
        setting.program.hand_over().await;
        eventually("the new process goes on with its stream", async || {
            player.look().await;
            player.discontinuities() == hand_over
        })
        .await;
        assert_eq!(setting.origin.counts().tuners_open, 1);
        assert_eq!(setting.origin.counts().jobs_started, 0, "it is not taken over from the server");
    }
    setting.program.all_end().await;
}

/// With the last WebSocket of a session, the server would close what its client has opened.
#[tokio::test(flavor = "multi_thread")]
async fn a_websocket_goes_on_in_the_old_process_which_ends_with_it() {
    let mut setting = Setting::with(&[]).await;
    let token = setting.settings.users[0].token();
    let url = format!("ws://{}/socket?ApiKey={token}&deviceId=tv", setting.program.address);
    let (mut socket, _) = soon(connect_async(url)).await.unwrap();
    setting.program.hand_over().await;
    soon(socket.send(Message::Ping(Bytes::from_static(b"still there?")))).await.unwrap();
    let answer = async {
        loop {
            if let Message::Pong(said) = socket.next().await.unwrap().unwrap() {
                break said;
            }
        }
    };
    assert_eq!(soon(answer).await, "still there?");
    assert!(setting.program.first_runs());
    drop(socket);
    assert!(setting.program.first_has_ended().await.success());
    setting.program.all_end().await;
}

/// With a session's last WebSocket the server gives back what that session plays. Another goodbye would take somebody else's consumer.
#[tokio::test(flavor = "multi_thread")]
async fn the_end_of_a_websocket_in_the_old_process_counts_in_the_new_one() {
    let mut setting = Setting::with(&[("WARMGATE__VIEWERS__SILENCE", "3s")]).await;
    let token = setting.settings.users[0].token();
    let url = format!("ws://{}/socket?ApiKey={token}&deviceId=tv", setting.program.address);
    let (socket, _) = soon(connect_async(url)).await.unwrap();
    let viewer = setting.viewer("tv");
    let (playback, _) = tune(&viewer, &setting.item(0)).await;
    soon(viewer.report(&playback, "Playing")).await.unwrap();
    setting.program.hand_over().await;
    eventually("the old process has closed its own", async || {
        setting.origin.counts().consumers.get(&playback.live_stream) == Some(&2)
    })
    .await;
    drop(socket);
    let ledger = ledger_in(setting.state.path());
    eventually("the client has nothing open any more", async || {
        let noted: serde_json::Value = serde_json::from_slice(&fs::read(&ledger).unwrap()).unwrap();
        noted.as_object().unwrap().values().all(|entry| entry["client"].is_null())
    })
    .await;
    let has_stopped = |request: &LoggedRequest| request.path.ends_with("/Sessions/Playing/Stopped");
    assert!(!setting.origin.requests().iter().any(has_stopped), "the server has closed it");
    drop(viewer);
    setting.program.all_end().await;
}
