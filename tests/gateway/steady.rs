//! What a viewer was given under a URL goes on while it polls, whatever fails meanwhile.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use domain::produce::Produce;
use http::StatusCode;
use jellyfin_alike::viewer::Playback;
use jellyfin_alike::{Origin, Settings};
use tokio::time::timeout;
use warmgate::config::Config;

use crate::support::stage::{Stage, delaying, is_hit, is_ours, poll, tune};
use crate::support::wait::{eventually, soon};
use crate::support::watch::Watch;

/// A stage whose server is slow to say who somebody is while the flag is set.
async fn busy_at_times(config: impl FnOnce(&mut Config)) -> (Stage, Arc<AtomicBool>) {
    let (settings, busy) = (Settings::quick(), Arc::new(AtomicBool::new(false)));
    let origin = Origin::start(settings.clone()).await.unwrap();
    let is_busy = Arc::clone(&busy);
    let delay =
        move || if is_busy.load(Ordering::Relaxed) { Duration::from_secs(60) } else { Duration::ZERO };
    let upstream = delaying(origin.addr(), "/users/me", delay).await;
    (Stage::before(origin, &settings, &upstream.to_string(), config).await, busy)
}

/// Who is given the server's own stream because the server was too busy to say who that is goes on with it.
#[tokio::test(flavor = "multi_thread")]
async fn the_servers_stream_goes_on_once_the_server_says_who_plays_it() {
    let (stage, busy) = busy_at_times(|_| ()).await;
    busy.store(true, Ordering::Relaxed);
    let viewer = stage.viewer(0, "tv");
    let (playback, first) = tune(&viewer, &stage.channel(1)).await;
    assert!(first.field("cache-status").contains("auth-unknown"), "{}", first.field("cache-status"));
    busy.store(false, Ordering::Relaxed);
    eventually("the server is asked again, and answers", async || {
        let answer = poll(&viewer, &playback).await;
        assert!(!is_ours(&answer), "{}", answer.text());
        stage.asked("/Users/Me").iter().any(|seen| seen.status == Some(200) && seen.query.contains("ApiKey"))
    })
    .await;
    for _ in 0..3 {
        let answer = poll(&viewer, &playback).await;
        assert!(
            !is_ours(&answer) && !answer.field("cache-status").contains("auth-unknown"),
            "{}",
            answer.text()
        );
    }
}

/// A phone leaves the Wi-Fi while the server is busy: its requests come from an address that the server has not judged yet.
#[tokio::test(flavor = "multi_thread")]
async fn our_stream_goes_on_for_a_viewer_whose_address_changes() {
    let trusting = |config: &mut Config| config.trusted_proxies.push("127.0.0.1/32".parse().unwrap());
    let (stage, busy) = busy_at_times(trusting).await;
    let viewer = stage.viewer(0, "phone").from("192.0.2.1");
    let (playback, first) = tune(&viewer, &stage.channel(1)).await;
    assert!(is_ours(&first), "{}", first.field("cache-status"));
    busy.store(true, Ordering::Relaxed);
    let moved = viewer.clone().from("198.51.100.7");
    let answer = poll(&moved, &playback).await;
    assert!(is_ours(&answer), "{}", answer.field("cache-status"));
    // The token of one that plays opens nothing to another who holds it.
    let thief = stage.viewer(0, "laptop").from("203.0.113.9");
    let stolen = soon(thief.open(&stage.channel(1))).await.unwrap();
    let answer = poll(&thief, &stolen).await;
    assert!(!is_ours(&answer), "{}", answer.field("cache-status"));
}

