//! Clients' reports of playback, and what they end: jobs, sessions, and the consumers of live streams
//! (`PlaystateController.cs`, `SessionController.cs`).

use std::sync::Arc;

use tokio::time::sleep;

use crate::auth;
use crate::caller::Caller;
use crate::parameters::{Parameters, Query, member};
use crate::response::{Refusal, Response, no_content};
use crate::sessions::Playing;
use crate::settings::Version;
use crate::state::State;

/// `POST /Sessions/Playing` and `/Sessions/Playing/Progress`.
pub(crate) fn playing(state: &State, caller: &Caller, parameters: &Parameters) -> Response {
    state.sessions.started(caller, parameters);
    if let Some(play_session) = parameters.text("PlaySessionId") {
        state.jobs.ping_session(&play_session);
    }
    no_content()
}

/// `POST /Sessions/Playing/Ping`.
pub(crate) fn ping(state: &State, query: &Query) -> Result<Response, Refusal> {
    let play_session = query.get("playSessionId").ok_or(Refusal::BadRequest)?;
    state.jobs.ping_session(play_session);
    Ok(no_content())
}

/// `POST /Sessions/Playing/Stopped`: kills the play session's jobs, and gives the live stream's consumer back if
/// [`Sessions::gives_back`](crate::sessions::Sessions::gives_back) says so.
pub(crate) async fn stopped(
    state: &State,
    caller: &Caller,
    parameters: &Parameters,
) -> Result<Response, Refusal> {
    let (response, ()) =
        tokio::join!(stop(state, caller, parameters), sleep(state.server.settings.delays.stop));
    response
}

async fn stop(state: &State, caller: &Caller, parameters: &Parameters) -> Result<Response, Refusal> {
    if let Some(play_session) = parameters.text("PlaySessionId") {
        let _ = state.jobs.kill_session(&play_session).await;
    }
    let position = member(&parameters.body, "PositionTicks").and_then(serde_json::Value::as_i64).unwrap_or(0);
    if position < 0 && state.server.settings.version == Version::V10_11 {
        return Err(Refusal::BadRequest);
    }
    let session = caller.session();
    state.sessions.stopped(&session);
    if let Some(id) = parameters.text("LiveStreamId")
        && state.sessions.gives_back(&id, &session)
    {
        let play_session = parameters.text("PlaySessionId").unwrap_or_default();
        state.live_streams.close(&id, &caller.consumer(&play_session)).await;
    }
    if position < 0 { Err(Refusal::BadRequest) } else { Ok(no_content()) }
}

/// `POST /Sessions/Logout`: revokes the token; the live streams stay open.
pub(crate) fn logout(state: &State, caller: &Caller) -> Response {
    state.sessions.ended(&caller.session());
    auth::revoke(state, &caller.token);
    no_content()
}

/// `DELETE /Videos/ActiveEncodings`: kills the play session's jobs. The device id is required, but not used.
pub(crate) async fn delete_encodings(state: &State, query: &Query) -> Result<Response, Refusal> {
    query.get("deviceId").ok_or(Refusal::BadRequest)?;
    let play_session = query.get("playSessionId").ok_or(Refusal::BadRequest)?;
    let _ = state.jobs.kill_session(play_session).await;
    Ok(no_content())
}

/// Handles the close of a session's WebSocket: after the last one the session ends, and with it what it plays.
pub(crate) async fn disconnected(state: &State, session: &str) {
    if !state.sessions.disconnected(session) {
        return;
    }
    sleep(state.server.settings.delays.websocket).await;
    if let Some(playing) = state.sessions.ended(session) {
        give_back(state, session, playing).await;
    }
}

/// Stops the sessions that play without having reported for `Delays::idle`, and looks for them as often. The server's stop names no live
/// stream: what is given back is what a job of the session plays, with its end. What a device played before stays open.
pub(crate) async fn stop_idle_sessions(state: Arc<State>) {
    loop {
        sleep(state.server.settings.delays.idle).await;
        for session in state.sessions.idle() {
            if let Some(playing) = state.sessions.stopped(&session)
                && state.jobs.kill_session(&playing.consumer.play_session).await
            {
                give_back(&state, &session, playing).await;
            }
        }
    }
}

async fn give_back(state: &State, session: &str, playing: Playing) {
    if let Some(id) = playing.live_stream
        && state.sessions.gives_back(&id, session)
    {
        state.live_streams.close(&id, &playing.consumer).await;
    }
}
