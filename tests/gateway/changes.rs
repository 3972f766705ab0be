//! Changes of the configuration while the gateway runs.

use std::fs;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use domain::clients::Mode;
use domain::produce::Produce;
use jellyfin_alike::{Origin, Settings};
use rustix::process::Signal;
use warmgate::config::{ClientRule, ClientSettings, Conditions};

use crate::support::program::Program;
use crate::support::stage::{Stage, is_hit, is_ours, poll, tune, warm};
use crate::support::wait::{eventually, soon};

/// A rule for everybody.
fn everybody(set: ClientSettings) -> Vec<ClientRule> {
    vec![ClientRule { conditions: Conditions::default(), set }]
}

#[tokio::test(flavor = "multi_thread")]
async fn a_change_applies_to_whoever_tunes_next() {
    let mut stage = Stage::quick().await;
    let viewer = stage.viewer(0, "tv");
    let (playback, answer) = tune(&viewer, &stage.channel(1)).await;
    assert!(is_ours(&answer));
    let bypass = ClientSettings { mode: Some(Mode::Bypass), ..ClientSettings::default() };
    let waiting = stage.change(|config| config.clients.rules = everybody(bypass));
    assert_eq!(waiting, [""; 0]);
    assert!(is_hit(&poll(&viewer, &playback).await), "who plays keeps what it has");
    let (_, answer) = tune(&stage.viewer(1, "tablet"), &stage.channel(1)).await;
    assert!(!is_ours(&answer), "the next is passed on");

    let waiting = stage.change(|config| {
        config.clients.rules.clear();
        config.status_fields = false;
        config.listen = "127.0.0.1:1".parse().unwrap();
        config.rewind.budget = 0;
        config.produce.default = Produce::Auto;
        config.trusted_proxies = vec!["127.0.0.1/32".parse().unwrap()];
        config.proxy_protocol = true;
        config.pool.memory = 1 << 20;
        config.window.segment = 1 << 20;
    });
    let fixed =
        ["listen", "trusted_proxies", "proxy_protocol", "rewind", "window.segment", "pool.memory", "produce"];
    assert_eq!(waiting, fixed);
    let (_, answer) = tune(&stage.viewer(1, "phone"), &stage.channel(1)).await;
    assert!(is_ours(&answer));
    assert_eq!(answer.field("cache-status"), "");
}

#[tokio::test(flavor = "multi_thread")]
async fn lower_limits_stop_what_nobody_watches() {
    let mut stage = Stage::quick().await;
    warm(&stage, 3).await;
    stage.change(|config| config.pool.slots = 1);
    eventually("the others are stopped", async || stage.origin().counts().tuners_open == 1).await;
    stage.change(|config| config.pool.idle_timeout = Duration::from_millis(100));
    stage.nothing_open().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn whom_it_trusts_may_change() {
    let mut stage = Stage::quick().await;
    let (_, _) = tune(&stage.viewer(0, "tv"), &stage.channel(1)).await;
    let wishing = |device| stage.viewer(1, device).with(&[("warmgate-mode", "bypass")]);
    let (stranger, proxied) = (wishing("tablet"), wishing("phone"));
    assert!(is_ours(&tune(&stranger, &stage.channel(1)).await.1));
    stage.change(|config| config.trusted_proxies = vec!["127.0.0.1/32".parse().unwrap()]);
    assert!(!is_ours(&tune(&proxied, &stage.channel(1)).await.1));
}

/// Twenty viewers play while the configuration changes 200 times: not one request fails, and no viewer loses its place.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn nobody_who_plays_notices_two_hundred_changes() {
    // Its lists do not slide meanwhile.
    let mut stage = Stage::with(|_| (), |config| config.window.length = Duration::from_secs(600)).await;
    let over = Arc::new(AtomicBool::new(false));
    let mut viewers = Vec::new();
    for number in 0..20 {
        let viewer = stage.viewer(0, &format!("tv-{number}"));
        let (playback, first) = tune(&viewer, &stage.channel(1 + number % 2)).await;
        let over = Arc::clone(&over);
        viewers.push(tokio::spawn(async move {
            let (mut polls, mut newest) = (0, first.segments());
            while !over.load(Ordering::Relaxed) {
                let answer = poll(&viewer, &playback).await;
                assert_eq!(answer.status, 200);
                let listed = answer.segments();
                assert_eq!(listed.first(), newest.first(), "its place");
                assert!(listed.len() >= newest.len());
                newest = listed;
                polls += 1;
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
            polls
        }));
    }
    for change in 0..200_usize {
        stage.change(|config| {
            config.pool.slots = 2 + change % 3;
            config.status_fields = change % 2 == 0;
            config.trusted_proxies = vec![format!("10.0.{change}.0/24").parse().unwrap()];
            let mode = [Mode::Bypass, Mode::WarmOnly, Mode::Fresh][change % 3];
            let set = ClientSettings { mode: Some(mode), ..ClientSettings::default() };
            config.clients.rules = everybody(set);
        });
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    over.store(true, Ordering::Relaxed);
    for viewer in viewers {
        assert!(soon(viewer).await.unwrap() > 10);
    }
    assert_eq!(stage.origin().counts().tuners_open, 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_file_is_read_again_and_a_wrong_one_changes_nothing() {
    let origin = Origin::start(Settings::quick()).await.unwrap();
    let dir = tempfile::tempdir().unwrap();
    let write = |text: &str| fs::write(dir.path().join("gateway.yaml"), text).unwrap();
    write("status_fields: true\n");
    let program = Program::start(dir.path(), "127.0.0.1:0", &origin, &[]).await;
    let settings = Settings::quick();
    let item = origin.channels()[0].item_id.clone();
    let mut devices = 0..;
    let mut says = async || {
        let device = format!("tv-{}", devices.next().unwrap());
        let (_, answer) = tune(&program.viewer(&settings, &device), &item).await;
        !answer.field("cache-status").is_empty()
    };
    let mut read = 0;
    let mut logs = async |words: &str| {
        eventually(words, async || {
            let found = program.log.text()[read..].find(words);
            read += found.unwrap_or_default();
            found.is_some()
        })
        .await;
    };
    assert!(says().await);

    write("status_fields: never\n");
    program.signal(Signal::HUP);
    logs("gateway.yaml:1: status_fields: ").await;
    assert!(says().await);

    write("status_fields: false\nname: other\nlog: {level: debug}\n");
    program.signal(Signal::HUP);
    logs("keys=\"name\"").await;
    assert!(!says().await);
    logs("DEBUG").await;

    write("status_fields: true\n# a longer file, and nobody sends a signal\n");
    logs("cause=\"the file has changed\"").await;
    assert!(says().await);

    fs::remove_file(dir.path().join("gateway.yaml")).unwrap();
    program.signal(Signal::HUP);
    logs("is not there any more").await;
}

/// Where streams could be made when the gateway started, that can be given up and taken up again.
#[tokio::test(flavor = "multi_thread")]
async fn produce_may_change_where_ffmpeg_was_tested() {
    let mut stage = Stage::with(|_| (), |config| config.produce.default = Produce::Auto).await;
    for produce in [Produce::Adopt, Produce::Auto] {
        assert_eq!(stage.change(|config| config.produce.default = produce), [""; 0]);
    }
}
