//! What a player gets over time: playlists that keep the rules of HLS, and pictures without a gap, also behind a real nginx.

use std::collections::{BTreeMap, VecDeque};
use std::net::SocketAddr;
use std::process::{Output, Stdio};
use std::time::{Duration, Instant};

use broadcast_hls::MediaPlaylist;
use jellyfin_alike::viewer::Viewer;
use jellyfin_alike::{LoggedRequest, Settings};
use tempfile::TempDir;
use tokio::process::{Child, Command};
use warmgate::config::Config;

use crate::support::nginx;
use crate::support::stage::{
    Stage, all_fetched, at_the_gateway, is_hit, is_ours, parameter, poll, short, tune, watching,
};
use crate::support::wait::{eventually, soon};

/// Watches a stream's playlists by the rules of RFC 8216bis, section 6.2, while the cost at the server stays the same.
#[tokio::test(flavor = "multi_thread")]
async fn a_list_keeps_its_promises() {
    let config = |config: &mut Config| {
        config.window.join = Duration::from_secs(3);
        config.window.length = Duration::from_secs(6);
    };
    let stage = Stage::with(|_| (), config).await;
    let viewer = stage.viewer(0, "tv");
    let playback = short(soon(viewer.open(&stage.channel(1))).await.unwrap());
    let began = Instant::now();
    let (mut uris, mut costs) = (BTreeMap::<u64, String>::new(), Vec::new());
    let mut gone: VecDeque<(Instant, f64, String)> = VecDeque::new();
    let (mut grown, mut last): (Instant, Option<MediaPlaylist>) = (Instant::now(), None);
    while began.elapsed() < watching(45, 180) {
        let answer = poll(&viewer, &playback).await;
        assert!(is_ours(&answer), "{} {}", answer.status, answer.field("cache-status"));
        assert_eq!(answer.field("content-type"), "application/vnd.apple.mpegurl");
        let list = MediaPlaylist::parse(&answer.text()).unwrap();
        assert!(!list.endlist && list.playlist_type.is_none());
        let total: f64 = list.segments.iter().map(|segment| segment.duration.get()).sum();
        for (sequence, segment) in (list.media_sequence..).zip(&list.segments) {
            assert!(segment.duration.get().round() <= f64::from(list.target_duration));
            let known = uris.entry(sequence).or_insert_with(|| segment.uri.clone());
            assert_eq!(*known, segment.uri);
        }
        if let Some(last) = last.as_ref() {
            assert_eq!(list.target_duration, last.target_duration);
            assert!(list.media_sequence >= last.media_sequence, "the sequence fell");
            let newest = |list: &MediaPlaylist| list.media_sequence + list.segments.len() as u64;
            assert!(newest(&list) >= newest(last), "a list shrank at its end");
            if newest(&list) > newest(last) {
                grown = Instant::now();
            }
            let dropped = usize::try_from(list.media_sequence - last.media_sequence).unwrap();
            assert!(dropped == 0 || total >= 3.0 * f64::from(list.target_duration), "{total}");
            let since = Instant::now();
            gone.extend(
                last.segments[..dropped].iter().map(|old| (since, old.duration.get(), old.uri.clone())),
            );
        }
        assert!(grown.elapsed() < Duration::from_secs(4), "it froze");
        still_to_be_had(&viewer, &playback, &mut gone).await;
        costs.push((began.elapsed(), answer.body.len(), at_the_gateway(&answer)));
        last = Some(list);
        tokio::time::sleep(Duration::from_millis(250)).await;
    }
    assert!(last.unwrap().media_sequence > 20, "it never slid");
    costs_alike(&costs);
    let polls: Vec<_> = stage.asked(".m3u8").into_iter().filter(|seen| seen.path.contains("/hls/")).collect();
    assert!(polls.len() > 20);
    // One more may be under way.
    let partial =
        |seen: &LoggedRequest| seen.range.is_some() && seen.status.is_none_or(|status| status == 206);
    assert!(polls.iter().all(partial), "{polls:?}");
    assert!(stage.fetched().values().all(|count| *count == 1), "{:?}", stage.fetched());
}

