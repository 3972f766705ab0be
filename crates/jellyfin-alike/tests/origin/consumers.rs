//! Who holds a tuner: which reports give a consumer back, and whose it is that goes.

use std::time::Duration;

use jellyfin_alike::{Consumer, Delays, Holder, Settings, Version};
use serde_json::{Value, json};
use tokio::time::sleep;

use crate::client::{Client, bearer, profile};
use crate::set::{Set, quick, set_up};
use crate::wait::eventually;

const VERSIONS: [Version; 2] = [Version::V12, Version::V10_11];

/// A device, logged in with a token.
struct Device<'a> {
    set: &'a Set,
    token: String,
    name: &'static str,
}

impl Set {
    /// A device of the first user.
    fn device(&self, name: &'static str) -> Device<'_> {
        Device { set: self, token: self.token.clone(), name }
    }

    /// The devices that hold a channel, in the order of their openings.
    fn holders(&self, number: usize) -> Vec<String> {
        let id = &self.origin.channels()[number - 1].live_stream_id;
        let consumers = self.origin.consumers().remove(id).unwrap_or_default();
        consumers.iter().map(device_of).collect()
    }
}

fn device_of(consumer: &Consumer) -> String {
    match &consumer.holder {
        Holder::Session { device, .. } => device.clone(),
        Holder::Job => "job".to_owned(),
        Holder::Recorder { .. } => "recorder".to_owned(),
    }
}

impl Device<'_> {
    async fn post(&self, path: &str, body: &Value) -> Value {
        let authorization = bearer(&self.token, self.name);
        let headers = [("authorization", authorization.as_str())];
        let reply = self.set.client.send("POST", path, &headers, Some(body)).await;
        assert!(reply.status.is_success(), "{path}: {} {}", reply.status, reply.text());
        serde_json::from_slice(&reply.body).unwrap_or_default()
    }

    /// Opens a channel, and returns what its reports name.
    async fn open(&self, number: usize) -> Value {
        let channel = &self.set.origin.channels()[number - 1];
        let path = format!("/Items/{}/PlaybackInfo?AutoOpenLiveStream=true", channel.item_id);
        let opened = self.post(&path, &profile()).await;
        json!({
            "ItemId": channel.item_id, "PlaySessionId": opened["PlaySessionId"],
            "LiveStreamId": opened["MediaSources"][0]["LiveStreamId"],
        })
    }

    async fn report(&self, moment: &str, playback: &Value) {
        self.post(&format!("/Sessions/Playing{moment}"), playback).await;
    }

    /// Opens a channel and reports its playback.
    async fn play(&self, number: usize) -> Value {
        let playback = self.open(number).await;
        self.report("", &playback).await;
        playback
    }

    /// The number of the channel that the server believes it plays.
    async fn now_playing(&self) -> Option<String> {
        let sessions =
            self.set.client.get(&format!("/Sessions?ApiKey={}", Settings::quick().api_key)).await.json();
        let session = sessions.as_array().unwrap().iter().find(|session| session["DeviceId"] == self.name);
        session?["NowPlayingItem"]["Number"].as_str().map(str::to_owned)
    }
}

#[tokio::test]
async fn stopped_gives_back_once() {
    for version in VERSIONS {
        let set = set_up(quick(version)).await;
        let (a, b) = (set.device("a"), set.device("b"));
        let playback = a.play(1).await;
        b.play(1).await;
        assert_eq!(set.holders(1), ["a", "b"]);
        for _ in 0..2 {
            a.report("/Stopped", &playback).await;
            assert_eq!(set.holders(1), ["b"], "{version:?}");
        }
    }
}

#[tokio::test]
async fn stopped_is_heard_for_a_channel_that_the_device_has_left() {
    for version in VERSIONS {
        let set = set_up(quick(version)).await;
        let a = set.device("a");
        let first = a.play(1).await;
        let second = a.play(2).await;
        assert_eq!((set.holders(1), set.holders(2)), (vec!["a".to_owned()], vec!["a".to_owned()]));
        assert_eq!(a.now_playing().await.as_deref(), Some("2"));
        a.report("/Stopped", &first).await;
        assert_eq!((set.holders(1).len(), set.holders(2).len()), (0, 1), "{version:?}");
        assert_eq!(a.now_playing().await, None);
        a.report("/Progress", &second).await;
        assert_eq!(a.now_playing().await.as_deref(), Some("2"));
    }
}

