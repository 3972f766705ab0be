//! Live TV from streams we own: playlists for whoever may have them, segments for whoever has a token.
//!
//! Whatever goes wrong in here, the request is passed on as if we were not there, and says why in `Cache-Status`. It
//! does not know how streams come about.

use std::fmt::Write as _;
use std::time::Duration;

use http::header::{CACHE_CONTROL, CONTENT_TYPE};
use http::{HeaderMap, HeaderName, HeaderValue, Request, Response, StatusCode};
use tokio::time::{Instant, timeout};
use tracing::debug;

use crate::body::{self, Body};
use crate::domain::consumer::Viewer;
use crate::domain::key::{Channel, ConsumerId, StreamKey};
use crate::domain::pool::Warmth;
use crate::domain::profile::{Policy, Profile, ProfileKey, Unshareable};
use crate::domain::reason::RefuseReason;
use crate::proxy::Gateway;
use crate::proxy::auth::Verdict;
use crate::proxy::credential::Credential;
use crate::proxy::query::Query;
use crate::proxy::range::{self, Validators};
use crate::proxy::route::{Live, PlainReason, prefix, segment_uri};
use crate::supervisor::stream::Readiness;
use crate::supervisor::{Lease, Wish};
use crate::upstream::jellyfin::{DEVICE, Me, Place, Recipe};

const CACHE_STATUS: HeaderName = HeaderName::from_static("cache-status");
const SERVER_TIMING: HeaderName = HeaderName::from_static("server-timing");

/// Why a live playlist is not ours to answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Miss {
    /// The request names no stream that could be shared.
    Plain(PlainReason),
    /// Its parameters ask for something of its own.
    Unshareable(Unshareable),
    /// It carries no token.
    NoToken,
    /// The server does not accept its token.
    Denied,
    /// The server could not be asked about its token.
    AuthUnknown,
    /// The pool would not take it.
    Refused(RefuseReason),
    /// The stream did not start in time.
    ColdTimeout,
    /// The stream did not start.
    ColdFailure,
}

impl Miss {
    /// The one spelling of this reason.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Plain(reason) => reason.as_str(),
            Self::Unshareable(reason) => reason.as_str(),
            Self::NoToken => "no-token",
            Self::Denied => "denied",
            Self::AuthUnknown => "auth-unknown",
            Self::Refused(reason) => reason.as_str(),
            Self::ColdTimeout => "cold-timeout",
            Self::ColdFailure => "cold-failure",
        }
    }
}

impl Gateway {
    /// Answers `GET …/live.m3u8` that may be shared.
    pub(super) async fn live(&self, live: Live, request: Request<Body>) -> Response<Body> {
        let asked = Instant::now();
        let credential = Credential::of(request.headers(), &live.query);
        let served = match &credential {
            None => Err(Miss::NoToken),
            Some(credential) => match self.auth.check(&live.prefix, credential).await {
                Verdict::NoLiveTv => return self.bare(request.headers(), StatusCode::FORBIDDEN),
                Verdict::Denied => Err(Miss::Denied),
                Verdict::Unknown => Err(Miss::AuthUnknown),
                Verdict::Allowed(me) => self.serve(&live, request.headers(), credential, &me, asked).await,
            },
        };
        match served {
            Ok(response) => response,
            Err(miss) => self.pass(miss, request).await,
        }
    }

    /// Passes on a `GET …/live.m3u8` that may not be shared; a user without the right to live TV is refused all the same.
    pub(super) async fn plain(&self, reason: PlainReason, request: Request<Body>) -> Response<Body> {
        let query = Query::of(request.uri());
        if let Some(credential) = Credential::of(request.headers(), &query)
            && self.auth.check(prefix(request.uri()), &credential).await == Verdict::NoLiveTv
        {
            return self.bare(request.headers(), StatusCode::FORBIDDEN);
        }
        self.pass(Miss::Plain(reason), request).await
    }

