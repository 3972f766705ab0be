//! The gateway panics while it answers a playlist request: the server answers in its place, and nothing is worse for anybody afterwards.

use jellyfin_alike::viewer::Answer;
use warmgate::background;

use crate::support::stage::{Stage, is_ours, poll, tune};
use crate::support::wait::eventually;

/// What such a death is counted under.
const NAME: &str = "the answer to a playlist request";

fn is_passed_on(answer: &Answer) -> bool {
    answer.status == 200
        && !is_ours(answer)
        && answer.field("cache-status").ends_with("; fwd=bypass; detail=panicked")
}

/// At each step: of a viewer that tunes, then of one that plays.
#[tokio::test(flavor = "multi_thread")]
async fn after_a_panic_the_server_answers() {
    let stage = Stage::with(|_| (), |_| ()).await;
    for (number, step) in [(1, "tuning"), (2, "serving"), (3, "pool")] {
        let before = background::deaths(NAME);
        let channel = stage.channel(number);
        let unlucky = stage.viewer(0, step).with(&[("warmgate-panic-at", step)]);
        let (_, answer) = tune(&unlucky, &channel).await;
        assert!(is_passed_on(&answer), "{step}: {} {}", answer.status, answer.field("cache-status"));
        assert!(background::deaths(NAME) > before, "{step} is counted");

        // What was begun under the pool's lock has to end first; who gets the server's own stream meanwhile stays with it.
        let mut served = None;
        let mut attempts = 0;
        eventually("another viewer is served", async || {
            attempts += 1;
            let viewer = stage.viewer(1, &format!("{step}-{attempts}"));
            let (playback, answer) = tune(&viewer, &channel).await;
            served = is_ours(&answer).then_some((viewer, playback));
            served.is_some()
        })
        .await;
        let (viewer, playback) = served.unwrap();
        let answer = poll(&viewer.with(&[("warmgate-panic-at", "serving")]), &playback).await;
        assert!(is_passed_on(&answer), "{step}, while it plays: {}", answer.field("cache-status"));
    }
}
