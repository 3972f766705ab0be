//! Channels that an FFmpeg fetches for the gateway: HLS, UDP, RTP and RTSP, through one process for all viewers.

use std::process::Stdio;
use std::time::{Duration, Instant};

use domain::lineup::source::SourceUrl;
use domain::lineup::{Override, Rules};
use domain::produce::{Produce, ProductionMethod};
use jellyfin_alike::viewer::{Playback, Viewer};
use tokio::io::AsyncWriteExt;
use tokio::process::Command;
use warmgate::config::{Config, Location, Playlist};

use crate::support::sender::{Kind, Sender};
use crate::support::stage::{Stage, all_fetched, is_hit, is_ours, poll, short};
use crate::support::wait::{eventually, soon};
use crate::support::watch::Watch;

const PATIENCE: Duration = Duration::from_secs(25);

/// A gateway whose lineup is the origin's first channel, pulled from `sender`.
async fn before(sender: &Sender, config: impl FnOnce(&mut Config)) -> Stage {
    let list = sender.folder().join("list.m3u");
    std::fs::write(&list, "#EXTM3U\n#EXTINF:-1 tvg-id=\"c1\",C 1\nhttp://127.0.0.1:9981/ch/1.ts\n").unwrap();
    let pulled = Override {
        channel: "c1".to_owned(),
        urls: vec![SourceUrl::new(sender.url())],
        ..Override::default()
    };
    let playlist = Playlist {
        location: Location::File(list),
        tuners: 0,
        reload: Duration::from_secs(60),
        guide: None,
        rules: Rules { overrides: vec![pulled], ..Rules::default() },
    };
    let stage = Stage::with(
        |_| (),
        |asked| {
            asked.produce.default = Produce::Auto;
            asked.lineup = vec![playlist];
            asked.warm.encode = Duration::from_millis(500);
            asked.warm.feed = Duration::from_millis(500);
            config(asked);
        },
    )
    .await;
    // Before the lineup is loaded, the channel is left to the server.
    let mut lineup = stage.lineups.as_ref().unwrap().changed();
    soon(lineup.wait_for(|lineup| !lineup.channels().is_empty())).await.unwrap();
    stage
}

/// The FFmpegs of this gateway that fetch from `sender`.
fn fronts(stage: &Stage, sender: &Sender) -> Vec<String> {
    let mark = format!("WARMGATE_OWNER={}:", stage.base.trim_start_matches("http://"));
    let processes = std::fs::read_dir("/proc").unwrap().flatten().map(|entry| entry.path());
    let says = |file, what: &str| {
        let said = std::fs::read(file).unwrap_or_default();
        String::from_utf8_lossy(&said).contains(what)
    };
    let front =
        processes.filter(|at| says(at.join("environ"), &mark) && says(at.join("cmdline"), &sender.url()));
    front.map(|at| at.display().to_string()).collect()
}

/// Decodes a few seconds of the playback without an error.
async fn decodes(viewer: &Viewer, playback: &Playback) {
    let (mut fetched, mut media) = (Vec::new(), Vec::new());
    eventually("there is enough of it", async || {
        let text = poll(viewer, playback).await.text();
        let (_, behind) = text.rsplit_once("#EXT-X-DISCONTINUITY\n").unwrap_or(("", &text));
        for uri in behind.lines().filter(|line| !line.is_empty() && !line.starts_with('#')) {
            if !fetched.iter().any(|known| known == uri) {
                fetched.push(uri.to_owned());
                media.extend_from_slice(&soon(viewer.segment(playback, uri)).await.unwrap().body);
            }
        }
        fetched.len() >= 5
    })
    .await;
    let mut decoder = Command::new("ffmpeg")
        .args(["-v", "warning", "-xerror", "-f", "mpegts", "-i", "pipe:0", "-f", "null", "-"])
        .stdin(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    soon(decoder.stdin.take().unwrap().write_all(&media)).await.unwrap();
    let output = soon(decoder.wait_with_output()).await.unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && said.trim().is_empty(), "{said}");
}

