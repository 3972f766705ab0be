//! The calls of a client before it plays: the server's information and configuration, its users, its channels.

use serde_json::{Value, json};

use crate::auth::Credentials;
use crate::body::Body;
use crate::caller::Caller;
use crate::guid;
use crate::parameters::{Parameters, Query, member};
use crate::response::{Refusal, Response, json, text};

use crate::lock::lock;
use crate::media_source::Object;
use crate::settings::{Token, User, server_id};
use crate::state::State;

/// The largest response of the bitrate test, in bytes.
const LARGEST_TEST: u64 = 100_000_000;

/// `GET /health`.
pub(crate) fn health() -> Response {
    text("text/plain", "Healthy".to_owned())
}

/// `GET /System/Info/Public` and, with a token, `/System/Info`.
pub(crate) fn info(state: &State) -> Response {
    let info = Object::default()
        .with("LocalAddress", format!("http://{}{}", state.server.address, state.server.settings.base_path))
        .with("ServerName", "lab")
        .with("Version", state.server.settings.version.as_str())
        .with("ProductName", "Jellyfin Server")
        .with("OperatingSystem", "")
        .with("Id", server_id())
        .with("StartupWizardCompleted", true);
    json(&info)
}

/// `GET|POST /System/Ping`.
pub(crate) fn ping() -> Response {
    json(&"Jellyfin Server")
}

/// `GET /System/Endpoint`.
pub(crate) fn endpoint() -> Response {
    json(&Object::default().with("IsLocal", true).with("IsInNetwork", true))
}

/// `GET /System/Configuration/network`, for administrators: no proxy is known, as after the installation.
///
/// # Errors
/// [`Refusal::Forbidden`] for others.
pub(crate) fn network(caller: &Caller) -> Result<Response, Refusal> {
    if caller.policy().administrator {
        Ok(json(&json!({"KnownProxies": []})))
    } else {
        Err(Refusal::Forbidden)
    }
}

/// `GET /System/Configuration/livetv`: the tuner host with its limit, for every login (`LiveTvOptions.cs`).
pub(crate) fn tuner_hosts(state: &State) -> Response {
    let settings = &state.server.settings;
    let host = |(playlist, tuners): (&str, usize)| {
        json!({
            "Id": guid::md5(playlist), "Type": "m3u", "Url": playlist,
            "TunerCount": if settings.tells_tuners { tuners } else { 0 },
            "AllowStreamSharing": true, "EnableStreamLooping": false,
            "FallbackMaxStreamingBitrate": settings.fallback_max_bitrate,
        })
    };
    json(&json!({"TunerHosts": state.server.tuner_hosts().into_iter().map(host).collect::<Vec<_>>()}))
}

/// `GET /System/Configuration/encoding`: the fields about hardware.
pub(crate) fn encoding(state: &State) -> Response {
    let kind = if state.server.settings.hardware { "vaapi" } else { "none" };
    json(
        &json!({"EncodingThreadCount": -1, "HardwareAccelerationType": kind, "EnableHardwareEncoding": true}),
    )
}

/// `GET /Playback/BitrateTest?Size=`: that many bytes, rounded up to a power of two.
///
/// # Errors
/// [`Refusal::BadRequest`] outside 1 byte to 100 MB.
pub(crate) fn bitrate_test(query: &Query) -> Result<Response, Refusal> {
    let size = query.number("Size").unwrap_or(102_400);
    if !(1..=LARGEST_TEST).contains(&size) {
        return Err(Refusal::BadRequest);
    }
    let mut bytes = vec![0; size.next_power_of_two() as usize];
    getrandom::fill(&mut bytes).map_err(|_| Refusal::Failed)?;
    let mut response = http::Response::new(Body::complete(bytes));
    let octets = http::HeaderValue::from_static("application/octet-stream");
    response.headers_mut().insert(http::header::CONTENT_TYPE, octets);
    Ok(response)
}

/// `GET /Users/Me`.
///
/// # Errors
/// [`Refusal::BadRequest`] for an API key, which has no user.
pub(crate) fn me(caller: &Caller) -> Result<Response, Refusal> {
    caller.user.as_ref().map(|user| json(&as_json(user))).ok_or(Refusal::BadRequest)
}

/// `GET /Users/{id}`.
///
/// # Errors
/// [`Refusal::Missing`] for an unknown id.
pub(crate) fn user(state: &State, id: &str) -> Result<Response, Refusal> {
    let id = guid::normalize(id);
    lock(&state.server.users)
        .iter()
        .find(|user| user.id == id)
        .map(|user| json(&as_json(user)))
        .ok_or(Refusal::Missing)
}

/// `GET /Users`.
pub(crate) fn users(state: &State) -> Response {
    json(&lock(&state.server.users).iter().map(as_json).collect::<Vec<_>>())
}

/// `POST /Users/AuthenticateByName`: a new token for the device that the header names.
///
/// # Errors
/// [`Refusal::Unauthenticated`] for a wrong name or password, [`Refusal::BadRequest`] without a device.
pub(crate) fn log_in(state: &State, given: Credentials, fields: &Parameters) -> Result<Response, Refusal> {
    let field = |name: &str| member(&fields.body, name).and_then(Value::as_str).unwrap_or_default();
    let (Some(client), Some(device_id)) = (given.client, given.device_id) else {
        return Err(Refusal::BadRequest);
    };
    let mut users = lock(&state.server.users);
    let user = users
        .iter_mut()
        .find(|user| user.name.eq_ignore_ascii_case(field("Username")) && user.password == field("Pw"))
        .ok_or(Refusal::Unauthenticated)?;
    let token = guid::random();
    // A device has one token.
    user.tokens.retain(|known| known.device_id != device_id);
    user.tokens.push(Token { value: token.clone(), client, device_id });
    Ok(json(&json!({"User": as_json(user), "AccessToken": token, "ServerId": server_id()})))
}

fn as_json(user: &User) -> Value {
    let policy = user.policy;
    json!({
        "Name": user.name, "ServerId": server_id(), "Id": user.id, "HasPassword": true,
        "Policy": {
            "IsAdministrator": policy.administrator, "IsDisabled": false, "EnableMediaPlayback": true,
            "EnableLiveTvAccess": policy.live_tv,
            "EnableVideoPlaybackTranscoding": policy.video_transcoding,
            "EnableAudioPlaybackTranscoding": policy.audio_transcoding,
        },
    })
}

/// `GET /LiveTv/Channels`, for users with the right to live TV.
///
/// # Errors
/// [`Refusal::Forbidden`] without it.
pub(crate) fn channels(state: &State, caller: &Caller, query: &Query) -> Result<Response, Refusal> {
    if !caller.policy().live_tv {
        return Err(Refusal::Forbidden);
    }
    let bound = |name: &str, default: usize| query.number(name).map_or(default, |value| value as usize);
    let page = state.server.channels().iter().skip(bound("StartIndex", 0)).take(bound("Limit", usize::MAX));
    let items: Vec<_> = page.map(|channel| channel.to_item()).collect();
    Ok(json(
        &json!({"Items": items, "TotalRecordCount": state.server.channels().len(), "StartIndex": bound("StartIndex", 0)}),
    ))
}
