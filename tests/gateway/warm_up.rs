//! Channels that are warmed up before anybody has asked for them: over the API, at the demo origin with real FFmpeg.

use std::net::SocketAddr;
use std::time::Duration;

use domain::produce::Produce;
use http::{Method, StatusCode};
use jellyfin_alike::{Settings, Version};
use warmgate::config::Config;

use crate::support::admin::{ask, read};
use crate::support::stage::{Stage, VERSIONS, is_ours, tune, with_key};
use crate::support::wait::{eventually, soon};

/// A gateway with a key of its own and an API, before a server with so many tuners.
async fn stage(version: Version, tuners: usize) -> (Stage, SocketAddr) {
    let asked = Settings { version, tuners, ..Settings::quick() };
    let config = |config: &mut Config| {
        with_key(config, &asked);
        config.admin.enabled = true;
        config.produce.default = Produce::Auto;
        config.warm.feed = Duration::from_secs(5);
    };
    let stage = Stage::with(|settings| *settings = asked.clone(), config).await;
    let admin = stage.admin.unwrap();
    (stage, admin)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_channel_has_a_picture_before_anybody_has_watched_it() {
    for version in VERSIONS {
        let (stage, admin) = stage(version, 3).await;
        let channel = format!("/api/v1/channels/{}", stage.channel(1));
        assert_eq!(ask(admin, &Method::GET, &format!("{channel}/ready"), &[]).await.0, StatusCode::NOT_FOUND);
        let (status, _, warmed) = ask(admin, &Method::POST, &format!("{channel}/warm"), &[]).await;
        assert_eq!(status, StatusCode::ACCEPTED, "{warmed}");
        eventually("it is ready", async || {
            let (status, _, text) = ask(admin, &Method::GET, &format!("{channel}/ready"), &[]).await;
            assert!(matches!(status, StatusCode::OK | StatusCode::SERVICE_UNAVAILABLE), "{status} {text}");
            status == StatusCode::OK
        })
        .await;
        assert_eq!(stage.origin().counts().tuners_open, 1);
        let viewer = stage.viewer(0, "tv");
        let (playback, list) = tune(&viewer, &stage.channel(1)).await;
        assert!(is_ours(&list), "{}", list.field("cache-status"));
        soon(viewer.report(&playback, "Playing")).await.unwrap();
        assert_eq!(read(admin, &channel).await["warmth"], "stream");
        soon(viewer.leave(&playback)).await.unwrap();
        stage.nothing_open().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_warmed_up_is_given_back_and_costs_nobody_a_tuner() {
    let (stage, admin) = stage(Version::V12, 2).await;
    let warm = |number| format!("/api/v1/channels/{}/warm", stage.channel(number));
    let release = format!("/api/v1/channels/{}/release", stage.channel(1));
    assert_eq!(ask(admin, &Method::POST, &warm(1), &[]).await.0, StatusCode::ACCEPTED);
    eventually("it is open", async || stage.origin().counts().tuners_open == 1).await;
    assert_eq!(ask(admin, &Method::POST, &release, &[]).await.0, StatusCode::NO_CONTENT);
    eventually("it is given back", async || stage.origin().counts().tuners_open == 0).await;
    // The gateway may not have heard so yet, and holds no tuner twice.
    eventually("and may be opened again", async || {
        ask(admin, &Method::POST, &warm(1), &[]).await.0 == StatusCode::ACCEPTED
    })
    .await;
    eventually("it is open", async || stage.origin().counts().tuners_open == 1).await;
    eventually("the number of tuners is known", async || read(admin, "/api/v1/tuners").await["limit"] == 2)
        .await;
    let (status, _, text) = ask(admin, &Method::POST, &warm(2), &[]).await;
    assert_eq!(status, StatusCode::CONFLICT, "{text}");
    let unknown = format!("/api/v1/channels/{}/warm", "0".repeat(32));
    assert_eq!(ask(admin, &Method::POST, &unknown, &[]).await.0, StatusCode::NOT_FOUND);
    // Two viewers want both tuners.
    let (one, two) = (stage.viewer(0, "tv"), stage.viewer(1, "phone"));
    let first = tune(&one, &stage.channel(2)).await.0;
    let second = tune(&two, &stage.channel(3)).await.0;
    assert_eq!(read(admin, "/api/v1/state").await["warmed_up"], serde_json::json!([]));
    for (viewer, playback) in [(one, first), (two, second)] {
        soon(viewer.report(&playback, "Playing")).await.unwrap();
        soon(viewer.leave(&playback)).await.unwrap();
    }
    assert_eq!(ask(admin, &Method::POST, &release, &[]).await.0, StatusCode::NOT_FOUND, "it has gone");
}
