//! A gateway that was killed: after its restart it closes what it had open at the server.

use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::support::program::Program;
use crate::support::stage::{Stage, tune};
use crate::support::wait::{eventually, soon};
use jellyfin_alike::viewer::Viewer;
use jellyfin_alike::{Origin, Settings, Version};

/// Starts the real program, which adopts its streams.
async fn start(state: &Path, listen: &str, settings: &Settings, origin: &Origin, with_key: bool) -> Program {
    let mut environment = vec![
        ("WARMGATE__UPSTREAM__COLD_TIMEOUT", "3s"),
        ("WARMGATE__PRODUCE__DEFAULT", "adopt"),
        ("WARMGATE__VIEWERS__UNFOLLOWED", "3s"),
    ];
    if with_key {
        environment.push(("WARMGATE__UPSTREAM__API_KEY", &settings.api_key));
    }
    Program::start(state, listen, origin, &environment).await
}

async fn killed_and_started_again(with_key: bool) {
    let state = tempfile::tempdir().unwrap();
    let settings = Settings::quick();
    let origin = Origin::start(settings.clone()).await.unwrap();
    let channels = origin.channels();

    let mut first = start(state.path(), "127.0.0.1:0", &settings, &origin, with_key).await;
    let viewer = first.viewer(&settings, "tv");
    let (playback, _) = tune(&viewer, &channels[0].item_id).await;
    eventually("the gateway holds it too", async || origin.counts().opens == 2).await;
    soon(viewer.leave(&playback)).await.unwrap();
    assert_eq!((origin.counts().tuners_open, origin.counts().jobs), (1, 1), "only the gateway is left");
    first.kill().await;
    assert_eq!((origin.counts().tuners_open, origin.counts().jobs), (1, 1), "nobody told the server");

    let second = start(state.path(), &first.address, &settings, &origin, with_key).await;
    let others = if with_key {
        0
    } else {
        // Without an API key it waits for a viewer whose token it can use.
        tune(&second.viewer(&settings, "tv"), &channels[1].item_id).await;
        1
    };
    eventually("what was left is closed", async || {
        let counts = origin.counts();
        counts.tuners_open == others && counts.jobs == others
    })
    .await;
    assert!(!origin.counts().consumers.contains_key(&playback.live_stream));
    let left = ledger_in(state.path());
    eventually("it is struck out", async || {
        let noted: serde_json::Value = serde_json::from_slice(&std::fs::read(&left).unwrap()).unwrap();
        // Except for the openings of the present viewer.
        noted.as_object().unwrap().values().filter(|entry| entry["client"].is_null()).count() == others
            && noted.as_object().unwrap().len() <= 2 * others
    })
    .await;
    assert!(!std::fs::read_to_string(left).unwrap().contains(settings.users[0].token()));
}

