//! Clients that get no channel are told why, if they are ones that show it.

use std::time::{Duration, SystemTime};

use domain::reason::OpeningRefusal;
use jellyfin_alike::viewer::{Answer, Playback, Viewer};
use jellyfin_alike::{Settings, Status, Timer};
use serde_json::{Value, json};
use warmgate::config::{Config, Refusal};

use crate::support::stage::{Stage, poll, tune, with_key};
use crate::support::wait::{eventually, soon};

/// A server with so many tuners, all of which somebody watches: alice, on a device for each.
struct Full {
    stage: Stage,
    watching: Vec<(Viewer, Playback)>,
    tuners: usize,
}

impl Full {
    async fn with(tuners: usize, config: impl FnOnce(&mut Config, &Settings)) -> Self {
        let mut settings = Settings { tuners, ..Settings::quick() };
        settings.users[0].policy.administrator = true;
        let asked = settings.clone();
        let stage = Stage::with(|settings| *settings = asked, |asked| config(asked, &settings)).await;
        let mut full = Self { stage, watching: Vec::new(), tuners };
        for channel in 1..=tuners {
            full.watch(channel).await;
        }
        let stage = &full.stage;
        eventually("the limit is known", async || stage.snapshot().tuners.limit.is_some()).await;
        full
    }

    async fn watch(&mut self, channel: usize) {
        let viewer = self.stage.viewer(0, &format!("tv-{channel}"));
        soon(viewer.post("/Sessions/Capabilities/Full", &json!({}))).await.unwrap();
        let (playback, _) = tune(&viewer, &self.stage.channel(channel)).await;
        soon(viewer.report(&playback, "Playing")).await.unwrap();
        self.watching.push((viewer, playback));
    }

    /// The first of those who watch leaves.
    async fn leave_first(&mut self) {
        let (viewer, playback) = self.watching.remove(0);
        soon(viewer.leave(&playback)).await.unwrap();
        eventually("it has left", async || self.stage.snapshot().tuners.idle == 1).await;
    }

    /// What this user's device is answered when it asks for one channel more in `client`.
    async fn ask(&self, user: usize, client: &str) -> Answer {
        let mut viewer = self.stage.viewer(user, &format!("browser-{user}"));
        client.clone_into(&mut viewer.client);
        soon(viewer.post("/Sessions/Capabilities/Full", &json!({}))).await.unwrap();
        let item = self.stage.channel(self.tuners + 1);
        let wish = json!({"AutoOpenLiveStream": true, "DeviceProfile": {}});
        let answer = soon(viewer.post(&format!("/Items/{item}/PlaybackInfo"), &wish)).await.unwrap();
        for (viewer, playback) in &self.watching {
            assert_eq!(poll(viewer, playback).await.status, 200, "nobody is cut");
        }
        answer
    }

    /// Waits for the message to the device of a user, and returns its text.
    async fn told(&self, user: usize) -> String {
        let theirs = || {
            let messages = self.stage.origin().messages().into_iter();
            messages.filter(move |message| message.device == format!("browser-{user}")).collect::<Vec<_>>()
        };
        eventually("it is told", async || !theirs().is_empty()).await;
        let message = theirs().remove(0);
        assert_eq!((message.header.as_deref(), message.timeout_ms), (Some("Live TV"), None), "a dialog");
        message.text
    }
}

const WEB: &str = "Jellyfin%20Web";

fn is_explained(answer: &Answer) -> bool {
    let said: Value = serde_json::from_slice(&answer.body).unwrap_or_default();
    answer.status == 200
        && said["ErrorCode"] == "RateLimitExceeded"
        && said["MediaSources"] == json!([])
        && said["PlaySessionId"].as_str().is_some_and(|id| id.len() == 32)
}

#[tokio::test(flavor = "multi_thread")]
async fn who_gets_no_tuner_is_told_who_watches() {
    for tuners in [1, 3] {
        let mut full = Full::with(tuners, with_key).await;
        let answer = full.ask(1, WEB).await;
        assert!(is_explained(&answer), "{} {}", answer.status, answer.text());
        assert_eq!(
            answer.field("proxy-status"),
            "warmgate; error=http_request_denied; details=\"tuners-taken\""
        );
        assert_eq!(full.stage.snapshot().tally.refused_openings[&OpeningRefusal::TunersTaken], 1);
        let expected = match tuners {
            1 => "The only tuner is in use: Test 1 (watched by others)".to_owned(),
            _ => format!(
                "All 3 tuners are in use: {}",
                [1, 2, 3].map(|number| format!("Test {number} (watched by others)")).join(", ")
            ),
        };
        assert_eq!(full.told(1).await, expected);
        // The administrator knows who watches; on its own devices it does so itself.
        assert!(is_explained(&full.ask(0, WEB).await));
        assert!(full.told(0).await.contains("Test 1 (watched by you on another device)"));
        // The tuner is free again once a viewer has left.
        full.leave_first().await;
        full.stage.viewer(1, "browser-1").open(&full.stage.channel(tuners + 1)).await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_administrator_is_told_names_and_recordings() {
    let mut settings = Settings { tuners: 2, ..Settings::quick() };
    settings.users[1].policy.administrator = true;
    let asked = settings.clone();
    let stage = Stage::with(|settings| *settings = asked, |config| with_key(config, &settings)).await;
    let mut full = Full { stage, watching: Vec::new(), tuners: 2 };
    let now = SystemTime::now();
    full.stage.origin().schedule(Timer::new(2, now, now + Duration::from_secs(3500)));
    full.watch(1).await;
    let origin = full.stage.origin();
    eventually("it records", async || origin.recordings()[0].status == Status::InProgress).await;
    eventually("the gateway knows of it", async || is_explained(&full.ask(1, WEB).await)).await;
    let told = full.told(1).await;
    // How the end is told depends on the machine's time zone.
    let is_clear = told.ends_with("(recording for 59 min more)") || told.contains("(recording until ");
    assert!(is_clear && told.starts_with("Both tuners are in use: Test 1 (alice), Test 2 ("), "{told}");
}

#[tokio::test(flavor = "multi_thread")]
async fn everybody_else_gets_the_servers_own_answer() {
    let full = Full::with(1, with_key).await;
    for client in ["Warmgate", "Jellyfin%20Web%202", "Kodi"] {
        let answer = full.ask(1, client).await;
        assert_eq!(
            (answer.status.as_u16(), answer.text().as_str()),
            (500, "Error processing request."),
            "{client}"
        );
    }
    assert!(full.stage.origin().messages().is_empty());
    let as_upstream = Full::with(1, |config, settings| {
        with_key(config, settings);
        config.tuners.refusal = Refusal::AsUpstream;
    })
    .await;
    assert_eq!(as_upstream.ask(1, WEB).await.status, 500);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dead_channel_is_no_want_of_tuners() {
    let mut full = Full::with(3, with_key).await;
    full.leave_first().await;
    full.stage.origin().fail(4);
    assert_eq!(full.ask(1, WEB).await.status, 500, "one tuner was to be had");
    assert!(full.stage.origin().messages().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_key_the_limit_is_said_and_no_more() {
    let full = Full::with(1, |_, _| ()).await;
    assert!(is_explained(&full.ask(1, WEB).await));
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert!(full.stage.origin().messages().is_empty());
    assert!(full.stage.asked("/Sessions").is_empty());
}
