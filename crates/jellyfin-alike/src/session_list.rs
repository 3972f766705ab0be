//! The list of sessions, and messages to them (`SessionController.cs`).

use serde_json::{Value, json};

use crate::caller::Caller;
use crate::notices::{Audience, Message};
use crate::parameters::Parameters;
use crate::response::{Refusal, Response, json, no_content};
use crate::sessions::Session;
use crate::settings::server_id;
use crate::state::State;

/// `GET /Sessions`: all of them for an API key, else those of the caller's user.
pub(crate) fn list(state: &State, caller: &Caller) -> Response {
    let own = |session: &Session| match &caller.user {
        Some(user) => session.caller.user.as_ref().is_some_and(|other| other.id == user.id),
        None => true,
    };
    let sessions = state.sessions.all();
    json(
        &sessions
            .iter()
            .filter(|session| own(session))
            .map(|session| as_json(state, session))
            .collect::<Vec<_>>(),
    )
}

fn as_json(state: &State, session: &Session) -> Value {
    let caller = &session.caller;
    let playing = session.playing.as_ref();
    let channel = playing.and_then(|playing| state.server.channel(playing.item.as_deref()?));
    let mut listed = json!({
        "Id": session.id, "Client": caller.client, "DeviceId": caller.device_id, "DeviceName": "Test",
        "UserId": caller.user.as_ref().map(|user| &user.id), "UserName": caller.user.as_ref().map(|user| &user.name),
        "ServerId": server_id(), "IsActive": true, "SupportsRemoteControl": true,
        "PlayState": { "IsPaused": playing.is_some_and(|playing| playing.paused) },
    });
    if let Some(id) = playing.and_then(|playing| playing.live_stream.as_ref()) {
        listed["PlayState"]["LiveStreamId"] = json!(id);
    }
    if let Some(channel) = channel {
        listed["NowPlayingItem"] = channel.to_item();
    }
    listed
}

/// `POST /Sessions/{id}/Message`: sends a text to the session's WebSockets.
///
/// # Errors
/// [`Refusal::Missing`] for an unknown session, [`Refusal::BadRequest`] without a text.
pub(crate) fn message(state: &State, id: &str, fields: &Parameters) -> Result<Response, Refusal> {
    let sessions = state.sessions.all();
    let session = sessions.iter().find(|session| session.id == id).ok_or(Refusal::Missing)?;
    let message = Message {
        device: session.caller.device_id.clone(),
        header: fields.text("Header"),
        text: fields.text("Text").ok_or(Refusal::BadRequest)?,
        timeout_ms: fields.number("TimeoutMs"),
    };
    let arguments = json!({
        "Header": message.header, "Text": message.text,
        "TimeoutMs": message.timeout_ms.map(|millis| millis.to_string()),
    });
    let command = json!({
        "MessageType": "GeneralCommand", "Data": { "Name": "DisplayMessage", "Arguments": arguments },
    });
    state.notices.send(Audience::Session(session.caller.session()), &command);
    state.notices.keep(message);
    Ok(no_content())
}
