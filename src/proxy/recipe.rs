//! How to start the stream that a request asks for, under a name and for a device of our own.
//!
//! It does not know whether anybody will.

use http::HeaderMap;
use http::header::USER_AGENT;

use crate::proxy::route::Live;
use crate::upstream::jellyfin::{DEVICE, Me, Place, Recipe};
use domain::profile::Profile;

/// The client's wishes, without its names.
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
    }
}

/// Whether the server takes this player for one of Apple's (`StreamState.SegmentLength`).
pub(super) fn is_apple(headers: &HeaderMap) -> bool {
    let agent = headers.get(USER_AGENT).and_then(|agent| agent.to_str().ok()).unwrap_or_default();
    let agent = agent.to_ascii_lowercase();
    ["appletv", "cfnetwork", "ipad", "iphone", "ipod"].iter().any(|name| agent.contains(name))
}