/// The gateway is started again, and the viewer's opening is gone: its WebSocket broke with the gateway.
#[tokio::test(flavor = "multi_thread")]
async fn a_viewer_survives_a_restart_of_the_gateway() {
    let stage = Stage::quick().await;
    let (playback, first) = tune(&stage.viewer(0, "tv"), &stage.channel(1)).await;
    stage.shut_down().await;
    let close = format!("/LiveStreams/Close?liveStreamId={}", playback.live_stream);
    soon(stage.direct(0, "tv").post(&close, &serde_json::Value::Null)).await.unwrap();
    stage.nothing_open().await;
    let stage = stage.again(|_| ()).await;
    let answer = poll(&stage.viewer(0, "tv"), &playback).await;
    assert!(is_ours(&answer), "{} {}", answer.status, answer.field("cache-status"));
    let sequence = "EXT-X-MEDIA-SEQUENCE";
    assert!(answer.tag(sequence) > first.tag(sequence), "{}", answer.text());
}

/// Gateway and server were both restarted, and the server is the later one: jellyfin-web gives up at the first 502.
#[tokio::test(flavor = "multi_thread")]
async fn a_viewer_waits_for_a_server_that_is_away() {
    let stage = Stage::quick().await;
    let (playback, first) = tune(&stage.viewer(0, "tv"), &stage.channel(1)).await;
    stage.shut_down().await;
    let mut stage = stage.again(|_| ()).await;
    let settings = stage.kill_origin().await;
    let viewer = stage.viewer(0, "tv");
    let unknown =
        Playback { playlist: playback.playlist.replace("PlaySessionId=", "X="), ..playback.clone() };
    assert_eq!(poll(&viewer, &unknown).await.status, StatusCode::BAD_GATEWAY, "only who plays waits");
    let (answer, ()) = tokio::join!(poll(&viewer, &playback), stage.restart_origin(settings));
    assert!(is_ours(&answer), "{} {}", answer.status, answer.field("cache-status"));
    assert!(answer.tag("EXT-X-MEDIA-SEQUENCE") > first.tag("EXT-X-MEDIA-SEQUENCE"), "{}", answer.text());
}

/// A stage whose server takes this long to answer the `nth` request that starts a job; the gateway's warm-up request is the 0th.
async fn slow_to_start(nth: usize, delay: Duration, config: impl FnOnce(&mut Config)) -> Stage {
    let settings = Settings::quick();
    let origin = Origin::start(settings.clone()).await.unwrap();
    let requests = Arc::new(AtomicUsize::new(0));
    let delay = move || if requests.fetch_add(1, Ordering::Relaxed) == nth { delay } else { Duration::ZERO };
    let upstream = delaying(origin.addr(), "/live.m3u8", delay).await;
    Stage::before(origin, &settings, &upstream.to_string(), config).await
}

/// hls.js ends a request without an answer after a while, and repeats it.
#[tokio::test(flavor = "multi_thread")]
async fn a_request_that_is_repeated_joins_the_same_start() {
    let stage = slow_to_start(1, Duration::from_secs(4), |_| ()).await;
    let viewer = stage.viewer(0, "tv");
    let playback = soon(viewer.open(&stage.channel(1))).await.unwrap();
    for _ in 0..2 {
        timeout(Duration::from_secs(1), viewer.poll(&playback)).await.unwrap_err();
    }
    let answer = poll(&viewer, &playback).await;
    assert!(is_ours(&answer), "{} {}", answer.status, answer.field("cache-status"));
    assert_eq!((stage.asked("/live.m3u8").len(), stage.origin().counts().jobs_started), (1, 1));
}

/// Its wait ends when that of the first request would have.
#[tokio::test(flavor = "multi_thread")]
async fn a_request_that_is_repeated_is_one_wait() {
    let cold_timeout = Duration::from_secs(8);
    let stage =
        slow_to_start(1, Duration::from_secs(60), |config| config.upstream.cold_timeout = cold_timeout).await;
    let viewer = stage.viewer(0, "tv");
    let playback = soon(viewer.open(&stage.channel(1))).await.unwrap();
    timeout(cold_timeout * 3 / 4, viewer.poll(&playback)).await.unwrap_err();
    let answer = poll(&viewer, &playback).await;
    assert!(answer.field("cache-status").contains("cold-timeout"), "{}", answer.field("cache-status"));
    assert_eq!(answer.status, StatusCode::OK, "the server's own");
    assert!(answer.took < cold_timeout, "{:?}", answer.took);
}

