//! `master.m3u8` and `live.m3u8` (`DynamicHlsController.cs`).

use std::fmt::Write as _;
use std::sync::Arc;

use http::header::{self, HeaderValue};
use http::{HeaderMap, Method};

use crate::body::Body;
use crate::caller::Caller;
use crate::parameters::Query;
use crate::response::{Refusal, Response, insert, text};

use crate::consumer::Consumer;
use crate::encoding::{self, Encoding};
use crate::job::JobRequest;
use crate::state::State;
use crate::tuner::FRAME_RATE;

const PLAYLIST: &str = "application/vnd.apple.mpegurl";

/// `GET|HEAD /Videos/{id}/master.m3u8`: one variant, whose query is the request's with one audio codec. It starts no job.
///
/// # Errors
/// [`Refusal::Missing`] or, on 10.11, [`Refusal::Failed`] for a live stream that is not open.
pub(crate) fn master(
    state: &State,
    caller: &Caller,
    item_id: &str,
    query: &Query,
    method: &Method,
) -> Result<Response, Refusal> {
    state.server.wipe_once();
    let channel = state.server.channel(item_id).ok_or(Refusal::Missing)?;
    if let Some(id) = query.get("LiveStreamId") {
        state.live_streams.get(id)?;
    }
    let probed = state.server.is_probed(channel);
    let settings = &state.server.settings;
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
    let codec = encoding::audio_codec(query, caller.policy(), probed);
    let _ = write!(playlist, "\nlive.m3u8?{}\n", with_audio_codec(query.raw(), &codec));
    let length = playlist.len();
    let mut response = text(PLAYLIST, playlist);
    if method == Method::HEAD {
        *response.body_mut() = Body::empty();
        insert(response.headers_mut(), header::CONTENT_LENGTH, &length.to_string());
    }
    response.headers_mut().insert(header::EXPIRES, HeaderValue::from_static("0"));
    Ok(response)
}

fn with_audio_codec(raw: &str, codec: &str) -> String {
    let pairs = raw.split('&').filter(|pair| !pair.is_empty());
    let replaced = pairs.map(|pair| match pair.split_once('=') {
        Some((name, _)) if name.eq_ignore_ascii_case("AudioCodec") => format!("{name}={codec}"),
        Some(_) | None => pair.to_owned(),
    });
    replaced.collect::<Vec<_>>().join("&")
}

/// `GET /Videos/{id}/live.m3u8`: the playlist of the job that the request names, which is started unless its playlist
/// exists.
///
/// # Errors
/// [`Refusal::Missing`] or, on 10.11, [`Refusal::Failed`] for a live stream that is not open; [`Refusal::Failed`] if
/// FFmpeg ends before it has written the playlist.
pub(crate) async fn live(
    state: &Arc<State>,
    caller: &Caller,
    item_id: &str,
    query: &Query,
    headers: &HeaderMap,
) -> Result<Response, Refusal> {
    state.server.wipe_once();
    let channel = state.server.channel(item_id).ok_or(Refusal::Missing)?;
    let probed = state.server.is_probed(channel);
    let user_agent =
        headers.get(header::USER_AGENT).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let encoding = Encoding::new(query, user_agent, caller.policy(), probed, &state.server.settings)?;
    let play_session = query.get("PlaySessionId").unwrap_or_default();
    let named = query.get("LiveStreamId").map(str::to_owned);
    let (input, own_stream) = match &named {
        Some(id) => {
            let opened = state.live_streams.get(id)?;
            (state.server.raw_stream_url(&opened.unique_id), None)
        }
        None => match state.jobs.input_of(play_session) {
            Some(input) => (input, None),
            None => {
                let opened = state.live_streams.open(channel, &Consumer::of_job(play_session)).await?;
                (state.server.raw_stream_url(&opened.unique_id), Some(channel.live_stream_id.clone()))
            }
        },
    };
    let request = JobRequest {
        input,
        user_agent: user_agent.to_owned(),
        device_id: query.get("DeviceId").unwrap_or_default().to_owned(),
        play_session: play_session.to_owned(),
        live_stream: named,
        own_stream,
        encoding,
    };
    Ok(text(PLAYLIST, state.jobs.playlist(request).await?))
}