/// A segment can be fetched after its listing, for its own duration and that of the longest playlist that listed it
/// (RFC 8216bis, section 6.2.2).
async fn still_to_be_had(
    viewer: &Viewer,
    playback: &jellyfin_alike::viewer::Playback,
    gone: &mut VecDeque<(Instant, f64, String)>,
) {
    while let Some((since, duration, uri)) = gone.front().cloned() {
        let promised = Duration::from_secs_f64(duration + 6.0);
        if since.elapsed() > promised {
            gone.pop_front();
            continue;
        }
        let segment = soon(viewer.segment(playback, &uri)).await.unwrap();
        let in_time = since.elapsed() <= promised;
        assert!(segment.status == 200 || !in_time, "{uri} after {:?}", since.elapsed());
        return;
    }
}

fn costs_alike(costs: &[(Duration, usize, f64)]) {
    let third = costs.len() / 3;
    let largest = |costs: &[(Duration, usize, f64)]| costs.iter().map(|cost| cost.1).max().unwrap();
    let median = |costs: &[(Duration, usize, f64)]| {
        let mut times: Vec<_> = costs.iter().map(|cost| cost.2).collect();
        times.sort_by(f64::total_cmp);
        times[times.len() / 2]
    };
    let (middle, end) = (&costs[third..2 * third], &costs[2 * third..]);
    // A segment number may have one digit more.
    assert!(largest(end) <= largest(middle) + 10 * 8, "{} {}", largest(middle), largest(end));
    assert!(median(end) <= median(middle) + 1.0, "{} {}", median(middle), median(end));
}

