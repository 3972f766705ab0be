//! The gateway is stopped or killed again and again while viewers play: each plays on near live, and nothing is left behind.
//!
//! CI does it three times each. `WARMGATE_LONG=1 cargo test --test gateway restarts::` takes five minutes for twenty times, each when
//! old pieces lie on disk.

use std::fs;
use std::path::Path;
use std::time::{Duration, SystemTime};

use futures_util::future::join_all;
use jellyfin_alike::viewer::{Answer, Playback, Viewer};
use jellyfin_alike::{Origin, Settings};
use tokio::time::{Instant, sleep};

use crate::support::program::Program;
use crate::support::stage::{is_long, is_ours, short};
use crate::support::wait::{PATIENCE, eventually, soon};

/// The channel of each viewer.
const WATCHED: [usize; 4] = [0, 0, 0, 1];
const CHANNELS: usize = 2;
/// How often a viewer polls.
const PACE: Duration = Duration::from_millis(100);
/// How many segments it fetches of a list until it is said to play.
const ENOUGH: usize = 2;
/// How far the end of a list may lie behind the time at which it is read.
const NEAR: Duration = Duration::from_secs(5);

#[derive(Clone, Copy)]
enum Blow {
    Terminate,
    Kill,
}

/// A viewer that polls and fetches as players do, and tries again where it cannot connect.
struct Player {
    viewer: Viewer,
    playback: Playback,
    sequence: u64,
    newest: u64,
}

impl Player {
    async fn begin(viewer: Viewer, item: &str) -> Self {
        let playback = short(soon(viewer.open(item)).await.unwrap());
        let mut player = Self { viewer, playback, sequence: 0, newest: 0 };
        player.plays_on().await;
        player
    }

    /// Plays until it has a list that begins behind the one before, and some segments that are new.
    async fn plays_on(&mut self) {
        let (begun, mut fetched) = (Instant::now(), None);
        while fetched < Some(ENOUGH) {
            assert!(begun.elapsed() < PATIENCE, "it does not go on behind {}", self.newest);
            sleep(PACE).await;
            // Nobody listens while the gateway is started again, and a request under way ends with it.
            let Ok(list) = soon(self.viewer.poll(&self.playback)).await else { continue };
            assert!(is_ours(&list), "{} {}", list.status, list.field("cache-status"));
            let sequence = list.tag("EXT-X-MEDIA-SEQUENCE").unwrap();
            assert!(sequence >= self.sequence, "it fell to {sequence} from {}", self.sequence);
            // The list of a viewer that stays does not slide, so this is another gateway's.
            if sequence > self.sequence {
                let late = behind_live(&list);
                assert!(late < NEAR, "{late:?} behind:\n{}", list.text());
                (self.sequence, fetched) = (sequence, Some(0));
            }
            let fresh = self.fetch(&list).await;
            fetched = fetched.map(|fetched| fetched + fresh);
        }
    }

    /// Fetches what is new in a list, and returns how many segments have come.
    async fn fetch(&mut self, list: &Answer) -> usize {
        let number = |uri: &String| uri.trim_end_matches(".ts").parse::<u64>().unwrap();
        let known = self.newest;
        let mut fetched = 0;
        for uri in list.segments().iter().filter(|uri| number(uri) > known) {
            let Ok(segment) = soon(self.viewer.listed(list, uri)).await else { break };
            assert_eq!((segment.status.as_u16(), segment.body.first()), (200, Some(&0x47)), "{uri}");
            self.newest = number(uri);
            fetched += 1;
        }
        fetched
    }
}

/// How far the end of a list lies behind now.
fn behind_live(list: &Answer) -> Duration {
    let text = list.text();
    let (_, dated) = text.rsplit_once("#EXT-X-PROGRAM-DATE-TIME:").unwrap();
    let (date, behind) = dated.split_once('\n').unwrap();
    let lengths = behind.lines().filter_map(|line| line.strip_prefix("#EXTINF:")?.strip_suffix(','));
    let length = lengths.map(|length| length.parse::<f64>().unwrap()).sum();
    let end = SystemTime::from(date.parse::<jiff::Timestamp>().unwrap()) + Duration::from_secs_f64(length);
    SystemTime::now().duration_since(end).unwrap_or_default()
}

async fn start(state: &Path, listen: &str, origin: &Origin, key: &str) -> Program {
    let environment = [
        ("WARMGATE__UPSTREAM__API_KEY", key),
        // So that the spool is soon in use.
        ("WARMGATE__WINDOW__LENGTH", "6s"),
    ];
    Program::start(state, listen, origin, &environment).await
}

/// Each viewer has opened its channel once, and the gateway each channel.
fn is_as_at_first(origin: &Origin) -> bool {
    let counts = origin.counts();
    let consumers: usize = counts.consumers.values().sum();
    (counts.tuners_open, counts.jobs, consumers) == (CHANNELS, 0, WATCHED.len() + CHANNELS)
}

async fn everybody_plays_on(blow: Blow) {
    let settings = Settings::quick();
    let origin = Origin::start(settings.clone()).await.unwrap();
    let (state, key) = (tempfile::tempdir().unwrap(), &settings.api_key);
    let spool = state.path().join("spool");
    let mut gateway = start(state.path(), "127.0.0.1:0", &origin, key).await;
    let channels = origin.channels();
    let begin = |(number, channel): (usize, usize)| {
        Player::begin(gateway.viewer(&settings, &format!("tv-{number}")), &channels[channel].item_id)
    };
    let mut players = join_all(WATCHED.into_iter().enumerate().map(begin)).await;
    let times = if is_long() { 20 } else { 3 };
    for _ in 0..times {
        if is_long() {
            eventually("old pieces lie on disk", async || gateway.has_open(&spool)).await;
        }
        let again = async {
            match blow {
                Blow::Terminate => assert!(gateway.terminate().await.success()),
                Blow::Kill => gateway.kill().await,
            }
            assert_eq!(fs::read_dir(&spool).unwrap().count(), 0, "no file is left");
            start(state.path(), &gateway.address, &origin, key).await
        };
        let playing = players.iter_mut().map(Player::plays_on);
        (gateway, _) = tokio::join!(again, join_all(playing));
        eventually("no tuner is lost", async || is_as_at_first(&origin)).await;
    }
    for player in &players {
        soon(player.viewer.report(&player.playback, "Playing")).await.unwrap();
        soon(player.viewer.leave(&player.playback)).await.unwrap();
    }
    assert!(gateway.terminate().await.success());
    eventually("nothing is open", async || origin.counts().tuners_open == 0).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn everybody_plays_on_when_it_is_restarted() {
    everybody_plays_on(Blow::Terminate).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn everybody_plays_on_when_it_is_killed() {
    everybody_plays_on(Blow::Kill).await;
}