/// A start is lost, as by a server that restarts, while somebody plays: the next is tried before the player gives up.
#[tokio::test(flavor = "multi_thread")]
async fn a_start_that_takes_much_longer_than_the_one_before_is_tried_again() {
    let adopted = |config: &mut Config| config.produce.default = Produce::Adopt;
    let stage = slow_to_start(2, Duration::from_secs(3600), adopted).await;
    let mut watch = Watch::begin(stage.viewer(0, "tv"), &stage.channel(1)).await;
    let own = stage.own_play_sessions().remove(0);
    let direct = stage.direct(1, "admin");
    soon(direct.leave(&Playback { play_session: own, ..watch.playback.clone() })).await.unwrap();
    watch.resume(Duration::from_secs(28)).await;
}

/// A newcomer waits for the next generation of a stream as for a cold start, and no longer.
#[tokio::test(flavor = "multi_thread")]
async fn a_newcomer_waits_for_a_failed_stream_no_longer_than_for_a_cold_start() {
    let cold_timeout = Duration::from_secs(4);
    let stage =
        slow_to_start(2, Duration::from_secs(3600), |config| config.upstream.cold_timeout = cold_timeout)
            .await;
    let (alice, bob) = (stage.viewer(0, "tv"), stage.viewer(1, "phone"));
    let (playback, _) = tune(&alice, &stage.channel(1)).await;
    let bobs = soon(bob.open(&stage.channel(1))).await.unwrap();
    let own = stage.own_play_sessions().remove(0);
    soon(stage.direct(1, "admin").leave(&Playback { play_session: own, ..playback.clone() })).await.unwrap();
    eventually("the stream has failed", async || {
        assert!(is_hit(&poll(&alice, &playback).await), "who plays keeps its list");
        !stage.snapshot().tally.failures.is_empty()
    })
    .await;
    let answer = poll(&bob, &bobs).await;
    assert!(answer.field("cache-status").contains("cold-timeout"), "{}", answer.field("cache-status"));
    assert!(cold_timeout <= answer.took && answer.took < 2 * cold_timeout, "{:?}", answer.took);
}

/// A source is dead for a while: who plays goes on with the list, who comes waits for what is new.
#[tokio::test(flavor = "multi_thread")]
async fn a_dead_stream_is_no_hit() {
    for produce in [Produce::Auto, Produce::Own] {
        newcomers_wait_for_a_dead_stream(produce).await;
    }
}

async fn newcomers_wait_for_a_dead_stream(produce: Produce) {
    let stage = Stage::with(|_| (), |config| config.produce.default = produce).await;
    let (alice, bob) = (stage.viewer(0, "tv"), stage.viewer(1, "phone"));
    let (playback, _) = tune(&alice, &stage.channel(1)).await;
    stage.origin().stall(1);
    eventually("the stream has failed", async || !stage.snapshot().tally.failures.is_empty()).await;
    let old = poll(&alice, &playback).await;
    assert!(is_hit(&old), "who plays keeps its list: {}", old.field("cache-status"));
    let newest = old.tag("EXT-X-MEDIA-SEQUENCE").unwrap() + old.segments().len() as u64 - 1;
    let playback = soon(bob.open(&stage.channel(1))).await.unwrap();
    let joining = tokio::spawn(async move { poll(&bob, &playback).await });
    eventually("bob waits", async || stage.snapshot().present() == 2).await;
    stage.origin().recover(1);
    let joined = soon(joining).await.unwrap();
    assert!(is_ours(&joined) && !is_hit(&joined), "{}", joined.field("cache-status"));
    assert!(joined.tag("EXT-X-MEDIA-SEQUENCE") > Some(newest), "{}", joined.text());
}
