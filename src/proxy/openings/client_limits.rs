//! Holds an opening to the limits that the operator's rules set for its client: how many streams its user watches at once, and the
//! bitrate that it asks for.
//!
//! The body of a request is read only where a limit needs it. One that cannot be read passes.

use http::{HeaderMap, Request, Response, StatusCode};
use serde_json::Value;

use crate::body::Body;
use crate::proxy::auth::Verdict;
use crate::proxy::gateway::Gateway;
use crate::proxy::openings::open_response::Opener;
use crate::proxy::query::{self, Query};
use crate::supervisor::explainer::Why;
use crate::upstream::jellyfin::field;
use domain::clients::{self, Client, ClientSettings};
use domain::key::{ItemId, UserId};
use domain::reason::OpeningRefusal;

const BITRATE: &str = "MaxStreamingBitrate";

impl Gateway {
    /// The settings that apply to the sender of a request.
    pub(super) fn client_settings(
        &self,
        opener: &Opener,
        verdict: &Verdict,
        request: &Request<Body>,
    ) -> ClientSettings {
        let me = match verdict {
            Verdict::Allowed(me) => Some(me),
            Verdict::NoLiveTv | Verdict::Denied | Verdict::Unknown => None,
        };
        let user = me.and_then(|me| Some((me.id.as_deref()?, me.name.as_deref().unwrap_or_default())));
        let client = Client {
            user,
            device: opener.asker.credential.device(),
            user_agent: &opener.player.user_agent,
            address: self.forwarder.client_address(request),
        };
        clients::settings(&self.client_rules, &client)
    }

    /// The request as its client may send it, or the answer that refuses it. `item` is the channel of a `PlaybackInfo`.
    pub(super) async fn within_limits(
        &self,
        settings: ClientSettings,
        item: Option<&ItemId>,
        opener: &Opener,
        request: Request<Body>,
    ) -> Result<Request<Body>, Response<Body>> {
        let account = self.account(opener.asker.credential.token());
        if let Some(user) = &opener.user {
            self.supervisor.account_is_of(account, &UserId::new(user.as_str()));
        }
        let device = opener.asker.credential.device();
        let over = settings.streams.filter(|limit| !self.supervisor.may_watch(account, device, *limit));
        if over.is_none() && settings.max_bitrate.is_none() {
            return Ok(request);
        }
        let (parts, body) = request.into_parts();
        let (body, json) = match self.kept_bodies.read(body).await {
            Ok(kept) => {
                let json = serde_json::from_slice::<Value>(kept.bytes()).ok();
                (kept.into(), json)
            }
            Err(body) => (body, None),
        };
        let wish = Wish { query: Query::of(&parts.uri), body: json };
        if let Some(limit) = over.filter(|_| item.is_none() || wish.opens()) {
            self.supervisor.opening_refused(OpeningRefusal::TooManyStreams);
            return Err(self.over_limit(item, opener, limit, &parts.headers));
        }
        let mut request = Request::from_parts(parts, body);
        if let Some(limit) =
            settings.max_bitrate.filter(|limit| wish.bitrate().is_none_or(|wish| wish > *limit))
        {
            query::replace(&mut request, &wish.query.substitute(&[(BITRATE, &limit.to_string())]));
        }
        Ok(request)
    }

    /// Jellyfin's own word for a limit, which `LiveStreams/Open` does not have.
    fn over_limit(
        &self,
        item: Option<&ItemId>,
        opener: &Opener,
        limit: u32,
        headers: &HeaderMap,
    ) -> Response<Body> {
        let (reason, why) = (OpeningRefusal::TooManyStreams, Why::TooManyStreams(limit));
        let mut response = self.refuse(reason, why, opener, headers);
        if item.is_none() {
            *response.status_mut() = StatusCode::TOO_MANY_REQUESTS;
        }
        response
    }
}

/// What a request asks for: its query overrides its body, as for Jellyfin.
struct Wish {
    query: Query,
    body: Option<Value>,
}

impl Wish {
    /// Whether a `PlaybackInfo` has the server open the channel: if not, it only asks about it.
    fn opens(&self) -> bool {
        let is_true = |text: &str| text.eq_ignore_ascii_case("true");
        let in_body = || self.in_body("AutoOpenLiveStream").is_some_and(|flag| flag.as_bool() == Some(true));
        let names_one = self.query.get("LiveStreamId").is_some()
            || self.in_body("LiveStreamId").and_then(Value::as_str).is_some_and(|id| !id.is_empty());
        !names_one && self.query.get("AutoOpenLiveStream").map_or_else(in_body, is_true)
    }

    /// The bitrate that it asks for, in bit/s (`MediaInfoController.cs`): that of its device profile, if there is no other.
    fn bitrate(&self) -> Option<u64> {
        let profile = || field(self.in_body("DeviceProfile")?, BITRATE)?.as_u64();
        let in_query = self.query.get(BITRATE).and_then(|text| text.parse().ok());
        in_query.or_else(|| self.in_body(BITRATE)?.as_u64()).or_else(profile)
    }

    fn in_body(&self, name: &str) -> Option<&Value> {
        field(self.body.as_ref()?, name)
    }
}

#[cfg(test)]
mod tests {
    use http::Uri;

    use super::*;

    fn wish(target: &str, body: &str) -> Wish {
        Wish { query: Query::of(&target.parse::<Uri>().unwrap()), body: serde_json::from_str(body).ok() }
    }

    #[test]
    fn the_query_overrides_the_body() {
        for (target, body, opens, bitrate) in [
            ("/x", "{}", false, None),
            ("/x", "", false, None),
            ("/x", r#"{"autoOpenLiveStream":true,"MaxStreamingBitrate":8}"#, true, Some(8)),
            ("/x?AutoOpenLiveStream=false", r#"{"AutoOpenLiveStream":true}"#, false, None),
            (
                "/x?autoopenlivestream=True&maxstreamingbitrate=7",
                r#"{"MaxStreamingBitrate":8}"#,
                true,
                Some(7),
            ),
            ("/x?AutoOpenLiveStream=true&LiveStreamId=l", "{}", false, None),
            ("/x?AutoOpenLiveStream=true", r#"{"LiveStreamId":"l"}"#, false, None),
            ("/x", r#"{"DeviceProfile":{"MaxStreamingBitrate":9}}"#, false, Some(9)),
        ] {
            let wish = wish(target, body);
            assert_eq!((wish.opens(), wish.bitrate()), (opens, bitrate), "{target} {body}");
        }
    }
}
