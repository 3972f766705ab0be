//! Rules for clients: how many streams a user may watch at once, and how much it may ask for.

use domain::reason::OpeningRefusal;
use jellyfin_alike::Settings;
use jellyfin_alike::viewer::{Answer, Viewer};
use serde_json::{Value, json};
use warmgate::config::{BitRate, ClientRule, ClientSettings, Conditions, Config};

use crate::support::stage::{Stage, household, parameter, poll, tune, with_key};
use crate::support::wait::{eventually, soon};

/// A rule for the user Alice.
fn for_alice(set: ClientSettings) -> impl FnOnce(&mut Config) {
    let conditions = Conditions { user: vec!["alice".to_owned()], ..Conditions::default() };
    move |config| config.clients.rules = vec![ClientRule { conditions, set }]
}

/// A stage whose first user has two devices with a token each, and may watch one stream at a time.
async fn one_at_a_time() -> (Stage, [Viewer; 2]) {
    let mut settings = Settings::quick();
    settings.users[0] = household("Alice", &["one", "two"]);
    let (asked, user) = (settings.clone(), settings.users[0].id.clone());
    let rule = for_alice(ClientSettings { streams: Some(1), ..ClientSettings::default() });
    let stage = Stage::with(
        |settings| *settings = asked,
        |config| {
            with_key(config, &settings);
            rule(config);
        },
    )
    .await;
    let devices =
        ["one", "two"].map(|token| Viewer::new(&stage.base, token, &user, &format!("device-{token}")));
    (stage, devices)
}

async fn ask(viewer: &Viewer, item: &str, wish: Value) -> Answer {
    soon(viewer.post(&format!("/Items/{item}/PlaybackInfo"), &wish)).await.unwrap()
}

fn is_refused(answer: &Answer) -> bool {
    answer.status == 200 && answer.text().ends_with("\"ErrorCode\":\"RateLimitExceeded\"}")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_user_watches_as_many_streams_as_it_may() {
    let (stage, [tv, phone]) = one_at_a_time().await;
    let opens = || json!({"AutoOpenLiveStream": true});
    let (playback, _) = tune(&tv, &stage.channel(1)).await;
    soon(phone.post("/Sessions/Capabilities/Full", &json!({}))).await.unwrap();
    let opens_before = stage.origin().counts().opens;
    for item in [stage.channel(1), stage.channel(2)] {
        let answer = ask(&phone, &item, opens()).await;
        assert!(is_refused(&answer), "{} {}", answer.status, answer.text());
        assert!(answer.field("proxy-status").ends_with("details=\"too-many-streams\""));
    }
    let wish = json!({"OpenToken": "x"});
    assert_eq!(soon(phone.post("/LiveStreams/Open", &wish)).await.unwrap().status, 429);
    assert_eq!(stage.origin().counts().opens, opens_before, "the server opens nothing");
    let film = ask(&phone, "0123456789abcdef0123456789abcdef", opens()).await;
    assert_eq!(film.status, 404, "what is no channel is the server's to answer");
    assert!(stage.asked("/LiveStreams/Open").iter().all(|seen| !seen.authorized), "nor is it here");
    assert_eq!(stage.snapshot().tally.refused_openings[&OpeningRefusal::TooManyStreams], 3);
    eventually("it is told why", async || !stage.origin().messages().is_empty()).await;
    let text = "You may watch one channel at a time, and another of your devices is watching";
    assert_eq!(stage.origin().messages()[0].text, text);

    assert!(!is_refused(&ask(&phone, &stage.channel(2), json!({})).await), "it only asks about the channel");
    assert_eq!(ask(&stage.viewer(1, "browser"), &stage.channel(2), opens()).await.status, 200, "Bob may");
    let (zapped, _) = tune(&tv, &stage.channel(3)).await;
    assert_eq!(poll(&tv, &zapped).await.status, 200, "it may zap");
    soon(tv.leave(&playback)).await.unwrap();
    soon(tv.leave(&zapped)).await.unwrap();
    eventually("the other device may watch", async || {
        !is_refused(&ask(&phone, &stage.channel(1), opens()).await)
    })
    .await;
}

/// Who watches when the gateway starts again is counted as soon as it asks for its playlist.
#[tokio::test(flavor = "multi_thread")]
async fn who_never_opened_anything_here_counts_by_its_playlist() {
    let (stage, [tv, phone]) = one_at_a_time().await;
    let past = Viewer::new(format!("http://{}", stage.origin().addr()), "one", "", "device-one");
    let playback = soon(past.open(&stage.channel(1))).await.unwrap();
    assert_eq!(poll(&tv, &playback).await.status, 200);
    assert!(is_refused(&ask(&phone, &stage.channel(2), json!({"AutoOpenLiveStream": true})).await));
}

/// A player of the server's own stream counts as long as it is sent that, whoever saw it opened.
#[tokio::test(flavor = "multi_thread")]
async fn who_plays_what_the_server_sends_counts_as_long_as_it_does() {
    let (stage, [tv, phone]) = one_at_a_time().await;
    let opens = || json!({"AutoOpenLiveStream": true});
    let past = Viewer::new(format!("http://{}", stage.origin().addr()), "one", "", "device-one");
    let opened: Value = serde_json::from_slice(&ask(&past, &stage.channel(1), opens()).await.body).unwrap();
    let path = opened["MediaSources"][0]["Path"].as_str().unwrap();
    let path = path[path.find("/LiveTv").unwrap()..].to_owned();
    let playing =
        { tokio::spawn(async move { tv.get(&path).await.map(drop).map_err(|error| error.to_string()) }) };
    eventually("it counts", async || is_refused(&ask(&phone, &stage.channel(2), opens()).await)).await;
    playing.abort();
    eventually("it has left", async || !is_refused(&ask(&phone, &stage.channel(2), opens()).await)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_asks_for_no_more_than_it_may() {
    let max_bitrate = Some(BitRate(2_000_000));
    let stage =
        Stage::with(|_| (), for_alice(ClientSettings { max_bitrate, ..ClientSettings::default() })).await;
    let video = async |user: usize, bitrate: u64| {
        let mut viewer = stage.viewer(user, "tv");
        viewer.bitrate = bitrate;
        let playback = soon(viewer.open(&stage.channel(1))).await.unwrap();
        parameter(&playback.playlist, "VideoBitrate").unwrap().parse::<u64>().unwrap()
    };
    let first = video(0, 50_000_000).await;
    assert!((1_000_000..2_000_000).contains(&first), "{first}");
    let lower = video(0, 1_500_000).await;
    assert!(lower < 1_500_000, "a lower wish stays: {lower}");
    assert!(video(1, 50_000_000).await > 2_000_000, "the rule is for Alice");
}
