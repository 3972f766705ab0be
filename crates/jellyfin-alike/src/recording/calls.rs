//! Timers as clients see them (`LiveTvController.cs`, `RecordingNotifier.cs`).

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};

use crate::caller::Caller;
use crate::channel::Channel;
use crate::date;
use crate::guid;
use crate::notices::Audience;
use crate::parameters::Parameters;
use crate::recording::recorder;
use crate::recording::timer::Timer;
use crate::recording::timers::{Recording, Status};
use crate::response::{Refusal, Response, json, no_content};
use crate::server::Server;
use crate::settings::server_id;
use crate::state::State;

/// `GET /LiveTv/Timers`, for users with the right to live TV. What was recorded or given up is not listed.
///
/// # Errors
/// [`Refusal::Forbidden`] without the right.
pub(crate) fn list(state: &State, caller: &Caller) -> Result<Response, Refusal> {
    permitted(caller)?;
    let mut items = Vec::new();
    for recording in state.timers.all() {
        let number = recording.timer.channel;
        let channel = state.server.channels().iter().find(|channel| channel.number == number);
        if let (Status::New | Status::InProgress, Some(channel)) = (recording.status, channel) {
            items.push(as_json(channel, &recording));
        }
    }
    Ok(json(&json!({"TotalRecordCount": items.len(), "StartIndex": 0, "Items": items})))
}

/// `POST /LiveTv/Timers`.
///
/// # Errors
/// [`Refusal::Forbidden`] without the right, [`Refusal::BadRequest`] without a channel, a start and an end.
pub(crate) fn create(state: &Arc<State>, caller: &Caller, fields: &Parameters) -> Result<Response, Refusal> {
    permitted(caller)?;
    schedule(state, posted(&state.server, fields).ok_or(Refusal::BadRequest)?);
    Ok(no_content())
}

/// `DELETE /LiveTv/Timers/{id}`.
///
/// # Errors
/// [`Refusal::Forbidden`] without the right.
pub(crate) fn delete(state: &State, caller: &Caller, id: &str) -> Result<Response, Refusal> {
    permitted(caller)?;
    cancel(state, id);
    Ok(no_content())
}

/// Schedules a timer, and tells the clients.
pub(crate) fn schedule(state: &Arc<State>, timer: Timer) {
    let id = timer.id.clone();
    recorder::start(state, timer);
    // Last: whoever hears of it finds it among the timers.
    tell(state, "TimerCreated", &id);
}

/// Cancels a timer, and tells the clients. An unknown id is ignored.
pub(crate) fn cancel(state: &State, id: &str) {
    if state.timers.cancel(id) {
        tell(state, "TimerCancelled", id);
    }
}

fn tell(state: &State, kind: &str, id: &str) {
    let notice = json!({"Data": {"Id": id}, "MessageId": guid::random(), "MessageType": kind});
    state.notices.send(Audience::LiveTv, &notice);
}

fn permitted(caller: &Caller) -> Result<(), Refusal> {
    if caller.policy().live_tv { Ok(()) } else { Err(Refusal::Forbidden) }
}

/// The timer that a client posts; `None` without a known channel, a start and an end.
fn posted(server: &Server, fields: &Parameters) -> Option<Timer> {
    let channel = server.channel(&fields.text("ChannelId")?)?.number;
    let time = |name: &str| date::parse(&fields.text(name)?);
    let seconds = |name: &str| Duration::from_secs(fields.number(name).unwrap_or(0));
    Some(Timer {
        name: fields.text("Name").unwrap_or_default(),
        pre_padding: seconds("PrePaddingSeconds"),
        post_padding: seconds("PostPaddingSeconds"),
        ..Timer::new(channel, time("StartDate")?, time("EndDate")?)
    })
}

/// The JSON of a `TimerInfoDto`.
fn as_json(channel: &Channel, recording: &Recording) -> Value {
    let (timer, host) = (&recording.timer, guid::md5(&channel.playlist));
    json!({
        "Id": timer.id, "Type": "Timer", "ServerId": server_id(), "ServiceName": "Emby", "ExternalId": timer.id,
        "Status": recording.status.as_str(), "Name": timer.name, "Overview": "",
        "ChannelId": channel.item_id, "ChannelName": channel.name,
        "ExternalChannelId": format!("m3u_{host}{}", channel.media_source_id),
        "StartDate": date::format(timer.start), "EndDate": date::format(timer.end),
        "PrePaddingSeconds": timer.pre_padding.as_secs(), "PostPaddingSeconds": timer.post_padding.as_secs(),
        "IsPrePaddingRequired": false, "IsPostPaddingRequired": false, "Priority": 0, "KeepUntil": "UntilDeleted",
    })
}
