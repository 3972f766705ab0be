//! Timers and the recorder: when a recording begins, what it opens, and what it does without a tuner.

use std::time::{Duration, SystemTime};

use futures_util::StreamExt;
use jellyfin_alike::{Delays, Holder, Policy, Recording, Settings, Status, Timer, User};
use serde_json::{Value, json};

use crate::client::bearer;
use crate::set::{Set, set_up};
use crate::wait::{eventually, soon};

const HOUR: Duration = Duration::from_secs(3600);

/// A timer for a programme that starts in `start`.
fn timer(channel: u32, start: Duration) -> Timer {
    let start = SystemTime::now() + start;
    Timer::new(channel, start, start + HOUR)
}

impl Set {
    fn recording(&self) -> Recording {
        self.origin.recordings().remove(0)
    }

    async fn timers(&self) -> Vec<Value> {
        let timers = self.client.get(&format!("/LiveTv/Timers?ApiKey={}", self.token)).await.json();
        assert_eq!(timers["TotalRecordCount"], timers["Items"].as_array().unwrap().len());
        timers["Items"].as_array().unwrap().clone()
    }

    fn is_recorded(&self, number: usize) -> bool {
        let id = &self.origin.channels()[number - 1].live_stream_id;
        let consumers = self.origin.consumers().remove(id).unwrap_or_default();
        consumers.iter().any(|consumer| matches!(consumer.holder, Holder::Recorder { .. }))
    }
}

#[tokio::test]
async fn a_client_makes_sees_and_cancels_a_timer() {
    let mut carol = User::new("carol");
    carol.policy = Policy { live_tv: false, ..Policy::default() };
    let set = set_up(Settings { users: vec![User::new("alice"), carol.clone()], ..Settings::quick() }).await;
    let url = format!("ws://{}/socket?ApiKey={}", set.origin.addr(), set.token);
    let (mut socket, _) = tokio_tungstenite::connect_async(url).await.unwrap();
    soon(socket.next()).await.unwrap().unwrap();
    let channel = set.origin.channels().remove(0);
    let wish = json!({
        "ChannelId": channel.item_id, "Name": "News", "StartDate": "2100-01-01T20:15:00.0000000Z",
        "EndDate": "2100-01-01T20:30:00Z", "PrePaddingSeconds": 120, "PostPaddingSeconds": 300,
    });
    assert_eq!(set.client.post("/LiveTv/Timers", carol.token(), &wish).await.status, 403);
    assert_eq!(set.client.post("/LiveTv/Timers", &set.token, &json!({"Name": "News"})).await.status, 400);
    assert_eq!(set.client.post("/LiveTv/Timers", &set.token, &wish).await.status, 204);
    let timers = set.timers().await;
    let [timer] = &timers[..] else { panic!("{timers:?}") };
    for (name, value) in [
        ("Type", json!("Timer")),
        ("Status", json!("New")),
        ("Name", json!("News")),
        ("ChannelId", json!(channel.item_id)),
        ("ChannelName", json!(channel.name)),
        ("StartDate", json!("2100-01-01T20:15:00.0000000Z")),
        ("EndDate", json!("2100-01-01T20:30:00.0000000Z")),
        ("PrePaddingSeconds", json!(120)),
        ("PostPaddingSeconds", json!(300)),
        ("IsPrePaddingRequired", json!(false)),
    ] {
        assert_eq!(timer[name], value, "{name}");
    }
    let external = timer["ExternalChannelId"].as_str().unwrap();
    assert!(external.starts_with("m3u_") && external.ends_with(&channel.media_source_id), "{external}");
    let id = timer["Id"].as_str().unwrap();
    let bearer = bearer(&set.token, "dev-a");
    let path = format!("/LiveTv/Timers/{id}");
    assert_eq!(set.client.send("DELETE", &path, &[("authorization", &bearer)], None).await.status, 204);
    assert_eq!(set.timers().await.len(), 0);
    for kind in ["TimerCreated", "TimerCancelled"] {
        let notice = soon(socket.next()).await.unwrap().unwrap();
        let notice: Value = serde_json::from_str(notice.to_text().unwrap()).unwrap();
        assert_eq!((&notice["MessageType"], &notice["Data"]["Id"]), (&json!(kind), &json!(id)));
    }
    assert_eq!(set.client.get(&format!("/LiveTv/Timers?ApiKey={}", carol.token())).await.status, 403);
}