    /// Answers for a segment of ours.
    pub(super) fn segment(
        &self,
        consumer: ConsumerId,
        sequence: u64,
        request: &Request<Body>,
    ) -> Response<Body> {
        let stream = self.supervisor.heard(consumer);
        let media = stream.as_ref().and_then(|stream| stream.segment(sequence));
        let (Some(stream), Some(media)) = (stream, media) else {
            return self.bare(request.headers(), StatusCode::NOT_FOUND);
        };
        let etag = format!("\"{sequence:x}-{:x}\"", media.body.len());
        let etag = HeaderValue::try_from(etag).unwrap_or(HeaderValue::from_static("\"\""));
        let validators = Validators { etag, modified: media.modified };
        let mut response = range::respond(request.method(), request.headers(), &media.body, &validators);
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, media.content_type);
        let keep = format!("private, max-age={}, immutable", stream.availability().as_secs());
        insert(headers, CACHE_CONTROL, &keep);
        insert(headers, CACHE_STATUS, &format!("{}; hit", self.name));
        self.own(request.headers(), response)
    }

    async fn serve(
        &self,
        live: &Live,
        request: &HeaderMap,
        credential: &Credential,
        me: &Me,
        asked: Instant,
    ) -> Result<Response<Body>, Miss> {
        let wish = self.wish(live, request, credential, me)?;
        let lease = self.supervisor.tune(wish).map_err(Miss::Refused)?;
        match timeout(self.cold_timeout, lease.stream.ready()).await {
            Ok(Readiness::Ready) => self.playlist(&lease, request, asked).ok_or(Miss::ColdFailure),
            Ok(Readiness::Starting | Readiness::Failed | Readiness::Retired) => Err(Miss::ColdFailure),
            Err(_) => Err(Miss::ColdTimeout),
        }
    }

    fn wish(&self, live: &Live, headers: &HeaderMap, credential: &Credential, me: &Me) -> Result<Wish, Miss> {
        let apple = headers.get(http::header::USER_AGENT).is_some_and(is_apple);
        let policy =
            Policy { video_transcoding: me.video_transcoding, audio_transcoding: me.audio_transcoding };
        let profile = ProfileKey::from_query(live.query.pairs(), apple, policy).map_err(Miss::Unshareable)?;
        let viewer = Viewer {
            account: self.account(credential.token()),
            device: live.device.clone().or_else(|| credential.device().cloned()),
            play_session: live.play_session.clone(),
        };
        Ok(Wish {
            viewer,
            login: credential.login(),
            recipe: recipe(live, &profile, apple, me),
            key: StreamKey {
                channel: Channel { item: live.item.clone(), source: live.source.clone() },
                profile: profile.key,
            },
        })
    }

    fn playlist(&self, lease: &Lease, request: &HeaderMap, asked: Instant) -> Option<Response<Body>> {
        let playlist = self.supervisor.playlist(lease, |text, sequence| {
            let _ = write!(text, "{}", segment_uri(lease.consumer, sequence));
        })?;
        let fresh = playlist.target.as_secs() / 2;
        let status = match lease.warmth {
            Warmth::Warm => format!("{}; hit; ttl={fresh}; detail=warm", self.name),
            Warmth::Warming => format!("{}; fwd=uri-miss; collapsed", self.name),
            Warmth::Cold => format!("{}; fwd=uri-miss; fwd-status=200; stored", self.name),
        };
        let took = milliseconds(asked.elapsed());
        let mut response = Response::new(body::full(playlist.text));
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/vnd.apple.mpegurl"));
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-cache"));
        insert(headers, CACHE_STATUS, &status);
        insert(headers, SERVER_TIMING, &format!("cache;desc={}, total;dur={took}", lease.warmth.as_str()));
        Some(self.own(request, response))
    }

    async fn pass(&self, miss: Miss, request: Request<Body>) -> Response<Body> {
        debug!(reason = miss.as_str(), path = request.uri().path(), "passed on");
        let mut response = self.forward(request).await;
        let status = format!("{}; fwd=bypass; detail={}", self.name, miss.as_str());
        if let Ok(status) = HeaderValue::try_from(status) {
            response.headers_mut().append(CACHE_STATUS, status);
        }
        response
    }

    /// An answer of our own without a body, as the server gives them.
    pub(super) fn bare(&self, request: &HeaderMap, status: StatusCode) -> Response<Body> {
        let mut response = Response::new(body::empty());
        *response.status_mut() = status;
        response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
        self.own(request, response)
    }

    /// An answer of our own, with what the server would have added to it.
    fn own(&self, request: &HeaderMap, mut response: Response<Body>) -> Response<Body> {
        self.cors.apply(request, response.headers_mut());
        response
    }
}

/// How to start what is asked for, under a name and for a device of our own.
fn recipe(live: &Live, profile: &Profile, apple: bool, me: &Me) -> Recipe {
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

/// `StreamState.SegmentLength` looks for these in the user agent.
fn is_apple(agent: &HeaderValue) -> bool {
    let agent = agent.to_str().unwrap_or_default().to_ascii_lowercase();
    ["appletv", "cfnetwork", "ipad", "iphone", "ipod"].iter().any(|name| agent.contains(name))
}

fn milliseconds(span: Duration) -> String {
    format!("{:.1}", span.as_secs_f64() * 1000.0)
}

fn insert(headers: &mut HeaderMap, name: HeaderName, value: &str) {
    if let Ok(value) = HeaderValue::try_from(value) {
        headers.insert(name, value);
    }
}