/// The file that records what is open. Other state, and files that are being written, may lie beside it.
fn ledger_in(state: &Path) -> PathBuf {
    let files = std::fs::read_dir(state).unwrap().map(|entry| entry.unwrap().path());
    let is_ledger = |path: &PathBuf| {
        path.file_name().unwrap().to_string_lossy().starts_with("open-")
            && path.extension().is_some_and(|it| it == "json")
    };
    files.into_iter().find(is_ledger).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn with_a_key_of_its_own_it_closes_at_once() {
    killed_and_started_again(true).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn without_one_it_closes_with_the_first_viewers_token() {
    killed_and_started_again(false).await;
}

/// Whether the end of a job gives a consumer back depends on the version. A job that had yet to start gives nothing back.
#[tokio::test(flavor = "multi_thread")]
async fn what_was_held_for_a_job_that_had_yet_to_start_is_closed() {
    for version in [Version::V12, Version::V10_11] {
        let state = tempfile::tempdir().unwrap();
        let mut settings = Settings { version, ..Settings::quick() };
        settings.delays.analyze = Duration::from_secs(5);
        let origin = Origin::start(settings.clone()).await.unwrap();
        let mut first = start(state.path(), "127.0.0.1:0", &settings, &origin, true).await;
        let viewer = first.viewer(&settings, "tv");
        let playback = soon(viewer.open(&origin.channels()[0].item_id)).await.unwrap();
        let polling = tokio::spawn(async move { drop(viewer.poll(&playback).await) });
        eventually("the gateway holds it too", async || origin.counts().opens == 2).await;
        tokio::time::sleep(Duration::from_millis(200)).await;
        first.kill().await;
        soon(polling).await.unwrap();
        let _second = start(state.path(), &first.address, &settings, &origin, true).await;
        eventually("both are closed", async || origin.counts().tuners_open == 0).await;
    }
}

/// Gateway and server die together, and the channel is opened anew before the gateway is back: whose that is now cannot be told where
/// openings have no names.
#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_shown_to_be_the_same_is_not_closed() {
    for shares_raw_streams in [true, false] {
        let state = tempfile::tempdir().unwrap();
        let settings = Settings { version: Version::V10_11, shares_raw_streams, ..Settings::quick() };
        let origin = Origin::start(settings.clone()).await.unwrap();
        let mut first = start(state.path(), "127.0.0.1:0", &settings, &origin, true).await;
        let viewer = first.viewer(&settings, "tv");
        let (playback, _) = tune(&viewer, &origin.channels()[0].item_id).await;
        eventually("the gateway holds it too", async || origin.counts().opens == 2).await;
        first.kill().await;
        let settings = origin.kill().await;
        let origin = Origin::start(settings.clone()).await.unwrap();
        let user = &settings.users[0];
        let direct = Viewer::new(format!("http://{}", origin.addr()), user.token(), &user.id, "phone");
        soon(direct.open(&playback.item)).await.unwrap();
        let _second = start(state.path(), &first.address, &settings, &origin, true).await;
        let left = ledger_in(state.path());
        eventually("the gateway's own are struck out", async || {
            let noted: serde_json::Value = serde_json::from_slice(&std::fs::read(&left).unwrap()).unwrap();
            noted.as_object().unwrap().values().all(|entry| !entry["client"].is_null())
        })
        .await;
        assert_eq!(origin.counts().consumers.get(&playback.live_stream), Some(&1), "{shares_raw_streams}");
    }
}

/// A client's opening from before the kill is given back unless the client goes on with it.
#[tokio::test(flavor = "multi_thread")]
async fn what_clients_had_opened_is_waited_for_and_given_back() {
    let state = tempfile::tempdir().unwrap();
    let settings = Settings { version: Version::V10_11, ..Settings::quick() };
    let origin = Origin::start(settings.clone()).await.unwrap();
    let channels = origin.channels();
    let mut first = start(state.path(), "127.0.0.1:0", &settings, &origin, true).await;
    let viewer = first.viewer(&settings, "tv");
    let followed = soon(viewer.open(&channels[0].item_id)).await.unwrap();
    let forgotten = soon(first.viewer(&settings, "phone").open(&channels[1].item_id)).await.unwrap();
    first.kill().await;

    let second = start(state.path(), &first.address, &settings, &origin, true).await;
    let viewer = second.viewer(&settings, "tv");
    soon(viewer.report(&followed, "Playing")).await.unwrap();
    assert_eq!(origin.counts().consumers.len(), 2, "neither is closed at once");
    eventually("it is given back", async || !origin.counts().consumers.contains_key(&forgotten.live_stream))
        .await;
    assert_eq!(origin.counts().consumers.get(&followed.live_stream), Some(&1));
    soon(viewer.leave(&followed)).await.unwrap();
    let left = ledger_in(state.path());
    eventually("both are struck out", async || std::fs::read_to_string(&left).unwrap() == "{}").await;
}

/// A token is revoked past the gateway: what was opened with it is closed with the next viewer's token.
#[tokio::test(flavor = "multi_thread")]
async fn what_no_token_could_close_waits_for_one() {
    // On this version a job that dies of silence gives nothing back, so the gateway has to.
    let settings = |settings: &mut Settings| settings.version = Version::V10_11;
    let stage = Stage::with(settings, |config| config.pool.idle_timeout = Duration::from_secs(2)).await;
    let alice = stage.viewer(0, "tv");
    let (playback, _) = tune(&alice, &stage.channel(1)).await;
    eventually("the gateway holds it too", async || stage.origin().counts().opens == 2).await;
    soon(alice.report(&playback, "Playing")).await.unwrap();
    soon(alice.leave(&playback)).await.unwrap();
    let logout = stage.direct(0, "tv");
    soon(logout.post("/Sessions/Logout", &serde_json::Value::Null)).await.unwrap();
    eventually("it is given up", async || stage.snapshot().streams.is_empty()).await;
    assert_eq!(stage.origin().counts().consumers.get(&playback.live_stream), Some(&1));
    tune(&stage.viewer(1, "phone"), &stage.channel(2)).await;
    eventually("what was left is closed", async || {
        !stage.origin().counts().consumers.contains_key(&playback.live_stream)
    })
    .await;
    assert_eq!(stage.origin().counts().tuners_open, 1);
}

/// The gateway is stopped while the server opens a channel, and then its client hangs up.
#[tokio::test(flavor = "multi_thread")]
async fn an_opening_under_way_at_a_stop_is_given_back_before_the_end() {
    let state = tempfile::tempdir().unwrap();
    let mut settings = Settings::quick();
    settings.delays.probe = Duration::from_secs(2);
    let origin = Origin::start(settings.clone()).await.unwrap();
    let mut gateway = start(state.path(), "127.0.0.1:0", &settings, &origin, true).await;
    let (viewer, item) = (gateway.viewer(&settings, "phone"), origin.channels()[0].item_id.clone());
    let opening = tokio::spawn(async move { viewer.open(&item).await.map_err(|error| error.to_string()) });
    eventually("it is tuned", async || origin.counts().tuners_open == 1).await;
    let address = gateway.address.clone();
    let hang_up = async {
        eventually("it stops", async || tokio::net::TcpStream::connect(&address).await.is_err()).await;
        opening.abort();
    };
    let (ended, ()) = tokio::join!(gateway.terminate(), hang_up);
    assert!(ended.success());
    assert_eq!(origin.counts().tuners_open, 0);
}
