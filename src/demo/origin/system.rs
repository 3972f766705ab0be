//! What a client asks before it plays: the server, its users, its channels.

use serde_json::{Value, json};

use crate::body;
use crate::demo::origin::answer::{Answer, Refusal, json, text};
use crate::demo::origin::auth::{Caller, Credentials};
use crate::demo::origin::fields::{Fields, Query, member};
use crate::demo::origin::library::{new_guid, plain_id, server_id};
use crate::demo::origin::lock;
use crate::demo::origin::settings::{Token, User};
use crate::demo::origin::source::Object;
use crate::demo::origin::state::State;

/// Largest answer of the bitrate test, in bytes.
const LARGEST_TEST: u64 = 100_000_000;

/// `GET /health`.
pub(super) fn health() -> Answer {
    text("text/plain", "Healthy".to_owned())
}

/// `GET /System/Info/Public` and, with a token, `/System/Info`.
pub(super) fn info(state: &State) -> Answer {
    let info = Object::default()
        .with("LocalAddress", format!("http://{}{}", state.address, state.settings.base_path))
        .with("ServerName", "lab")
        .with("Version", state.settings.version.as_str())
        .with("ProductName", "Jellyfin Server")
        .with("OperatingSystem", "")
        .with("Id", server_id())
        .with("StartupWizardCompleted", true);
    json(&info)
}

/// `GET|POST /System/Ping`.
pub(super) fn ping() -> Answer {
    json(&"Jellyfin Server")
}

/// `GET /System/Endpoint`.
pub(super) fn endpoint() -> Answer {
    json(&Object::default().with("IsLocal", true).with("IsInNetwork", true))
}

/// `GET /System/Configuration/livetv`: the tuner and its limit.
pub(super) fn tuner_hosts(state: &State) -> Answer {
    json(&json!({"TunerHosts": [{
        "Id": server_id(), "Type": "m3u", "Url": "http://127.0.0.1:9981/channels.m3u",
        "TunerCount": state.settings.tuners, "AllowStreamSharing": true, "EnableStreamLooping": false,
        "FallbackMaxStreamingBitrate": state.settings.fallback_max_bitrate,
    }]}))
}

/// `GET /System/Configuration/encoding`: as far as anybody asks.
pub(super) fn encoding(state: &State) -> Answer {
    let kind = if state.settings.hardware { "vaapi" } else { "none" };
    json(
        &json!({"EncodingThreadCount": -1, "HardwareAccelerationType": kind, "EnableHardwareEncoding": true}),
    )
}

/// `GET /Playback/BitrateTest?Size=`: that many bytes, rounded up to a power of two.
///
/// # Errors
/// [`Refusal::BadRequest`] outside 1 byte to 100 MB.
pub(super) fn bitrate_test(query: &Query) -> Result<Answer, Refusal> {
    let size = query.number("Size").unwrap_or(102_400);
    if !(1..=LARGEST_TEST).contains(&size) {
        return Err(Refusal::BadRequest);
    }
    let mut bytes = vec![0; size.next_power_of_two() as usize];
    getrandom::fill(&mut bytes).map_err(|_| Refusal::Failed)?;
    let mut answer = http::Response::new(body::full(bytes));
    let octets = http::HeaderValue::from_static("application/octet-stream");
    answer.headers_mut().insert(http::header::CONTENT_TYPE, octets);
    Ok(answer)
}

/// `GET /Users/Me`: an API key is nobody.
///
/// # Errors
/// [`Refusal::BadRequest`] for an API key.
pub(super) fn me(caller: &Caller) -> Result<Answer, Refusal> {
    caller.user.as_ref().map(|user| json(&as_json(user))).ok_or(Refusal::BadRequest)
}

/// `GET /Users/{id}`.
///
/// # Errors
/// [`Refusal::Missing`] for an unknown id.
pub(super) fn user(state: &State, id: &str) -> Result<Answer, Refusal> {
    let id = plain_id(id);
    lock(&state.users)
        .iter()
        .find(|user| user.id == id)
        .map(|user| json(&as_json(user)))
        .ok_or(Refusal::Missing)
}

/// `GET /Users`.
pub(super) fn users(state: &State) -> Answer {
    json(&lock(&state.users).iter().map(as_json).collect::<Vec<_>>())
}

/// `POST /Users/AuthenticateByName`: a new token for the device the header names.
///
/// # Errors
/// [`Refusal::Unauthenticated`] for a wrong name or password, [`Refusal::BadRequest`] without a device.
pub(super) fn log_in(state: &State, given: Credentials, fields: &Fields) -> Result<Answer, Refusal> {
    let field = |name: &str| member(&fields.body, name).and_then(Value::as_str).unwrap_or_default();
    let (Some(client), Some(device_id)) = (given.client, given.device_id) else {
        return Err(Refusal::BadRequest);
    };
    let mut users = lock(&state.users);
    let user = users
        .iter_mut()
        .find(|user| user.name.eq_ignore_ascii_case(field("Username")) && user.password == field("Pw"))
        .ok_or(Refusal::Unauthenticated)?;
    let token = new_guid();
    // A device has one token: the one before is forgotten.
    user.tokens.retain(|known| known.device_id != device_id);
    user.tokens.push(Token { value: token.clone(), client, device_id });
    Ok(json(&json!({"User": as_json(user), "AccessToken": token, "ServerId": server_id()})))
}

fn as_json(user: &User) -> Value {
    let policy = user.policy;
    json!({
        "Name": user.name, "ServerId": server_id(), "Id": user.id, "HasPassword": true,
        "Policy": {
            "IsAdministrator": false, "IsDisabled": false, "EnableMediaPlayback": true,
            "EnableLiveTvAccess": policy.live_tv,
            "EnableVideoPlaybackTranscoding": policy.video_transcoding,
            "EnableAudioPlaybackTranscoding": policy.audio_transcoding,
        },
    })
}

/// `GET /LiveTv/Channels`, for those with the right.
///
/// # Errors
/// [`Refusal::Forbidden`] without it.
pub(super) fn channels(state: &State, caller: &Caller, query: &Query) -> Result<Answer, Refusal> {
    if !caller.policy().live_tv {
        return Err(Refusal::Forbidden);
    }
    let bound = |name: &str, default: usize| query.number(name).map_or(default, |value| value as usize);
    let page = state.channels().iter().skip(bound("StartIndex", 0)).take(bound("Limit", usize::MAX));
    let items: Vec<_> = page.map(|channel| channel.as_item()).collect();
    Ok(json(
        &json!({"Items": items, "TotalRecordCount": state.channels().len(), "StartIndex": bound("StartIndex", 0)}),
    ))
}