#[tokio::test]
async fn a_recording_begins_with_its_pre_padding_and_gives_its_tuner_back() {
    let set = set_up(Settings::quick()).await;
    let second = Duration::from_secs(1);
    let start = SystemTime::now() + 3 * second;
    set.origin.schedule(Timer { pre_padding: 2 * second, ..Timer::new(1, start, start + second) });
    assert_eq!((set.recording().status, set.is_recorded(1)), (Status::New, false));
    eventually("it is recorded", async || set.recording().status == Status::InProgress).await;
    assert!(SystemTime::now() < start, "before the programme");
    assert!(set.is_recorded(1));
    assert_eq!(set.timers().await[0]["Status"], "InProgress");
    assert!(set.recording().lost_pre_padding().unwrap() < second, "{:?}", set.recording());
    eventually("it ends", async || set.recording().status == Status::Completed).await;
    assert!(SystemTime::now() >= start + second);
    eventually("its tuner is free", async || set.counts().tuners_open == 0).await;
    assert_eq!((set.recording().failures, set.timers().await.len()), (0, 0));
}

/// A channel that is open already needs no tuner.
#[tokio::test]
async fn a_recording_shares_an_open_channel() {
    let set = set_up(Settings { tuners: 1, ..Settings::quick() }).await;
    set.play(1).await;
    let timer = timer(1, Duration::from_millis(200));
    set.origin.schedule(timer.clone());
    eventually("it is recorded", async || set.is_recorded(1)).await;
    assert!(set.recording().late().unwrap() < Duration::from_millis(200), "{:?}", set.recording());
    assert_eq!(set.consumers(), 2);
    set.origin.cancel(&timer.id);
    eventually("it holds nothing any more", async || set.consumers() == 1).await;
    assert_eq!(set.recording().status, Status::Cancelled);
}

/// Without a tuner the timer goes back to `New`, without its pre-padding, and is tried again.
#[tokio::test]
async fn a_recording_without_a_tuner_is_tried_again() {
    let set = set_up(Settings { tuners: 1, ..Settings::quick() }).await;
    let playing = set.play(1).await;
    let timer = Timer { pre_padding: Duration::from_secs(10), ..timer(2, Duration::from_secs(10)) };
    set.origin.schedule(timer);
    eventually("two tries fail", async || set.recording().failures == 2).await;
    let listed = &set.timers().await[0];
    assert_eq!((&listed["Status"], &listed["PrePaddingSeconds"]), (&json!("New"), &json!(0)));
    assert_eq!(set.report("/Stopped", &playing).await, 204);
    eventually("the next try succeeds", async || set.recording().status == Status::InProgress).await;
    let recording = set.recording();
    assert!(recording.lost_pre_padding().unwrap() > Duration::from_secs(1), "{recording:?}");
}

#[tokio::test]
async fn a_recording_is_given_up_after_ten_retries() {
    let delays = Delays { retry: Duration::from_millis(20), ..Delays::quick() };
    let set = set_up(Settings { tuners: 1, delays, ..Settings::quick() }).await;
    set.play(1).await;
    set.origin.schedule(timer(2, Duration::ZERO));
    eventually("it is deleted", async || set.recording().status == Status::Deleted).await;
    assert_eq!((set.recording().failures, set.timers().await.len()), (11, 0));
    assert_eq!(set.recording().late(), None);
}

#[tokio::test]
async fn a_recording_goes_on_when_its_channel_was_closed_under_it() {
    let set = set_up(Settings::quick()).await;
    set.origin.schedule(timer(1, Duration::ZERO));
    eventually("it is recorded", async || set.is_recorded(1)).await;
    let close = format!("/LiveStreams/Close?liveStreamId={}", set.origin.channels()[0].live_stream_id);
    assert_eq!(set.client.post(&close, &set.token, &Value::Null).await.status, 204);
    eventually("it begins again", async || set.recording().losses == 1 && set.is_recorded(1)).await;
}

#[tokio::test]
async fn timers_outlive_a_restart() {
    let set = set_up(Settings::quick()).await;
    set.origin.schedule(timer(1, Duration::ZERO));
    set.origin.schedule(timer(2, HOUR));
    eventually("the first is recorded", async || set.is_recorded(1)).await;
    let origin = set.origin.restart().await.unwrap();
    let set = Set { origin, ..set };
    eventually("it is recorded again", async || set.is_recorded(1)).await;
    assert_eq!(set.origin.recordings().len(), 2);
}

#[tokio::test]
async fn what_has_ended_is_not_recorded() {
    let set = set_up(Settings::quick()).await;
    let now = SystemTime::now();
    set.origin.schedule(Timer::new(1, now - HOUR, now - HOUR / 2));
    eventually("it is deleted", async || set.recording().status == Status::Deleted).await;
    assert_eq!(set.counts().tunes, 0);
}