/// Plays a channel of this kind from its first viewer to its last.
async fn is_played(kind: Kind) -> Sender {
    let sender = Sender::start(kind).await;
    let stage = before(&sender, |_| ()).await;
    let (alice, bob) = (stage.viewer(0, "tv"), stage.viewer(1, "phone"));
    let began = Instant::now();
    let playback = short(soon(alice.open(&stage.channel(1))).await.unwrap());
    let answer = poll(&alice, &playback).await;
    println!("{kind:?}: opened after {:?}, a playlist after {:?}", playback.info_took, began.elapsed());
    assert!(is_ours(&answer), "{} {}", answer.status, answer.field("cache-status"));
    all_fetched(&alice, &answer).await;
    decodes(&alice, &playback).await;
    // Another viewer joins the stream, and the first one joins another stream of the channel.
    let again = short(soon(bob.open(&stage.channel(1))).await.unwrap());
    assert!(is_hit(&poll(&bob, &again).await));
    let mut longer = again.clone();
    longer.playlist = again.playlist.replace("&SegmentLength=1", "&SegmentLength=2");
    assert!(is_ours(&poll(&bob, &longer).await));
    let methods: Vec<_> = stage.snapshot().streams.iter().map(|stream| stream.method).collect();
    assert_eq!(methods, [ProductionMethod::Own; 2]);
    assert_eq!(fronts(&stage, &sender).len(), 1);
    assert_eq!(stage.origin().counts().jobs_started, 0);
    soon(alice.leave(&playback)).await.unwrap();
    soon(bob.leave(&again)).await.unwrap();
    eventually("nothing runs", async || {
        fronts(&stage, &sender).is_empty() && stage.snapshot().streams.is_empty()
    })
    .await;
    sender
}

#[tokio::test(flavor = "multi_thread")]
async fn a_live_playlist_is_played() {
    let sender = is_played(Kind::Hls).await;
    let asked = sender.asked();
    let strangers: Vec<_> = asked.iter().filter(|asked| !asked.contains(" warmgate/")).collect();
    assert!(strangers.is_empty(), "{strangers:?}");
}

/// Of several variants, one is fetched.
#[tokio::test(flavor = "multi_thread")]
async fn a_multivariant_playlist_costs_no_more_than_one_variant() {
    let sender = is_played(Kind::Variants).await;
    let asked = sender.asked();
    let of = |variant: &str| asked.iter().filter(|asked| asked.starts_with(variant)).count();
    let (first, second) = (of("/v0"), of("/v1"));
    assert!(first.min(second) <= 4 && first.max(second) > 6, "{asked:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn datagrams_are_played() {
    is_played(Kind::Udp).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_multicast_group_is_played() {
    is_played(Kind::Multicast).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn rtp_is_played() {
    is_played(Kind::Rtp).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn rtsp_is_played_though_its_server_sends_datagrams_only() {
    is_played(Kind::Rtsp).await;
}

/// The sender restarts while somebody watches, sooner than a stall is noticed and with a clock that lies behind. The same
/// FFmpeg goes on if its connection has survived.
async fn is_followed(kind: Kind) {
    let mut sender = Sender::start(kind).await;
    let stage = before(&sender, |_| ()).await;
    let mut watch = Watch::begin(stage.viewer(0, "tv"), &stage.channel(1)).await;
    eventually("it plays", async || watch.look().await.segments().len() >= 6).await;
    let front = fronts(&stage, &sender);
    sender.off().await;
    sender.on().await;
    let began = Instant::now();
    match kind {
        // FFmpeg moves the times itself.
        Kind::Hls | Kind::Variants => {
            let last = watch.look().await.segments().last().cloned();
            eventually("it goes on", async || {
                watch.look().await.segments().iter().rev().nth(2) > last.as_ref()
            })
            .await;
        }
        Kind::Udp | Kind::Multicast | Kind::Rtp | Kind::Rtsp => watch.resume(PATIENCE).await,
    }
    println!("{kind:?}: goes on after {:?}", began.elapsed());
    if kind != Kind::Rtsp {
        assert_eq!(fronts(&stage, &sender), front);
        assert!(stage.snapshot().tally.failures.is_empty(), "{:?}", stage.snapshot().tally.failures);
    }
    assert_eq!(stage.origin().counts().jobs_started, 0);
    decodes(&watch.viewer, &watch.playback).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sender_of_datagrams_that_begins_anew_is_followed() {
    is_followed(Kind::Udp).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sender_of_rtp_that_begins_anew_is_followed() {
    is_followed(Kind::Rtp).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_live_playlist_that_begins_anew_is_followed() {
    is_followed(Kind::Hls).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_rtsp_server_that_begins_anew_is_followed() {
    is_followed(Kind::Rtsp).await;
}

/// Only the silence shows that nobody sends any more.
#[tokio::test(flavor = "multi_thread")]
async fn datagrams_that_stay_away_are_a_stall() {
    let mut sender = Sender::start(Kind::Udp).await;
    let stage = before(&sender, |config| config.feed.stall = Duration::from_secs(2)).await;
    let mut watch = Watch::begin(stage.viewer(0, "tv"), &stage.channel(1)).await;
    let front = fronts(&stage, &sender);
    sender.off().await;
    eventually("another front waits", async || {
        let now = fronts(&stage, &sender);
        watch.look().await;
        now.len() == 1 && now != front
    })
    .await;
    sender.on().await;
    watch.resume(PATIENCE).await;
    assert_eq!(stage.origin().counts().jobs_started, 0);
}
