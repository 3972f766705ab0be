//! Passes on what changes the recordings that the server is to make, has a tuner free for one that begins at once, and notices what
//! the server tells its clients of such changes.
//!
//! Does not know which recordings there are: the supervisor asks the server.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use http::{Method, Request, Response};
use serde_json::Value;
use tracing::debug;

use crate::body::Body;
use crate::proxy::auth::{Asker, Verdict};
use crate::proxy::gateway::Gateway;
use crate::proxy::passage::Passage;
use crate::proxy::query::Query;
use crate::proxy::route::prefix;
use crate::proxy::websocket::OnMessage;
use crate::upstream::jellyfin::field;
use crate::upstream::live_tv::recording_starts;
use domain::key::ItemId;

/// A recording that begins later is found in time among the server's timers.
const SOON: Duration = Duration::from_secs(30);

impl Gateway {
    /// Passes on a change of the timers. A tuner that its recording needs at once is freed first, if the client may watch live TV:
    /// the server's recorder, if denied one, tries again only after 60 s. Runs in a task of its own: the server gets the timer even if
    /// the client does not wait until a tuner is free.
    pub(super) async fn timers(self: &Arc<Self>, request: Request<Body>) -> Response<Body> {
        let (gateway, passage) = (Arc::clone(self), Passage::under_way(&request));
        self.to_the_end(passage, async move { gateway.pass_timers(request).await }).await
    }

    async fn pass_timers(&self, request: Request<Body>) -> Response<Body> {
        let is_new = *request.method() == Method::POST;
        let asker = self.asker(&request, &Query::of(request.uri()));
        let prefix = prefix(request.uri()).to_owned();
        let (request, imminent) = match asker {
            Some(asker) if is_new && self.may_record(&asker, &prefix).await => self.read_timer(request).await,
            Some(_) | None => (request, None),
        };
        let is_freed = match imminent {
            Some(Imminent { item }) => self.free_tuner_for_recording(item.as_ref()).await,
            None => false,
        };
        let response = self.forward(request).await;
        // While the recorder opens the channel its timer still says that it needs a tuner, and would cost another channel.
        if response.status().is_success() && !is_freed {
            self.supervisor.tuners().timers_changed();
        }
        response
    }

    /// What has to see the messages that the server sends to a client: the timers are asked for when one of them has changed, such as
    /// by a client beside the gateway.
    pub(super) fn timer_notices(&self) -> OnMessage {
        let supervisor = self.supervisor.clone();
        OnMessage(Arc::new(move |message| {
            if is_about_timers(message) {
                supervisor.tuners().timers_changed();
            }
        }))
    }

    async fn may_record(&self, asker: &Asker, prefix: &str) -> bool {
        match self.auth.check(prefix, asker).await {
            Verdict::Allowed(_) => true,
            Verdict::NoLiveTv | Verdict::Denied | Verdict::Unknown => false,
        }
    }

    /// The request, and the recording that it schedules, if that begins soon. One that cannot be read does not.
    async fn read_timer(&self, request: Request<Body>) -> (Request<Body>, Option<Imminent>) {
        match self.keep(request).await {
            Ok((parts, timer)) => {
                let imminent = Imminent::of(timer.bytes(), SystemTime::now());
                (Request::from_parts(parts, timer.into()), imminent)
            }
            Err(unread) => (unread, None),
        }
    }

    async fn free_tuner_for_recording(&self, item: Option<&ItemId>) -> bool {
        debug!("a client schedules a recording that begins at once");
        self.supervisor.tuners().free_tuner_for_recording(item).await
    }
}

/// A recording that begins soon.
#[derive(Debug, PartialEq, Eq)]
struct Imminent {
    /// The channel's item, if it is told.
    item: Option<ItemId>,
}

impl Imminent {
    fn of(timer: &[u8], now: SystemTime) -> Option<Self> {
        let timer = serde_json::from_slice::<Value>(timer).ok()?;
        recording_starts(&timer).filter(|starts| *starts <= now + SOON)?;
        let item = field(&timer, "ChannelId").and_then(Value::as_str).and_then(ItemId::parse);
        Some(Self { item })
    }
}

/// Whether a message says that there is a timer more, or less (`SessionMessageType.cs`).
fn is_about_timers(message: &[u8]) -> bool {
    let message = serde_json::from_slice::<Value>(message).ok();
    let kind = message.as_ref().and_then(|message| field(message, "MessageType")?.as_str());
    matches!(kind, Some("TimerCreated" | "TimerCancelled" | "SeriesTimerCreated" | "SeriesTimerCancelled"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn which_messages_are_about_timers() {
        for (message, expected) in [
            (r#"{"MessageType":"TimerCreated","Data":{"Id":"a"}}"#, true),
            (r#"{"Data":{"Id":"a"},"MessageId":"b","MessageType":"SeriesTimerCancelled"}"#, true),
            (r#"{"MessageType":"ForceKeepAlive","Data":60}"#, false),
            (r#"{"MessageType":"GeneralCommand","Data":{"MessageType":"TimerCreated"}}"#, false),
            ("TimerCreated", false),
        ] {
            assert_eq!(is_about_timers(message.as_bytes()), expected, "{message}");
        }
    }

    #[test]
    fn what_begins_soon() {
        let now = SystemTime::UNIX_EPOCH + Duration::from_secs(3600);
        for (timer, expected) in [
            (r#"{"StartDate":"1970-01-01T00:59:00.0000000Z"}"#, true),
            (r#"{"startDate":"1970-01-01T01:00:30Z","ChannelId":7}"#, true),
            (r#"{"StartDate":"1970-01-01T01:00:31Z"}"#, false),
            (r#"{"StartDate":"1970-01-01T01:10:00Z","PrePaddingSeconds":600}"#, true),
            (r#"{"StartDate":null}"#, false),
            ("[]", false),
            ("", false),
        ] {
            let imminent = Imminent::of(timer.as_bytes(), now);
            assert_eq!(imminent, expected.then_some(Imminent { item: None }), "{timer}");
        }
        let item = "a".repeat(32);
        let timer = format!(r#"{{"StartDate":"1970-01-01T00:59:00Z","ChannelId":"{item}"}}"#);
        assert_eq!(Imminent::of(timer.as_bytes(), now), Some(Imminent { item: ItemId::parse(&item) }));
    }
}
