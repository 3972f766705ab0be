//! Blocking playlist requests: they are held until the segment that they name is there, for a bounded time.

use std::time::Duration;

use domain::reason::Evidence;
use jellyfin_alike::viewer::{Answer, Playback, Viewer};
use tokio::time::timeout;
use warmgate::config::BlockingReload;

use crate::support::stage::{Stage, poll, tune};
use crate::support::wait::{eventually, soon};

const CAN: &str = "#EXT-X-SERVER-CONTROL:CAN-BLOCK-RELOAD=YES";

fn asking(playback: &Playback, directives: &str) -> Playback {
    Playback { playlist: format!("{}&{directives}", playback.playlist), ..playback.clone() }
}

async fn ask(viewer: &Viewer, playback: &Playback, directives: &str) -> Answer {
    poll(viewer, &asking(playback, directives)).await
}

fn newest(answer: &Answer) -> u64 {
    answer.tag("EXT-X-MEDIA-SEQUENCE").unwrap() + answer.segments().len() as u64 - 1
}

fn evidence(stage: &Stage, evidence: Evidence) -> bool {
    let streams = stage.snapshot().streams;
    streams
        .iter()
        .flat_map(|stream| &stream.consumers)
        .any(|viewer| viewer.verdict.because.contains(&evidence))
}

async fn blocking() -> (Stage, Viewer, Playback, Answer) {
    let stage = Stage::with(|_| (), |config| config.viewers.blocking_reload = BlockingReload::Always).await;
    let viewer = stage.viewer(0, "tv");
    let (playback, answer) = tune(&viewer, &stage.channel(1)).await;
    (stage, viewer, playback, answer)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_is_held_until_its_segment_is_there() {
    let (stage, viewer, playback, mut answer) = blocking().await;
    assert!(answer.text().contains(CAN), "{}", answer.text());
    for part in ["", "&_HLS_part=0"] {
        let wanted = newest(&answer) + 1;
        answer = ask(&viewer, &playback, &format!("_HLS_msn={wanted}{part}")).await;
        assert_eq!((answer.status.as_u16(), newest(&answer) >= wanted), (200, true), "{}", answer.text());
    }
    let old = ask(&viewer, &playback, "_HLS_msn=1&_HLS_skip=YES").await;
    assert_eq!(old.status, 200, "what is there is not waited for");
    assert_eq!(stage.snapshot().present(), 1, "one viewer of one stream");
    assert_eq!(stage.origin().counts().jobs_started, 1);
    let ahead = ask(&viewer, &playback, &format!("_HLS_msn={}", newest(&old) + 9)).await;
    assert_eq!(ahead.status, 200, "a player would take a refusal for the end");
    for wrong in ["_HLS_part=0", "_HLS_msn=x"] {
        let refused = ask(&viewer, &playback, wrong).await;
        assert_eq!(refused.status, 400, "{wrong}");
    }
    // The parameters are not forwarded.
    let plain = ask(&viewer, &playback, "_HLS_msn=1&StartTimeTicks=1").await;
    assert_eq!(plain.status, 200);
    assert!(stage.asked("/live.m3u8").iter().all(|seen| !seen.query.contains("_HLS_")));
}

/// A source is late: a refusal would destroy jellyfin-web's player, which goes on with the list as it is.
#[tokio::test(flavor = "multi_thread")]
async fn who_was_held_long_enough_gets_the_list_as_it_is() {
    let (mut stage, viewer, playback, mut answer) = blocking().await;
    stage.kill_origin().await;
    loop {
        let wanted = newest(&answer) + 1;
        answer = ask(&viewer, &playback, &format!("_HLS_msn={wanted}")).await;
        assert_eq!(answer.status, 200, "{}", answer.text());
        if newest(&answer) < wanted {
            return;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn who_is_held_is_there_and_who_gives_up_says_so() {
    let (stage, viewer, playback, answer) = blocking().await;
    soon(viewer.segment(&playback, &answer.segments()[0])).await.unwrap();
    let ahead = asking(&playback, &format!("_HLS_msn={}", newest(&answer) + 2));
    let waiting = tokio::spawn(async move { timeout(Duration::from_millis(700), viewer.poll(&ahead)).await });
    eventually("it is held", async || evidence(&stage, Evidence::OpenRequest)).await;
    waiting.await.unwrap().unwrap_err();
    eventually("that is evidence", async || evidence(&stage, Evidence::Aborted)).await;
    assert_eq!(stage.snapshot().present(), 1, "but no proof");
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_is_held_unless_it_is_asked_for() {
    let stage = Stage::quick().await;
    let viewer = stage.viewer(0, "tv");
    let (playback, answer) = tune(&viewer, &stage.channel(1)).await;
    assert!(!answer.text().contains(CAN));
    let answer = ask(&viewer, &playback, &format!("_HLS_msn={}", newest(&answer) + 9)).await;
    assert_eq!(answer.status, 200);
    assert_eq!(ask(&viewer, &playback, "_HLS_part=0").await.status, 200);
}
