//! What clients report of their playing, and which of it gives a live stream's consumer back (`SessionManager.cs`).

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::time::{Instant, sleep};

use crate::demo::origin::answer::{Answer, Refusal, no_content};
use crate::demo::origin::auth::{self, Caller};
use crate::demo::origin::fields::{Fields, Query, member};
use crate::demo::origin::settings::Version;
use crate::demo::origin::state::State;
use crate::demo::origin::{live, lock, transcode};

/// A session that has not reported for this long no longer counts as playing (`CheckForIdlePlayback`).
const IDLE: Duration = Duration::from_secs(300);

/// What is known from reports.
#[derive(Debug, Default)]
pub(super) struct Sessions {
    known: Mutex<Known>,
}

#[derive(Debug, Default)]
struct Known {
    playing: BTreeMap<String, Playing>,
    /// By live stream: session to play session, and play session to session.
    holders: BTreeMap<String, BTreeMap<String, String>>,
    sockets: BTreeMap<String, usize>,
}

#[derive(Debug)]
struct Playing {
    live_stream: Option<String>,
    play_session: String,
    paused: bool,
    reported: Instant,
}

impl Sessions {
    /// Whether a session plays this: the server then pings its job by itself, every second.
    pub(super) fn plays(&self, play_session: &str) -> bool {
        lock(&self.known).playing.values().any(|playing| {
            !playing.paused
                && playing.reported.elapsed() < IDLE
                && playing.play_session.eq_ignore_ascii_case(play_session)
        })
    }

    /// Whether the end of a session or of its job gives the stream's consumer back; `holder` is either's name.
    /// 10.11: only if it was reported to play that stream; 12.0: also if nobody was.
    pub(super) fn gives_back(&self, version: Version, live_stream: &str, holder: &str) -> bool {
        let mut known = lock(&self.known);
        let Some(holders) = known.holders.get_mut(live_stream) else {
            return match version {
                Version::V12 => true,
                Version::V10_11 => false,
            };
        };
        let other = holders.remove(holder);
        if let Some(other) = &other {
            holders.remove(other);
        }
        if holders.is_empty() {
            known.holders.remove(live_stream);
        }
        other.is_some()
    }

    fn started(&self, session: &str, fields: &Fields) {
        let play_session = fields.text("PlaySessionId").unwrap_or_default();
        let live_stream = fields.text("LiveStreamId");
        let mut known = lock(&self.known);
        if let Some(id) = &live_stream {
            let holders = known.holders.entry(id.clone()).or_default();
            holders.insert(session.to_owned(), play_session.clone());
            if !play_session.is_empty() {
                holders.insert(play_session.clone(), session.to_owned());
            }
        }
        let paused = fields.flag("IsPaused").unwrap_or(false);
        let playing = Playing { live_stream, play_session, paused, reported: Instant::now() };
        known.playing.insert(session.to_owned(), playing);
    }

    fn stopped(&self, session: &str) -> Option<String> {
        lock(&self.known).playing.remove(session)?.live_stream
    }

    /// A WebSocket of the session has opened.
    pub(super) fn connected(&self, session: &str) {
        *lock(&self.known).sockets.entry(session.to_owned()).or_default() += 1;
    }

    /// A WebSocket of the session has closed; true if that was its last one.
    fn disconnected(&self, session: &str) -> bool {
        let mut known = lock(&self.known);
        let Some(count) = known.sockets.get_mut(session) else { return true };
        *count -= 1;
        let last = *count == 0;
        if last {
            known.sockets.remove(session);
        }
        last
    }
}

/// `POST /Sessions/Playing` and `/Sessions/Playing/Progress`.
pub(super) fn playing(state: &State, caller: &Caller, fields: &Fields) -> Answer {
    state.sessions.started(&caller.session(), fields);
    if let Some(play_session) = fields.text("PlaySessionId") {
        state.jobs.ping_session(&play_session, state.settings.delays.kill_timer);
    }
    no_content()
}

/// `POST /Sessions/Playing/Ping`.
pub(super) fn ping(state: &State, query: &Query) -> Result<Answer, Refusal> {
    let play_session = query.get("playSessionId").ok_or(Refusal::BadRequest)?;
    state.jobs.ping_session(play_session, state.settings.delays.kill_timer);
    Ok(no_content())
}

/// `POST /Sessions/Playing/Stopped`: kills the play session's jobs and may give the live stream back.
pub(super) async fn stopped(state: &Arc<State>, caller: &Caller, fields: &Fields) -> Result<Answer, Refusal> {
    let (answer, ()) = tokio::join!(stop(state, caller, fields), sleep(state.settings.delays.stop));
    answer
}

async fn stop(state: &Arc<State>, caller: &Caller, fields: &Fields) -> Result<Answer, Refusal> {
    if let Some(play_session) = fields.text("PlaySessionId") {
        transcode::kill_session(state, &play_session).await;
    }
    let position = member(&fields.body, "PositionTicks").and_then(serde_json::Value::as_i64).unwrap_or(0);
    if position < 0 && state.settings.version == Version::V10_11 {
        return Err(Refusal::BadRequest);
    }
    let session = caller.session();
    state.sessions.stopped(&session);
    if let Some(id) = fields.text("LiveStreamId")
        && state.sessions.gives_back(state.settings.version, &id, &session)
    {
        live::close(state, &id).await;
    }
    if position < 0 { Err(Refusal::BadRequest) } else { Ok(no_content()) }
}

/// `POST /Sessions/Logout`: the token is gone, the live streams stay.
pub(super) fn logout(state: &State, caller: &Caller) -> Answer {
    state.sessions.stopped(&caller.session());
    auth::revoke(state, &caller.token);
    no_content()
}

/// `DELETE /Videos/ActiveEncodings`: by play session alone, though both parameters are wanted.
pub(super) async fn delete_encodings(state: &Arc<State>, query: &Query) -> Result<Answer, Refusal> {
    query.get("deviceId").ok_or(Refusal::BadRequest)?;
    let play_session = query.get("playSessionId").ok_or(Refusal::BadRequest)?;
    transcode::kill_session(state, play_session).await;
    Ok(no_content())
}

/// A session's WebSocket has closed: with its last one the session ends, and its live stream is given back.
pub(super) async fn disconnected(state: &Arc<State>, session: &str) {
    if !state.sessions.disconnected(session) {
        return;
    }
    sleep(state.settings.delays.socket).await;
    if let Some(id) = state.sessions.stopped(session)
        && state.sessions.gives_back(state.settings.version, &id, session)
    {
        live::close(state, &id).await;
    }
}