/// FFmpeg plays a cold and a warm stream. Copies a source with a key frame every 2 s, cut at 3 s, so that segments last 4 s and 2 s
/// in turn.
async fn sees_no_gap(config: impl FnOnce(&mut Config)) {
    let uneven = |settings: &mut Settings| {
        settings.gop = Duration::from_secs(2);
        settings.segment_length = Duration::from_secs(3);
    };
    let stage = Stage::with(uneven, config).await;
    let seconds = watching(26, 60).as_secs();
    let url = async |device: &str| {
        let playback = soon(stage.viewer(0, device).open(&stage.channel(1))).await.unwrap();
        format!("{}{}", stage.base, playback.playlist)
    };
    let cold = tokio::spawn(play(url("cold").await, seconds));
    eventually("it runs", async || stage.snapshot().streams.first().is_some_and(|stream| stream.held > 0))
        .await;
    let warm = tokio::spawn(play(url("warm").await, seconds));
    for (name, player) in [("cold", cold), ("warm", warm)] {
        let output = player.await.unwrap();
        let complaints = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.success() && complaints.is_empty(), "{name}: {}\n{complaints}", output.status);
        no_gap(name, &String::from_utf8_lossy(&output.stdout), seconds);
    }
    assert_eq!(stage.origin().counts().jobs_started, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_player_sees_no_gap_in_a_list_that_grows() {
    let folder = tempfile::tempdir().unwrap();
    sees_no_gap(|config| config.rewind.dir = Some(folder.path().to_owned())).await;
}

/// The list promises to grow only, and then slides.
#[tokio::test(flavor = "multi_thread")]
async fn a_player_sees_no_gap_in_a_list_that_slides() {
    let folder = tempfile::tempdir().unwrap();
    let slides = |config: &mut Config| {
        config.rewind.dir = Some(folder.path().to_owned());
        config.rewind.length = Duration::from_secs(15);
        config.window.length = Duration::from_secs(6);
    };
    sees_no_gap(slides).await;
}

/// Decodes everything and prints the time of each frame; any error ends it.
async fn play(url: String, seconds: u64) -> Output {
    let mut command = Command::new("ffmpeg");
    command.args(["-nostdin", "-hide_banner", "-v", "error", "-xerror", "-copyts", "-i", &url]);
    command.args(["-map", "0:v", "-map", "0:a", "-fps_mode", "passthrough", "-frames:v"]);
    command.arg((seconds * 25).to_string()).args(["-shortest", "-f", "framecrc", "-"]);
    let output = command.stdin(Stdio::null()).kill_on_drop(true).output();
    tokio::time::timeout(Duration::from_secs(seconds + 30), output).await.expect("it hangs").unwrap()
}

/// Parses the lines of `framecrc`: `stream, dts, pts, duration, size, checksum`, with the time bases above them.
fn no_gap(name: &str, frames: &str, seconds: u64) {
    let mut bases = BTreeMap::new();
    let mut times = BTreeMap::<u32, Vec<(f64, f64)>>::new();
    for line in frames.lines() {
        if let Some(base) = line.strip_prefix("#tb ") {
            let (stream, base) = base.split_once(": ").unwrap();
            let (one, parts) = base.split_once('/').unwrap();
            bases.insert(
                stream.parse::<u32>().unwrap(),
                one.parse::<f64>().unwrap() / parts.parse::<f64>().unwrap(),
            );
        } else if !line.starts_with('#') {
            let fields: Vec<_> = line.split(',').map(str::trim).collect();
            let stream: u32 = fields[0].parse().unwrap();
            let at = |field: &str| field.parse::<f64>().unwrap() * bases[&stream];
            times.entry(stream).or_default().push((at(fields[2]), at(fields[3])));
        }
    }
    assert_eq!(times.len(), 2, "{name}: picture and sound");
    for (stream, times) in times {
        for pair in times.windows(2) {
            let step = pair[1].0 - pair[0].0;
            assert!(
                step > 0.0 && step < 2.5 * pair[0].1.max(0.04),
                "{name}: stream {stream} jumps by {step} s at {}",
                pair[0].0
            );
        }
        let lasts = times.last().unwrap().0 - times[0].0;
        assert!(lasts > seconds as f64 * 0.9, "{name}: stream {stream} ends after {lasts} s");
    }
}

/// An nginx process. Dropping it kills it.
struct Nginx {
    addr: SocketAddr,
    _process: Child,
    _directory: TempDir,
}

impl Nginx {
    /// An nginx in front of the gateway, as most operators have it: it forwards everything below `location` unchanged.
    async fn before(gateway: &str, location: &str) -> Self {
        let server = |addr| {
            format!(
                "server {{
                   listen {addr};
                   location {location} {{
                     proxy_pass http://{gateway}; proxy_http_version 1.1; proxy_set_header Host $http_host;
                     proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
                   }}
                 }}"
            )
        };
        let directory = tempfile::tempdir().unwrap();
        let (addr, process) = nginx::serving(&directory, server).await;
        Self { addr, _process: process, _directory: directory }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn behind_nginx_all_is_the_same() {
    for base_path in ["", "/jellyfin"] {
        let stage = Stage::with(|settings| settings.base_path = base_path.to_owned(), |_| ()).await;
        let gateway = stage.base.trim_start_matches("http://").trim_end_matches(base_path);
        let nginx = Nginx::before(gateway, &format!("{base_path}/")).await;
        let base = format!("http://{}{base_path}", nginx.addr);
        let users = Settings::quick().users;
        let viewers =
            [0, 1].map(|n| Viewer::new(&base, users[n].token(), &users[n].id, &format!("device-{n}")));
        for (viewer, warm) in viewers.iter().zip([false, true]) {
            let (playback, answer) = tune(viewer, &stage.channel(1)).await;
            assert!(is_ours(&answer), "{base_path}: {}", answer.field("cache-status"));
            assert_eq!(is_hit(&answer), warm, "{base_path}: {}", answer.field("cache-status"));
            all_fetched(viewer, &answer).await;
            soon(viewer.report(&playback, "Playing")).await.unwrap();
            soon(viewer.leave(&playback)).await.unwrap();
        }
        let starts = stage.asked("/live.m3u8");
        assert_eq!(starts.len(), 1);
        assert!(starts[0].path.starts_with(&format!("{base_path}/videos/")), "{}", starts[0].path);
        assert_eq!(parameter(&starts[0].query, "MinSegments").as_deref(), Some("1"));
        stage.shut_down().await;
        stage.nothing_open().await;
    }
}
