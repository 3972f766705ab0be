//! `master.m3u8` and `live.m3u8`: from a request to a playlist (`DynamicHlsController.cs`).

use std::fmt::Write as _;
use std::sync::Arc;

use http::header::{self, HeaderValue};
use http::{HeaderMap, Method};

use crate::body;
use crate::demo::origin::answer::{Answer, Refusal, insert, text};
use crate::demo::origin::auth::Caller;
use crate::demo::origin::fields::Query;
use crate::demo::origin::live;
use crate::demo::origin::lock;
use crate::demo::origin::plan::{self, Plan};
use crate::demo::origin::settings::Version;
use crate::demo::origin::state::State;
use crate::demo::origin::transcode::{self, Order};
use crate::demo::origin::tuner::FRAME_RATE;

const PLAYLIST: &str = "application/vnd.apple.mpegurl";

/// `GET|HEAD /Videos/{id}/master.m3u8`: one variant, whose query is the request's own with the audio codec resolved.
///
/// # Errors
/// As [`live()`], but it starts nothing.
pub(super) fn master(
    state: &State,
    caller: &Caller,
    item_id: &str,
    query: &Query,
    method: &Method,
) -> Result<Answer, Refusal> {
    state.wipe_once();
    let channel = state.channel(item_id).ok_or(Refusal::Missing)?;
    if let Some(id) = query.get("LiveStreamId") {
        state.live.get(id).ok_or_else(|| unknown_stream(state.settings.version))?;
    }
    let probed = lock(&state.probed).contains(&channel.media_source_id);
    let settings = &state.settings;
    let video = query.number("VideoBitrate").unwrap_or(u64::MAX).min(settings.fallback_max_bitrate);
    let bandwidth = video + query.number("AudioBitrate").unwrap_or(0);
    let mut playlist =
        format!("#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH={bandwidth},AVERAGE-BANDWIDTH={bandwidth}");
    if probed {
        let (width, height) = (settings.width, settings.height);
        let _ = write!(
            playlist,
            ",VIDEO-RANGE=SDR,CODECS=\"avc1.42401E,mp4a.40.2\",RESOLUTION={width}x{height},FRAME-RATE={FRAME_RATE}"
        );
    }
    let codec = plan::audio_codec(query, caller.policy(), probed);
    let _ = write!(playlist, "\nlive.m3u8?{}\n", with_audio_codec(query.raw(), &codec));
    let length = playlist.len();
    let mut answer = text(PLAYLIST, playlist);
    if method == Method::HEAD {
        *answer.body_mut() = body::empty();
        insert(answer.headers_mut(), header::CONTENT_LENGTH, &length.to_string());
    }
    answer.headers_mut().insert(header::EXPIRES, HeaderValue::from_static("0"));
    Ok(answer)
}

fn with_audio_codec(raw: &str, codec: &str) -> String {
    let pairs = raw.split('&').filter(|pair| !pair.is_empty());
    let replaced = pairs.map(|pair| match pair.split_once('=') {
        Some((name, _)) if name.eq_ignore_ascii_case("AudioCodec") => format!("{name}={codec}"),
        Some(_) | None => pair.to_owned(),
    });
    replaced.collect::<Vec<_>>().join("&")
}

/// `GET /Videos/{id}/live.m3u8`: starts a job, or meets the one of the same name.
///
/// # Errors
/// [`Refusal::Missing`] or, on 10.11, [`Refusal::Failed`] for a live stream that is not open; [`Refusal::Failed`] if
/// FFmpeg gives up.
pub(super) async fn live(
    state: &Arc<State>,
    caller: &Caller,
    item_id: &str,
    query: &Query,
    headers: &HeaderMap,
) -> Result<Answer, Refusal> {
    state.wipe_once();
    let channel = state.channel(item_id).ok_or(Refusal::Missing)?;
    let probed = lock(&state.probed).contains(&channel.media_source_id);
    let user_agent =
        headers.get(header::USER_AGENT).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let plan = Plan::new(query, user_agent, caller.policy(), probed, &state.settings)?;
    let play_session = query.get("PlaySessionId").unwrap_or_default();
    let named = query.get("LiveStreamId").map(str::to_owned);
    let (input, own_stream) = match &named {
        Some(id) => {
            let opened = state.live.get(id).ok_or_else(|| unknown_stream(state.settings.version))?;
            (state.raw_url(&opened.unique_id), None)
        }
        None => match state.jobs.input_of(play_session) {
            Some(input) => (input, None),
            None => {
                let opened = live::open(state, channel).await?;
                (state.raw_url(&opened.unique_id), Some(channel.live_stream_id.clone()))
            }
        },
    };
    let order = Order {
        input,
        user_agent: user_agent.to_owned(),
        device_id: query.get("DeviceId").unwrap_or_default().to_owned(),
        play_session: play_session.to_owned(),
        live_stream: named,
        own_stream,
        plan,
    };
    Ok(text(PLAYLIST, transcode::playlist(state, order).await?))
}

fn unknown_stream(version: Version) -> Refusal {
    match version {
        Version::V12 => Refusal::Missing,
        Version::V10_11 => Refusal::Failed,
    }
}