#[tokio::test]
async fn stopped_without_a_report_is_heard_by_12_alone() {
    for (version, left) in [(Version::V12, 0), (Version::V10_11, 1)] {
        let set = set_up(quick(version)).await;
        let a = set.device("a");
        let playback = a.open(1).await;
        a.report("/Stopped", &playback).await;
        assert_eq!(set.holders(1).len(), left, "{version:?}");
        let close = format!("/LiveStreams/Close?liveStreamId={}", playback["LiveStreamId"].as_str().unwrap());
        a.post(&close, &Value::Null).await;
        assert_eq!(set.holders(1).len(), 0, "{version:?}");
    }
}

/// Whoever reports after its `Stopped` is believed to play again, and its next `Stopped` takes another device's consumer.
#[tokio::test]
async fn who_was_there_after_all_takes_anothers_consumer() {
    for version in VERSIONS {
        let set = set_up(quick(version)).await;
        let (a, b) = (set.device("a"), set.device("b"));
        let playback = a.play(1).await;
        b.play(1).await;
        a.report("/Stopped", &playback).await;
        a.report("/Progress", &playback).await;
        assert_eq!(set.holders(1), ["b"]);
        a.report("/Stopped", &playback).await;
        assert_eq!((set.holders(1).len(), set.counts().tuners_open), (0, 0), "{version:?}: closed under b");
    }
}

#[tokio::test]
async fn an_api_key_stops_nobody() {
    for version in VERSIONS {
        let set = set_up(quick(version)).await;
        let (a, b) = (set.device("a"), set.device("b"));
        let playback = a.play(1).await;
        b.play(1).await;
        let key = Device { set: &set, token: Settings::quick().api_key, name: "a" };
        key.report("/Stopped", &playback).await;
        assert_eq!(set.holders(1), ["a", "b"], "{version:?}");
    }
}

/// The server stops a silent session by itself, but names no live stream (`CheckForIdlePlayback`): only the end of a job gives back.
#[tokio::test]
async fn silence_ends_a_session_and_closes_nothing_without_a_job() {
    for version in VERSIONS {
        let delays = Delays { idle: Duration::from_millis(600), ..Delays::quick() };
        let set = set_up(Settings { delays, ..quick(version) }).await;
        let (silent, reports) = (set.device("silent"), set.device("reports"));
        silent.play(1).await;
        silent.play(2).await;
        let playback = reports.play(3).await;
        eventually("its session is stopped", async || {
            reports.report("/Progress", &playback).await;
            silent.now_playing().await.is_none()
        })
        .await;
        for _ in 0..5 {
            sleep(delays.idle / 3).await;
            reports.report("/Progress", &playback).await;
        }
        let open = [1, 2, 3].map(|number| set.holders(number).len());
        assert_eq!(open, [1; 3], "{version:?}: for ever");
    }
}

/// The job of a silent session ends with it, and gives nothing back besides.
#[tokio::test]
async fn silence_ends_the_job_too() {
    for version in VERSIONS {
        let delays = Delays {
            idle: Duration::from_millis(600),
            kill_timer: Duration::from_millis(600),
            ..Delays::quick()
        };
        let set = set_up(Settings { delays, ..quick(version) }).await;
        set.device("gate").open(1).await;
        let source = set.play(1).await;
        set.client.start(&source).await;
        set.report("", &source).await;
        eventually("the job and the consumer are gone", async || {
            set.counts().jobs == 0 && set.holders(1) == ["gate"]
        })
        .await;
        sleep(2 * delays.kill_timer).await;
        assert_eq!(set.holders(1), ["gate"], "{version:?}");
    }
}

