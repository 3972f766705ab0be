//! A task dies without which the gateway does not work.

use std::path::Path;
use std::time::Duration;

use serde_json::Value;
use warmgate::config::{Config, Secret, ThriftChoice};

use crate::support::stage::{Stage, tune};
use crate::support::wait::{eventually, soon};
use jellyfin_alike::Settings;

/// No clock can add this time to the present: the driver panics over it at each of its turns. No configuration file can give it.
const BEYOND_TIME: Duration = Duration::MAX;

fn noted(folder: &Path) -> Vec<Value> {
    let mut files = std::fs::read_dir(folder).unwrap().map(|file| file.unwrap().path());
    let ledger = files.find(|path| path.to_string_lossy().contains("open-")).unwrap();
    let noted: Value = serde_json::from_slice(&std::fs::read(ledger).unwrap()).unwrap();
    noted.as_object().unwrap().values().cloned().collect()
}

/// It ends with an error for the supervisor of processes to start it again. What the gateway holds is given back; what a client has
/// opened, and may go on with, stands in the ledger, and the next process settles it within `viewers.unfollowed`.
#[tokio::test(flavor = "multi_thread")]
async fn a_driver_that_dies_ends_the_gateway_and_leaves_nothing_open_for_good() {
    let folder = tempfile::tempdir().unwrap();
    let key = Settings::quick().api_key;
    let remembering = |config: &mut Config| {
        config.state_dir = Some(folder.path().to_owned());
        config.upstream.api_key = Some(Secret::new(&key));
    };
    let stage = Stage::with(
        |_| (),
        |config| {
            remembering(config);
            config.viewers.unfollowed = BEYOND_TIME;
        },
    )
    .await;
    let origin = stage.origin();
    // The driver dies of the opening, and the gateway may end before the client has asked for anything else.
    let _ = soon(stage.viewer(0, "tv").open(&stage.channel(1))).await;
    let error = stage.ended().await.unwrap_err();
    assert!(error.to_string().contains("driver"), "{error}");
    assert_eq!(origin.counts().jobs, 0);
    let consumers: Vec<_> = origin.counts().consumers.into_iter().collect();
    let [(live_stream, 1)] = &*consumers else { panic!("not the client's own alone: {consumers:?}") };
    let entries = noted(folder.path());
    assert_eq!(entries.len(), 1, "{entries:?}");
    assert_eq!(entries[0]["live_stream"], live_stream.as_str());
    assert!(!entries[0]["client"].is_null());
    let port = stage.base.rsplit(':').next().unwrap().to_owned();
    let next = stage
        .again(|config| {
            remembering(config);
            config.viewers.unfollowed = Duration::from_secs(1);
            // The port names the ledger; elsewhere than there, where anybody may have got it meanwhile.
            config.listen = format!("127.0.0.2:{port}").parse().unwrap();
        })
        .await;
    next.nothing_open().await;
    eventually("it is struck out", async || noted(folder.path()).is_empty()).await;
}

/// What the gateway holds is given back by a driver that lives again and again for as long as that takes.
#[tokio::test(flavor = "multi_thread")]
async fn a_driver_that_dies_gives_back_what_is_warm() {
    let config = |config: &mut Config| {
        // Else it would look at the channel before.
        config.pool.thrift = ThriftChoice::Lru;
        config.pool.idle_timeout = BEYOND_TIME;
    };
    let stage = Stage::with(|_| (), config).await;
    let viewer = stage.viewer(0, "tv");
    let (playback, _) = tune(&viewer, &stage.channel(1)).await;
    soon(viewer.report(&playback, "Playing")).await.unwrap();
    soon(viewer.leave(&playback)).await.unwrap();
    stage.ended().await.unwrap_err();
    let counts = stage.origin().counts();
    assert_eq!((counts.tuners_open, counts.jobs, counts.jobs_started), (0, 0, 1));
}
