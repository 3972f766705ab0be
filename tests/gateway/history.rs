//! What is remembered of what was watched, as the API shows it.

use http::{Method, StatusCode};
use jellyfin_alike::Settings;
use jellyfin_alike::viewer::Viewer;
use tempfile::TempDir;

use crate::support::admin::{ask, read};
use crate::support::stage::{Stage, is_ours, tune, with_key};
use crate::support::wait::{eventually, soon};

/// Tunes, has a picture, and plays on.
async fn watches(viewer: &Viewer, item: &str) {
    let (playback, list) = tune(viewer, item).await;
    assert!(is_ours(&list), "{}", list.field("cache-status"));
    soon(viewer.listed(&list, &list.segments()[0])).await.unwrap();
    soon(viewer.poll(&playback)).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_watched_can_be_asked_for() {
    let (state, asked) = (TempDir::new().unwrap(), Settings::quick());
    let stage = Stage::with(
        |settings| *settings = asked.clone(),
        |config| {
            with_key(config, &asked);
            config.admin.enabled = true;
            config.state_dir = Some(state.path().to_owned());
        },
    )
    .await;
    let admin = stage.admin.unwrap();
    let (viewer, items) = (stage.viewer(0, "tv"), [stage.channel(1), stage.channel(2)]);
    for item in &items {
        watches(&viewer, item).await;
    }
    let mut shown = serde_json::Value::Null;
    eventually("both changes of channel are written", async || {
        shown = read(admin, "/api/v1/history").await;
        shown[0]["outcome"].is_string() && shown[1]["outcome"].is_string()
    })
    .await;
    assert_eq!(shown.as_array().unwrap().len(), 2, "{shown}");
    assert_eq!((&shown[0]["item"], &shown[1]["item"]), (&items[1].clone().into(), &items[0].clone().into()));
    assert_eq!((&shown[1]["how"], &shown[1]["outcome"]), (&"on".into(), &"cold".into()), "{shown}");
    assert_eq!(shown[1]["ended"], shown[0]["began"]);
    assert!(shown[0]["ended"].is_null() && shown[0]["waited"].as_f64() > Some(0.0), "{shown}");
    assert_ne!(shown[0]["device"], "tv", "it is a fingerprint");

    let of_first = format!("/api/v1/history?channel={}&limit=5", items[0]);
    assert_eq!(read(admin, &of_first).await, serde_json::json!([shown[1]]));
    let before = format!("/api/v1/history?before={}", shown[0]["began"].as_str().unwrap());
    assert_eq!(read(admin, &before).await, serde_json::json!([shown[1]]));
    let wrong = ask(admin, &Method::GET, "/api/v1/history?limit=all", &[]).await;
    assert_eq!(wrong.0, StatusCode::BAD_REQUEST, "{}", wrong.2);
    let token = asked.users[0].token();
    for file in std::fs::read_dir(state.path()).unwrap().map(|entry| entry.unwrap().path()) {
        if file.is_file() {
            let bytes = std::fs::read(&file).unwrap();
            let holds = bytes.windows(token.len()).any(|window| window == token.as_bytes());
            assert!(!holds, "a token in {}", file.display());
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_place_nothing_is_remembered_and_nobody_minds() {
    let stage = Stage::with(|_| (), |config| config.admin.enabled = true).await;
    watches(&stage.viewer(0, "tv"), &stage.channel(1)).await;
    let answer = ask(stage.admin.unwrap(), &Method::GET, "/api/v1/history", &[]).await;
    assert_eq!(answer.0, StatusCode::NOT_FOUND, "{}", answer.2);
}