/// The server knows the last playback of each session and live stream: the job of one before that gives nothing back.
#[tokio::test]
async fn the_job_of_a_playback_that_another_has_replaced_gives_nothing_back() {
    for version in VERSIONS {
        let delays = Delays { kill_timer: Duration::from_millis(600), ..Delays::quick() };
        let set = set_up(Settings { delays, ..quick(version) }).await;
        let first = set.play(1).await;
        set.client.start(&first).await;
        set.report("", &first).await;
        let second = set.play(1).await;
        set.report("", &second).await;
        eventually("the first job is gone", async || set.counts().jobs == 0).await;
        sleep(delays.kill_timer).await;
        assert_eq!(set.holders(1).len(), 2, "{version:?}");
        set.report("/Stopped", &second).await;
        assert_eq!(set.holders(1).len(), 1, "{version:?}");
    }
}

/// Where nobody has reported the live stream, 12.0 gives back for every `Stopped`, also for the second one.
#[tokio::test]
async fn a_second_stopped_takes_the_consumer_of_who_never_reports() {
    for (version, left) in [(Version::V12, 0), (Version::V10_11, 1)] {
        let set = set_up(quick(version)).await;
        let a = set.device("a");
        set.device("gate").open(1).await;
        let playback = a.play(1).await;
        a.report("/Stopped", &playback).await;
        assert_eq!(set.holders(1), ["gate"], "{version:?}");
        a.report("/Stopped", &playback).await;
        assert_eq!(set.holders(1).len(), left, "{version:?}");
    }
}

/// A player goes on after the server has crashed: the new process believes its reports, and its `Stopped` takes the consumer
/// of somebody who has opened the channel since.
#[tokio::test]
async fn a_restart_forgets_openings_and_believes_reports() {
    for (version, not_open) in [(Version::V12, 404), (Version::V10_11, 500)] {
        let set = set_up(quick(version)).await;
        let playback = set.device("a").play(1).await;
        let before = set.play(1).await;
        let Set { origin, token, .. } = set;
        let origin = origin.restart().await.unwrap();
        let set = Set { client: Client::of(&origin), origin, token };
        assert_eq!((set.counts().tuners_open, set.origin.consumers().len()), (0, 0));
        let live = before["TranscodingUrl"].as_str().unwrap().replace("master", "live");
        assert_eq!(set.status(&live).await, not_open, "{version:?}");
        let a = set.device("a");
        assert_eq!(a.now_playing().await, None);
        let again = set.play(1).await;
        assert_eq!(again["LiveStreamId"], before["LiveStreamId"]);
        assert_ne!(again["Path"], before["Path"]);
        a.report("/Progress", &playback).await;
        assert_eq!(set.holders(1), ["dev-a"]);
        a.report("/Stopped", &playback).await;
        assert_eq!(set.counts().tuners_open, 0, "{version:?}: closed under dev-a");
    }
}

#[tokio::test]
async fn sessions_are_listed_and_take_messages() {
    let set = set_up(Settings::quick()).await;
    let (a, key) = (set.device("a"), Settings::quick().api_key);
    let playback = a.play(1).await;
    let sessions = set.client.get(&format!("/Sessions?ApiKey={key}")).await.json();
    let [session] = &sessions.as_array().unwrap()[..] else { panic!("{sessions}") };
    assert_eq!((&session["DeviceId"], &session["UserName"]), (&"a".into(), &"alice".into()));
    assert_eq!(session["PlayState"]["LiveStreamId"], playback["LiveStreamId"]);
    let gate = Device { set: &set, token: key, name: "gate" };
    let path = format!("/Sessions/{}/Message", session["Id"].as_str().unwrap());
    gate.post(&path, &json!({"Header": "Tuners", "Text": "All are in use.", "TimeoutMs": 5000})).await;
    gate.post(&path, &json!({"Text": "Again."})).await;
    let messages = set.origin.messages();
    let shown: Vec<_> = messages
        .iter()
        .map(|message| (message.device.as_str(), message.header.as_deref(), message.timeout_ms))
        .collect();
    assert_eq!(shown, [("a", Some("Tuners"), Some(5000)), ("a", None, None)]);
    let bob =
        set.client.get(&format!("/Sessions?ApiKey={}", Settings::quick().users[1].token())).await.json();
    assert_eq!(bob, json!([]), "another user's sessions are not listed");
}
