//! Builds the recipe with which the gateway can start, at the server, the stream that a `live.m3u8` request asks for: the client's
//! parameters, under the gateway's own device and without the client's play session and token.
//!
//! It does not know whether the stream will be started.

use http::HeaderMap;
use http::header::USER_AGENT;

use crate::proxy::route::Live;
use crate::upstream::jellyfin::{DEVICE, Me, Place, Recipe};
use domain::encoding::at_server::concern_video;
use domain::profile::Profile;

/// The recipe for `live`, whose parameters ask for `profile`; `apple` says that the server cuts as for an Apple player.
pub(super) fn of(live: &Live, profile: &Profile, apple: bool, me: &Me) -> Recipe {
    let bitrate = profile.video_bitrate.map(|bitrate| bitrate.to_string());
    let mut substitutes = vec![("DeviceId", DEVICE), ("MinSegments", "1")];
    substitutes.extend(bitrate.as_deref().map(|bitrate| ("VideoBitrate", bitrate)));
    let query = live.query.clone().without(&["PlaySessionId", "ApiKey", "api_key"]).substitute(&substitutes);
    Recipe {
        place: Place { prefix: live.prefix.clone(), item: live.item.clone(), user: me.id.clone() },
        source: live.source.clone(),
        live_stream: live.live_stream.clone(),
        query: query.to_string(),
        apple,
        cut: profile.segment_length,
        encodes_video: live.query.get("TranscodeReasons").is_some_and(concern_video),
    }
}

/// Whether the server treats this player as one of Apple's (`StreamState.SegmentLength`).
pub(super) fn is_apple(headers: &HeaderMap) -> bool {
    let agent = headers.get(USER_AGENT).and_then(|agent| agent.to_str().ok()).unwrap_or_default();
    let agent = agent.to_ascii_lowercase();
    ["appletv", "cfnetwork", "ipad", "iphone", "ipod"].iter().any(|name| agent.contains(name))
}
