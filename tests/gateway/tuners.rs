//! The server's tuners: their number is known, recordings get theirs, and what is warm is given up only for a shortage.

use std::time::Duration;

use domain::reason::{LimitSource, StopReason};
use domain::tuners::TunerLimit;
use jellyfin_alike::Settings;
use warmgate::config::Config;

use crate::support::stage::{Stage, tune, with_key};
use crate::support::wait::{eventually, soon};

/// A viewer zaps through the first channels, and leaves: all are warm. It reports as jellyfin-web does.
async fn warm(stage: &Stage, channels: usize) {
    let viewer = stage.viewer(0, "tv");
    for channel in 1..=channels {
        let (playback, _) = tune(&viewer, &stage.channel(channel)).await;
        soon(viewer.report(&playback, "Playing")).await.unwrap();
        soon(viewer.leave(&playback)).await.unwrap();
    }
    stage.deserted().await;
    eventually("all of them are warm", async || {
        stage.snapshot().tuners.idle == channels && stage.origin().counts().tuners_open == channels
    })
    .await;
}

async fn limit(stage: &Stage) -> TunerLimit {
    eventually("the limit is known", async || stage.snapshot().tuners.limit.is_some()).await;
    stage.snapshot().tuners.limit.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_server_says_how_many_tuners_it_has() {
    let settings = Settings::quick();
    let stage = Stage::with(|_| (), |config| with_key(config, &settings)).await;
    assert_eq!(
        limit(&stage).await,
        TunerLimit { count: 3, source: LimitSource::Server },
        "before anybody comes"
    );

    let stage = Stage::with(|settings| settings.tuners = 5, |config| config.tuners.limit = Some(4)).await;
    tune(&stage.viewer(0, "tv"), &stage.channel(1)).await;
    assert_eq!(limit(&stage).await, TunerLimit { count: 4, source: LimitSource::Configured });
    eventually("the operator's number is not all", async || !stage.asked("/Configuration/livetv").is_empty())
        .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dead_channel_costs_nothing_while_a_tuner_is_free() {
    let stage =
        Stage::with(|settings| settings.tuners = 6, |config: &mut Config| config.pool.slots = 6).await;
    warm(&stage, 5).await;
    limit(&stage).await;
    stage.origin().fail(6);
    assert!(soon(stage.viewer(0, "tv").open(&stage.channel(6))).await.is_err());
    tokio::time::sleep(Duration::from_millis(500)).await;
    assert_eq!(stage.snapshot().tally.stopped.get(&StopReason::TunerNeeded), None);
    assert_eq!(stage.origin().counts().tuners_open, 5);
}

/// Without a limit one idle channel shows that no tuner was short.
#[tokio::test(flavor = "multi_thread")]
async fn a_dead_channel_costs_one_at_most_where_the_limit_is_unknown() {
    let settings = |settings: &mut Settings| {
        (settings.tuners, settings.tells_tuners) = (6, false);
    };
    let stage = Stage::with(settings, |config: &mut Config| config.pool.slots = 6).await;
    warm(&stage, 5).await;
    stage.origin().fail(6);
    for _ in 0..3 {
        assert!(soon(stage.viewer(0, "tv").open(&stage.channel(6))).await.is_err());
    }
    assert_eq!(stage.snapshot().tally.stopped.get(&StopReason::TunerNeeded), Some(&1));
    assert_eq!(stage.origin().counts().tuners_open, 4);
}
