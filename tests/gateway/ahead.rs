//! Channels that are opened before anybody has asked for them, because a viewer is likely to go there next.

use std::net::SocketAddr;
use std::time::Duration;

use domain::produce::Produce;
use http::{Method, StatusCode};
use jellyfin_alike::{Settings, Version};
use serde_json::Value;

use crate::support::admin::{ask, read};
use crate::support::stage::{Stage, is_ours, tune, with_key};
use crate::support::wait::{eventually, soon};

/// A gateway with a key of its own and an API, before a server that takes its time to open a channel. Channel 5 is never opened ahead.
async fn stage() -> (Stage, SocketAddr) {
    let mut asked = Settings { version: Version::V12, tuners: 8, ..Settings::quick() };
    asked.delays.open = Duration::from_millis(2500);
    let config = |config: &mut warmgate::config::Config| {
        with_key(config, &asked);
        config.admin.enabled = true;
        config.produce.default = Produce::Auto;
        config.pool.slots = 9;
        config.pool.never_ahead = vec!["5".to_owned()];
    };
    let stage = Stage::with(|settings| *settings = asked.clone(), config).await;
    let admin = stage.admin.unwrap();
    (stage, admin)
}

/// A guest watches a channel, so that it is known how quickly the server opens that.
async fn is_opened_once(stage: &Stage, admin: SocketAddr, channel: usize) {
    let guest = stage.viewer(1, "guest");
    let (playback, _) = tune(&guest, &stage.channel(channel)).await;
    soon(guest.report(&playback, "Playing")).await.unwrap();
    soon(guest.leave(&playback)).await.unwrap();
    let stream = read(admin, "/api/v1/streams").await[0]["id"].clone();
    let stop = format!("/api/v1/streams/{stream}/stop");
    assert_eq!(ask(admin, &Method::POST, &stop, &[]).await.0, StatusCode::NO_CONTENT);
    stage.nothing_open().await;
}

/// The last of a channel in a list.
fn of(list: &Value, item: &str) -> Option<Value> {
    list.as_array().unwrap().iter().rfind(|one| one["channel"]["item"] == *item).cloned()
}

#[tokio::test(flavor = "multi_thread")]
async fn who_steps_through_the_channels_finds_the_next_one_open() {
    let (stage, admin) = stage().await;
    for channel in [5, 6] {
        is_opened_once(&stage, admin, channel).await;
    }
    let (viewer, last) = (stage.viewer(0, "tv"), stage.channel(6));
    for channel in 1..=5 {
        assert_eq!(of(&read(admin, "/api/v1/state").await["warmed_up"], &stage.channel(5)), None);
        let (playback, list) = tune(&viewer, &stage.channel(channel)).await;
        assert!(is_ours(&list), "{}", list.field("cache-status"));
        soon(viewer.report(&playback, "Playing")).await.unwrap();
    }
    let warmed_up = async || of(&read(admin, "/api/v1/state").await["warmed_up"], &last);
    eventually("the next one is open", async || {
        warmed_up().await.is_some_and(|warmed| warmed["ready"] == true)
    })
    .await;
    let warmed = warmed_up().await.unwrap();
    let why = warmed["why"].as_str().unwrap();
    assert!(
        why.starts_with("somebody, most likely tv, comes within ") && why.contains("which spares "),
        "{why}"
    );
    assert_eq!(warmed["by"], "foresight");
    let decisions = read(admin, "/api/v1/decisions").await;
    let start = of(&decisions, &last).unwrap();
    assert_eq!((&start["verdict"], &start["device"]), (&"start-ahead".into(), &"tv".into()));
    assert!(start["worth"].as_f64() > start["price"].as_f64(), "{start}");
    assert!(of(&decisions, &stage.channel(5)).is_some(), "it would have been worth it");
    let (playback, list) = tune(&viewer, &last).await;
    assert!(is_ours(&list), "{}", list.field("cache-status"));
    soon(viewer.listed(&list, &list.segments()[0])).await.unwrap();
    eventually("the zap was one to a channel that was near", async || {
        soon(viewer.poll(&playback)).await.unwrap();
        let zaps = read(admin, "/api/v1/zaps").await;
        of(&zaps["zaps"], &last).is_some_and(|_| {
            let zaps = zaps["zaps"].as_array().unwrap();
            zaps.iter().any(|zap| zap["device"] == "tv" && zap["outcome"] == "near")
        })
    })
    .await;
}
