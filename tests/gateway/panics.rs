//! The gateway panics while it answers a request: the server answers in its place, and nothing is worse for anybody afterwards.

use futures_util::{SinkExt, StreamExt};
use jellyfin_alike::LoggedRequest;
use jellyfin_alike::viewer::{Answer, Viewer};
use serde_json::json;
use tokio_tungstenite::connect_async;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use warmgate::background;

use crate::support::stage::{Stage, is_ours, poll, tune};
use crate::support::wait::{eventually, soon};

/// What the deaths are counted under.
const LIST: &str = "the answer to a playlist request";
const REQUEST: &str = "the answer to a request";
const SEGMENT: &str = "the answer to a segment request";

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
        let before = background::deaths(LIST);
        let channel = stage.channel(number);
        let unlucky = stage.viewer(0, step).with(&[("warmgate-panic-at", step)]);
        let (_, answer) = tune(&unlucky, &channel).await;
        assert!(is_passed_on(&answer), "{step}: {} {}", answer.status, answer.field("cache-status"));
        assert!(background::deaths(LIST) > before, "{step} is counted");

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

/// Each kind of request at each step: the server gets what changes something once, and its answer comes.
#[tokio::test(flavor = "multi_thread")]
async fn after_a_panic_the_server_gets_each_request_and_answers_it() {
    let stage = Stage::quick().await;
    for (number, step) in [(1, "asking"), (2, "answered"), (3, "reading")] {
        let before = background::deaths(REQUEST);
        let unlucky = stage.viewer(0, step).with(&[("warmgate-panic-at", step)]);
        let is_theirs = |seen: &LoggedRequest| {
            seen.method == "POST"
                && seen.user_agent.as_deref().is_none_or(|agent| !agent.starts_with("warmgate"))
        };
        let asked = |path: &str| stage.asked(path).into_iter().filter(is_theirs).count();
        let count = asked("/PlaybackInfo");
        let opened = soon(unlucky.open(&stage.channel(number))).await.unwrap();
        assert_eq!(asked("/PlaybackInfo"), count + 1, "{step}");
        for (path, moment) in
            [("/Sessions/Playing", "Playing"), ("/Sessions/Playing/Stopped", "Playing/Stopped")]
        {
            let count = asked(path);
            assert_eq!(soon(unlucky.report(&opened, moment)).await.unwrap().status, 204, "{step} {path}");
            assert_eq!(asked(path), count + 1, "{step} {path}");
        }
        let timer = json!({
            "ChannelId": stage.channel(number),
            "StartDate": "2126-11-28T12:00:00.0000000Z", "EndDate": "2126-11-28T13:00:00.0000000Z",
        });
        assert!(soon(unlucky.post("/LiveTv/Timers", &timer)).await.unwrap().status.is_success(), "{step}");
        assert_eq!(asked("/LiveTv/Timers"), number, "{step}");
        let close = format!("/LiveStreams/Close?liveStreamId={}", opened.live_stream);
        assert_eq!(soon(unlucky.post(&close, &json!({}))).await.unwrap().status, 204, "{step}");
        assert_eq!(soon(unlucky.get("/System/Info/Public")).await.unwrap().status, 200, "{step}");
        assert!(step == "reading" || background::deaths(REQUEST) >= before + 6, "{step} is counted");
    }
    for name in ["the reading of an opening", "the reading of a report"] {
        assert!(background::deaths(name) > 0, "{name} is counted");
    }
}

async fn segment(viewer: &Viewer, list: &Answer) -> Option<Answer> {
    soon(viewer.listed(list, &list.segments()[0])).await.ok()
}

/// jellyfin-web would end its player at a status from 400 on, and asks again where an answer breaks off.
#[tokio::test(flavor = "multi_thread")]
async fn after_a_panic_a_segment_comes_all_the_same_or_is_asked_for_again() {
    let stage = Stage::quick().await;
    let viewer = stage.viewer(0, "tv");
    let (_, list) = tune(&viewer, &stage.channel(1)).await;
    let expected = segment(&viewer, &list).await.unwrap();
    let before = background::deaths(SEGMENT);
    let with = |steps: &'static str| viewer.clone().with(&[("warmgate-panic-at", steps)]);
    let bare = segment(&with("segment"), &list).await.unwrap();
    assert_eq!((bare.status.as_u16(), &bare.body), (200, &expected.body));
    assert!(segment(&with("segment,bare-segment"), &list).await.is_none(), "it breaks off");
    assert_eq!(segment(&viewer, &list).await.unwrap().body, expected.body);
    assert!(background::deaths(SEGMENT) >= before + 3);
}

/// The tunnel goes on, whatever the gateway reads in passing.
#[tokio::test(flavor = "multi_thread")]
async fn after_a_panic_a_websocket_goes_on() {
    let stage = Stage::quick().await;
    for step in ["asking", "answered", "reading"] {
        let url =
            format!("{}/socket?ApiKey={}&deviceId={step}", stage.base.replace("http", "ws"), stage.token(0));
        let mut request = url.into_client_request().unwrap();
        request.headers_mut().insert("warmgate-panic-at", step.parse().unwrap());
        let (mut socket, _) = soon(connect_async(request)).await.unwrap();
        for _ in 0..2 {
            socket.send(Message::Ping("there?".into())).await.unwrap();
            while !soon(socket.next()).await.expect("it goes on").unwrap().is_pong() {}
        }
    }
    assert!(background::deaths("the reading of a WebSocket") > 0);
}
