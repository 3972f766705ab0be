//! Adopted streams: a cold channel is started once, outlives its first viewer, and is warm for the next one. A client
//! without the right to it is refused.

use std::time::Duration;

use domain::reason::{RefuseReason, StopReason};
use futures_util::future::join_all;
use http::StatusCode;
use jellyfin_alike::viewer::{Answer, Viewer};
use jellyfin_alike::{Origin, Policy, Settings, User};
use warmgate::config::{Config, LiveTvRight, ThriftChoice};

use crate::support::stage::{
    Stage, VERSIONS, all_fetched, at_the_gateway, at_the_server, delaying, household, is_hit, is_ours,
    parameter, poll, tune, tune_with, with_key,
};
use crate::support::wait::{eventually, soon};

#[tokio::test(flavor = "multi_thread")]
async fn the_next_viewer_finds_what_the_last_one_left() {
    let stage = Stage::quick().await;
    let (alice, bob) = (stage.viewer(0, "tv"), stage.viewer(1, "phone"));
    let (playback, cold) = tune(&alice, &stage.channel(1)).await;
    assert!(!is_hit(&cold) && is_ours(&cold), "{}", cold.field("cache-status"));
    all_fetched(&alice, &cold).await;
    soon(alice.report(&playback, "Playing")).await.unwrap();
    soon(alice.leave(&playback)).await.unwrap();
    let close = format!("/LiveStreams/Close?liveStreamId={}", playback.live_stream);
    assert_eq!(soon(alice.post(&close, &serde_json::Value::Null)).await.unwrap().status, 204);
    let counts = stage.origin().counts();
    assert_eq!(counts.consumers.values().sum::<usize>(), 1, "ours is left, though two were given back");
    stage.deserted().await;

    let playback = soon(bob.open(&stage.channel(1))).await.unwrap();
    let warm = poll(&bob, &playback).await;
    assert!(is_hit(&warm), "{}", warm.field("cache-status"));
    all_fetched(&bob, &warm).await;
    let last = warm.segments().last().cloned();
    eventually("it goes on", async || poll(&bob, &playback).await.segments().last().cloned() != last).await;
    assert_eq!(stage.origin().counts().jobs_started, 1);
    assert_eq!(stage.asked("/live.m3u8").len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn fifty_viewers_are_one_start() {
    let stage = Stage::quick().await;
    let viewers: Vec<_> = (0..50).map(|n| stage.viewer(n % 2, &format!("device-{n}"))).collect();
    let item = stage.channel(2);
    let opened = join_all(viewers.iter().map(|viewer| viewer.open(&item))).await;
    let playbacks: Vec<_> = opened.into_iter().map(Result::unwrap).collect();
    let watch = async |(viewer, playback)| {
        let answer = poll(viewer, playback).await;
        assert!(is_ours(&answer), "{} {}", answer.status, answer.field("cache-status"));
        all_fetched(viewer, &answer).await;
    };
    join_all(viewers.iter().zip(&playbacks).map(watch)).await;
    assert_eq!(stage.asked("/live.m3u8").len(), 1);
    assert_eq!(stage.origin().counts().jobs_started, 1);
    assert_eq!(stage.snapshot().present(), 50);
    let fetched = stage.fetched();
    assert!(!fetched.is_empty() && fetched.values().all(|count| *count == 1), "{fetched:?}");
}

/// A job of the server's that encodes costs what an encoder of the gateway's does, and ends as soon. One that copies stays warm.
#[tokio::test(flavor = "multi_thread")]
async fn a_job_that_encodes_is_not_kept_warm_for_long() {
    let stage = Stage::with(|_| (), |config| config.warm.encode = Duration::from_secs(1)).await;
    let viewer = stage.viewer(0, "tv");
    let (copied, _) = tune(&viewer, &stage.channel(1)).await;
    soon(viewer.report(&copied, "Playing")).await.unwrap();
    let (encoded, _) = tune_with(&viewer, &stage.channel(2), "&AllowVideoStreamCopy=false").await;
    soon(viewer.report(&encoded, "Playing")).await.unwrap();
    soon(viewer.leave(&encoded)).await.unwrap();
    eventually("the encoder ends", async || stage.origin().counts().jobs == 1).await;
    assert_eq!(stage.snapshot().tally.stopped, [(StopReason::Idle, 1)].into());
    eventually("what is copied stays", async || {
        let left: Vec<_> =
            stage.snapshot().streams.into_iter().map(|stream| stream.item.to_string()).collect();
        left == [stage.channel(1)]
    })
    .await;
}

/// A first viewer who gives up its request does no harm.
#[tokio::test(flavor = "multi_thread")]
async fn who_goes_away_while_it_starts_harms_nobody() {
    let stage = Stage::quick().await;
    let (hasty, patient) = (stage.viewer(0, "hasty"), stage.viewer(1, "patient"));
    let left = soon(hasty.open(&stage.channel(1))).await.unwrap();
    let playback = soon(patient.open(&stage.channel(1))).await.unwrap();
    let gone =
        tokio::spawn(async move { hasty.poll(&left).await.map(drop).map_err(|error| error.to_string()) });
    eventually("it starts", async || stage.origin().counts().jobs_started == 1).await;
    gone.abort();
    let answer = poll(&patient, &playback).await;
    all_fetched(&patient, &answer).await;
    assert_eq!(stage.origin().counts().jobs_started, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn another_profile_is_another_stream() {
    let stage = Stage::quick().await;
    let viewer = stage.viewer(0, "tv");
    let (playback, _) = tune(&viewer, &stage.channel(1)).await;
    let mut small = soon(viewer.open(&stage.channel(1))).await.unwrap();
    small.playlist += "&MaxHeight=90";
    let answer = poll(&viewer, &small).await;
    assert!(!is_hit(&answer) && is_ours(&answer), "{}", answer.field("cache-status"));
    assert_eq!((stage.origin().counts().jobs_started, stage.snapshot().streams.len()), (2, 2));
    assert_ne!(poll(&viewer, &playback).await.path, poll(&viewer, &small).await.path);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hit_is_for_those_the_server_lets_in() {
    let stage = Stage::quick().await;
    let viewer = stage.viewer(0, "tv");
    let (playback, _) = tune(&viewer, &stage.channel(1)).await;
    assert!(is_hit(&poll(&viewer, &playback).await));
    let token = stage.token(0);
    let direct = stage.direct(0, "tv");
    for wrong in [
        playback.playlist.replace(&format!("ApiKey={token}"), "ApiKey="),
        playback.playlist.replace(&format!("ApiKey={token}"), "ApiKey=nobody"),
    ] {
        let answer = soon(viewer.get(&wrong)).await.unwrap();
        let expected = soon(direct.get(&at_the_server(&wrong))).await.unwrap();
        assert_eq!((answer.status, &answer.body), (StatusCode::UNAUTHORIZED, &expected.body));
        assert!(!is_ours(&answer));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn without_the_right_to_live_tv_there_is_none() {
    let barred = Policy { live_tv: false, ..Policy::default() };
    let settings = |settings: &mut Settings| settings.users.push(User { policy: barred, ..User::new("eve") });
    let stage = Stage::with(settings, |_| ()).await;
    let (alice, eve, past) = (stage.viewer(0, "tv"), stage.viewer(2, "laptop"), stage.direct(2, "laptop"));
    let refused = soon(eve.open(&stage.channel(1))).await.unwrap_err();
    assert_eq!(refused.to_string(), "PlaybackInfo answered 403 Forbidden");
    stage.nothing_open().await;
    // The server opens the channel even without the right. Its playlist is refused all the same, on a miss and on a hit.
    let playback = soon(past.open(&stage.channel(1))).await.unwrap();
    assert_eq!(poll(&eve, &playback).await.status, StatusCode::FORBIDDEN);
    assert_eq!(stage.origin().counts().jobs_started, 0);
    tune(&alice, &stage.channel(1)).await;
    assert_eq!(poll(&eve, &playback).await.status, StatusCode::FORBIDDEN);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_right_to_live_tv_can_be_left_to_the_server() {
    let barred = Policy { live_tv: false, ..Policy::default() };
    let settings = |settings: &mut Settings| settings.users.push(User { policy: barred, ..User::new("eve") });
    let stage = Stage::with(settings, |config| config.upstream.live_tv_right = LiveTvRight::AsUpstream).await;
    tune(&stage.viewer(2, "laptop"), &stage.channel(1)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn after_a_logout_a_token_is_nothing() {
    let settings =
        |settings: &mut Settings| settings.users = vec![household("carol", &["one"]), User::new("bob")];
    let stage = Stage::with(settings, |_| ()).await;
    let (carol, bob) = (stage.viewer(0, "tv"), stage.viewer(1, "phone"));
    let (lost, listed) = tune(&carol, &stage.channel(1)).await;
    let (kept, _) = tune(&bob, &stage.channel(1)).await;
    assert_eq!(soon(carol.post("/Sessions/Logout", &serde_json::Value::Null)).await.unwrap().status, 204);
    assert_eq!(poll(&carol, &lost).await.status, StatusCode::UNAUTHORIZED);
    let segment = soon(carol.segment(&lost, &listed.segments()[0])).await.unwrap();
    assert_eq!(segment.status, StatusCode::NOT_FOUND);
    assert!(is_hit(&poll(&bob, &kept).await));
    assert_eq!(stage.origin().counts().jobs_started, 1);
}

/// The logout of the last credential that could release a stream ends the stream first.
#[tokio::test(flavor = "multi_thread")]
async fn a_logout_leaves_nothing_that_only_it_could_release() {
    let stage = Stage::quick().await;
    let alice = stage.viewer(0, "tv");
    let (playback, _) = tune(&alice, &stage.channel(1)).await;
    soon(alice.report(&playback, "Playing")).await.unwrap();
    soon(alice.leave(&playback)).await.unwrap();
    soon(alice.post("/Sessions/Logout", &serde_json::Value::Null)).await.unwrap();
    stage.nothing_open().await;
    assert_eq!(stage.snapshot().tally.stopped.get(&StopReason::LoggedOut), Some(&1));
}

/// From the first viewer to the last, on either version, with an API key and without. No secret of the gateway is sent to a
/// client.
#[tokio::test(flavor = "multi_thread")]
async fn secrets_stay_upstream() {
    for version in VERSIONS {
        for own_key in [false, true] {
            let settings = Settings { version, ..Settings::quick() };
            let config = |config: &mut _| {
                if own_key {
                    with_key(config, &settings)
                }
            };
            let stage = Stage::with(|asked| asked.version = version, config).await;
            let shown = watch_and_leave(&stage).await;
            let mut secrets = stage.own_play_sessions();
            assert_eq!(secrets.len(), 1, "{version:?}");
            secrets.extend(stage.asked("m3u8").into_iter().filter_map(|seen| job_of(&seen.path)));
            assert!(secrets.len() > 1, "{version:?}: the job was never followed");
            secrets.push(settings.api_key.clone());
            for answer in &shown {
                let text = format!("{:?}\n{}", answer.headers, String::from_utf8_lossy(&answer.body));
                assert!(
                    secrets.iter().all(|secret| !text.contains(secret)),
                    "{version:?}: {}",
                    answer.status
                );
            }
            let used_key = |path: &str| {
                let calls = stage.asked(path).into_iter();
                calls
                    .filter(|seen| {
                        seen.user_agent.as_deref().is_some_and(|agent| agent.starts_with("warmgate"))
                    })
                    .all(|seen| {
                        (parameter(&seen.query, "ApiKey").as_ref() == Some(&settings.api_key)) == own_key
                    })
            };
            assert!(used_key("/live.m3u8") && used_key("/LiveStreams/Open"), "{version:?}");
            stage.shut_down().await;
            stage.nothing_open().await;
            assert!(used_key("/Videos/ActiveEncodings") && used_key("/LiveStreams/Close"), "{version:?}");
        }
    }
}

async fn watch_and_leave(stage: &Stage) -> Vec<Answer> {
    let mut shown = Vec::new();
    let viewer = stage.viewer(0, "tv");
    for _ in 0..2 {
        let (playback, answer) = tune(&viewer, &stage.channel(1)).await;
        for uri in answer.segments() {
            shown.push(soon(viewer.segment(&playback, &uri)).await.unwrap());
        }
        shown.push(answer);
        shown.push(soon(viewer.report(&playback, "Playing")).await.unwrap());
        shown.push(soon(viewer.get("/Videos/nowhere/hls/wg/0.ts")).await.unwrap());
        shown.push(poll(&viewer, &playback).await);
        soon(viewer.leave(&playback)).await.unwrap();
        eventually("the job is followed", async || {
            stage.asked("m3u8").iter().any(|seen| job_of(&seen.path).is_some())
        })
        .await;
    }
    shown
}

/// The id of the gateway's job, from the path of its playlist.
fn job_of(path: &str) -> Option<String> {
    let (folder, _) = path.rsplit_once('/')?;
    folder.rsplit_once("/hls/").map(|(_, job)| job.to_owned())
}

/// 10.11 accepts the old prefixes, has `?&` in its URLs, and answers 500 where 12.0 answers 404.
#[tokio::test(flavor = "multi_thread")]
async fn the_older_server_is_served_as_well() {
    let stage = Stage::with(|settings| settings.version = VERSIONS[1], |_| ()).await;
    let viewer = stage.viewer(0, "tv");
    let (mut playback, cold) = tune(&viewer, &stage.channel(1)).await;
    all_fetched(&viewer, &cold).await;
    let direct = stage.direct(0, "tv");
    let unknown = playback.playlist.replace(&playback.live_stream, "e_f_00");
    let unknown = unknown.replace(&format!("MediaSourceId={}", playback.source), "MediaSourceId=00");
    let (ours, theirs) = (
        soon(viewer.get(&unknown)).await.unwrap(),
        soon(direct.get(&at_the_server(&unknown))).await.unwrap(),
    );
    assert_eq!((ours.status, ours.body), (theirs.status, theirs.body));
    assert_eq!(ours.status, StatusCode::INTERNAL_SERVER_ERROR);
    playback.playlist.insert_str(0, "/emby");
    let warm = poll(&viewer, &playback).await;
    assert!(is_hit(&warm), "{}", warm.field("cache-status"));
    all_fetched(&viewer, &warm).await;
    assert_eq!(stage.origin().counts().jobs_started, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_old_prefix_can_be_the_first() {
    let stage = Stage::with(|settings| settings.version = VERSIONS[1], |_| ()).await;
    let viewer = Viewer::new(format!("{}/emby", stage.base), &stage.token(0), "", "tv");
    let (_, cold) = tune(&viewer, &stage.channel(1)).await;
    all_fetched(&viewer, &cold).await;
    let (_, warm) = tune(&stage.viewer(1, "phone"), &stage.channel(1)).await;
    assert!(is_hit(&warm), "{}", warm.field("cache-status"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_slow_start_is_passed_on_and_plays() {
    let slow =
        |config: &mut warmgate::config::Config| config.upstream.cold_timeout = Duration::from_millis(1);
    let stage = Stage::with(|_| (), slow).await;
    let viewer = stage.viewer(0, "tv");
    let (_, answer) = tune(&viewer, &stage.channel(1)).await;
    assert!(answer.field("cache-status").contains("detail=cold-timeout"), "{}", answer.field("cache-status"));
    assert!(!is_ours(&answer));
    all_fetched(&viewer, &answer).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_there_is_no_room_for_is_passed_on_and_plays() {
    let stage = Stage::with(|_| (), |config| config.pool.slots = 2).await;
    let viewers = ["one", "two", "three"].map(|device| stage.viewer(0, device));
    for (viewer, channel) in viewers.iter().zip(1..=2) {
        tune(viewer, &stage.channel(channel)).await;
    }
    let (_, answer) = tune(&viewers[2], &stage.channel(3)).await;
    assert!(answer.field("cache-status").contains("detail=pool-full"), "{}", answer.field("cache-status"));
    all_fetched(&viewers[2], &answer).await;
    assert_eq!(stage.snapshot().tally.refused.get(&RefuseReason::PoolFull), Some(&1));
    assert_eq!(stage.snapshot().present(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tuner_that_nobody_watches_is_given_to_who_needs_it() {
    let lru = |config: &mut Config| config.pool.thrift = ThriftChoice::Lru;
    let stage = Stage::with(|settings| settings.tuners = 2, lru).await;
    let viewer = stage.viewer(0, "tv");
    for channel in 1..=2 {
        let (playback, _) = tune(&viewer, &stage.channel(channel)).await;
        soon(viewer.report(&playback, "Playing")).await.unwrap();
        soon(viewer.leave(&playback)).await.unwrap();
    }
    stage.deserted().await;
    assert_eq!(stage.origin().counts().tuners_open, 2);
    let (_, answer) = tune(&viewer, &stage.channel(3)).await;
    all_fetched(&viewer, &answer).await;
    assert_eq!(stage.snapshot().tally.stopped.get(&StopReason::TunerNeeded), Some(&1));
    // The stream that was left last is still warm.
    let (_, back) = tune(&stage.viewer(1, "phone"), &stage.channel(2)).await;
    assert!(is_hit(&back), "{}", back.field("cache-status"));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_servers_disk_does_not_fill() {
    let budget = 400_000;
    let stage = Stage::with(|_| (), |config| config.upstream.disk_budget.0 = budget).await;
    let viewer = stage.viewer(0, "tv");
    let (playback, _) = tune(&viewer, &stage.channel(1)).await;
    soon(viewer.report(&playback, "Playing")).await.unwrap();
    eventually("it outgrows the budget", async || {
        poll(&viewer, &playback).await;
        stage.origin().counts().bytes_on_disk > 2 * budget
    })
    .await;
    assert!(stage.snapshot().tally.stopped.is_empty(), "a watched stream may write");
    soon(viewer.leave(&playback)).await.unwrap();
    stage.nothing_open().await;
    let stopped: Vec<_> = stage.snapshot().tally.stopped.keys().map(|reason| reason.as_str()).collect();
    assert_eq!(stopped, ["disk-budget"]);
    eventually("its files are gone", async || stage.origin().counts().bytes_on_disk == 0).await;
}

/// On a real server the first HLS request deletes the raw file of an open tuner, whose playback then fails. The gateway
/// sends a harmless request first, also after a restart of the server.
#[tokio::test(flavor = "multi_thread")]
async fn the_first_play_after_the_servers_start_is_spared_its_error() {
    let fails = |settings: &mut Settings| settings.first_play_fails = true;
    let mut stage = Stage::with(fails, |_| ()).await;
    let viewer = stage.viewer(0, "tv");
    let (playback, answer) = tune(&viewer, &stage.channel(1)).await;
    assert!(is_ours(&answer));
    soon(viewer.leave(&playback)).await.unwrap();
    let settings = stage.kill_origin().await;
    assert_eq!(soon(viewer.get("/System/Info/Public")).await.unwrap().status, StatusCode::BAD_GATEWAY);
    stage.restart_origin(settings).await;
    let (_, answer) = tune(&viewer, &stage.channel(2)).await;
    all_fetched(&viewer, &answer).await;

    let plain = Stage::with(fails, |_| ()).await;
    let direct = plain.direct(0, "tv");
    let playback = soon(direct.open(&plain.channel(1))).await.unwrap();
    assert_eq!(
        poll(&direct, &playback).await.status,
        StatusCode::INTERNAL_SERVER_ERROR,
        "without us it fails"
    );
}

/// Even if the server is slow to authenticate a user, the first warm playlist is quick: the multivariant playlist has asked.
#[tokio::test(flavor = "multi_thread")]
async fn who_a_viewer_is_has_been_asked_before_it_matters() {
    let settings = Settings::quick();
    let origin = Origin::start(settings.clone()).await.unwrap();
    let delay = Duration::from_millis(400);
    let slow = delaying(origin.addr(), "/users/me", move || delay).await;
    let stage = Stage::before(origin, &settings, &slow.to_string(), |_| ()).await;
    tune(&stage.viewer(0, "tv"), &stage.channel(1)).await;
    let bob = stage.viewer(1, "phone");
    let playback = soon(bob.open(&stage.channel(1))).await.unwrap();
    eventually("the server is asked who that is", async || {
        let asked = stage.asked("/Users/Me");
        asked.len() == 4 && asked.iter().all(|seen| seen.status == Some(200))
    })
    .await;
    assert_eq!(stage.asked("/live.m3u8").len(), 1);
    let warm = poll(&bob, &playback).await;
    let waited_for_nobody = at_the_gateway(&warm) < delay.as_secs_f64() * 1000.0 / 2.0;
    assert!(is_hit(&warm) && waited_for_nobody, "{}", warm.field("server-timing"));
    assert_eq!(stage.asked("/Users/Me").len(), 4, "once for each place where the token is shown");
}
