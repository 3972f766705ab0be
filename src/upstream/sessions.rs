//! The server's sessions: who plays what on which device, and messages to them.
//!
//! Source: `SessionController.cs` of Jellyfin 10.8 to 12.0. An API key sees every session, a user only those it may control.

use http::Method;
use serde_json::{Value, json};

use crate::upstream::call::{Error, Login, PROMPT, encoded};
use crate::upstream::jellyfin::{Jellyfin, field};
use domain::key::{ItemId, LiveStreamId, MediaSourceId};

/// The most sessions that are read.
const SESSIONS: usize = 1000;

/// A session: an app on a device.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Session {
    /// The server's name for it.
    pub id: String,
    /// The device.
    pub device: String,
    /// The user's id; `None` if nobody is logged in.
    pub user: Option<String>,
    /// The user's name.
    pub user_name: Option<String>,
    /// What it plays by its own reports.
    pub playing: Option<Playing>,
}

/// What a session plays.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Playing {
    /// The item.
    pub item: Option<ItemId>,
    /// The media source.
    pub source: Option<MediaSourceId>,
    /// The item's name.
    pub name: Option<String>,
}

impl Jellyfin {
    /// The sessions that the login may see.
    pub async fn sessions(&self, prefix: &str, login: &Login) -> Result<Vec<Session>, Error> {
        let path = format!("{prefix}/Sessions");
        let sessions = self.calls.get(&path, "", login).await?;
        let sessions = sessions.as_array().ok_or(Error::Unreadable("no sessions"))?;
        Ok(sessions.iter().take(SESSIONS).filter_map(session).collect())
    }

    /// Shows a message at a session. Without a time limit jellyfin-web shows a dialog with heading and text, with one the text alone.
    pub async fn show(
        &self,
        prefix: &str,
        session: &str,
        (heading, text): (&str, &str),
        login: &Login,
    ) -> Result<(), Error> {
        let path = format!("{prefix}/Sessions/{}/Message", encoded(session));
        let message = json!({ "Header": heading, "Text": text });
        let request = self.calls.request(Method::POST, &path, "", login, Some(&message))?;
        self.calls.whole(request, PROMPT).await.map(drop)
    }
}

fn session(session: &Value) -> Option<Session> {
    let text = |name: &str| field(session, name).and_then(Value::as_str).filter(|text| !text.is_empty());
    let playing = field(session, "NowPlayingItem").filter(|item| item.is_object()).map(|item| Playing {
        item: field(item, "Id").and_then(Value::as_str).and_then(ItemId::parse),
        source: field(session, "PlayState").and_then(source),
        name: field(item, "Name").and_then(Value::as_str).map(str::to_owned),
    });
    Some(Session {
        id: text("Id")?.to_owned(),
        device: text("DeviceId")?.to_owned(),
        user: text("UserId").map(str::to_owned),
        user_name: text("UserName").map(str::to_owned),
        playing,
    })
}

/// The media source that a session plays: of a live stream it stands at the end of its name.
fn source(state: &Value) -> Option<MediaSourceId> {
    let text = |name: &str| field(state, name).and_then(Value::as_str).filter(|text| !text.is_empty());
    let of_live_stream = || LiveStreamId::new(text("LiveStreamId")?).media_source();
    text("MediaSourceId").map(MediaSourceId::new).or_else(of_live_stream)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::upstream::fake::Fake;

    #[tokio::test]
    async fn sessions_are_read_as_far_as_they_can_be() {
        let item = "a".repeat(32);
        let sessions = json!([
            {"Id": "1", "DeviceId": "tv", "UserId": "u", "UserName": "alice",
                "PlayState": {"MediaSourceId": "s"}, "NowPlayingItem": {"Id": item, "Name": "News"}},
            {"Id": "2", "DeviceId": "phone", "NowPlayingItem": null},
            {"Id": "3"}, 7,
        ]);
        let fake = Fake::start(move |_| {
            let answer = sessions.to_string();
            async move { Some((200, answer)) }
        })
        .await;
        let read = fake.jellyfin.sessions("/jf", &Login::default()).await.unwrap();
        let (id, device) = ("1".to_owned(), "tv".to_owned());
        let playing = Playing {
            item: ItemId::parse(&item),
            source: Some(MediaSourceId::new("s")),
            name: Some("News".to_owned()),
        };
        let (user, user_name) = (Some("u".to_owned()), Some("alice".to_owned()));
        assert_eq!(read[0], Session { id, device, user, user_name, playing: Some(playing) });
        assert_eq!((read.len(), read[1].playing.is_none()), (2, true));
        fake.jellyfin.show("/jf", "1 2", ("a", "b"), &Login::default()).await.unwrap();
        assert_eq!(fake.asked("POST /jf/Sessions/1%202/Message").len(), 1);
    }
}
