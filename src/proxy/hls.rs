//! Answers live TV from the gateway's own streams: playlists for viewers that the server accepts.
//!
//! A playlist that cannot be served is requested from the server instead, with the reason ([`Miss`]) in `Cache-Status`. It does not know how
//! streams are produced.

use std::sync::Arc;

use http::header::{AGE, CACHE_CONTROL, CONTENT_ENCODING, CONTENT_TYPE, VARY};
use http::{HeaderMap, HeaderName, HeaderValue, Request, Response, StatusCode, Uri};
use tokio::time::{Instant, timeout_at};
use tracing::debug;

use crate::body::{self, Body};
use crate::proxy::auth::Verdict;
use crate::proxy::away::{self, Away};
use crate::proxy::cmcd::Cmcd;
use crate::proxy::gateway::Gateway;
use crate::proxy::injected_panics::{self, Step};
use crate::proxy::list_path;
use crate::proxy::miss::Miss;
use crate::proxy::query::{self, Query};
use crate::proxy::route::{BypassReason, Live, prefix};
use crate::proxy::wanted::{self, NO_RIGHT, Unserved, Wanted};
use crate::proxy::{headers, reload};
use crate::server::Connection;
use crate::supervisor::stream::Readiness;
use crate::supervisor::tune_request::{Lease, TuneRequest};
use crate::upstream::jellyfin::Recipe;
use domain::key::{Channel, ConsumerId};
use domain::openings::{Mention, MentionKind};
use domain::pool::{PlaylistHints, Warmth};
use domain::reason::ZapOutcome;
use domain::signal::{Signal, Whose};
use domain::viewer::Viewer;
use domain::window::ListText;
use domain::zap::Zapper;

pub(super) const CACHE_STATUS: HeaderName = HeaderName::from_static("cache-status");
const SERVER_TIMING: HeaderName = HeaderName::from_static("server-timing");
/// Which stream of the gateway's an answer comes from.
pub(super) const STREAM: HeaderName = HeaderName::from_static("warmgate-stream");

/// What a playlist request tells besides the stream it asks for.
struct PlaylistRequest<'a> {
    received_at: Instant,
    headers: &'a HeaderMap,
    /// The signals in the player's CMCD.
    signals: Vec<Signal>,
    /// The player's connection, if it comes directly from the player.
    connection: Option<Connection>,
    /// The segment that the request is to be blocked for.
    awaited: Option<u64>,
    /// The names of the openings that the viewer plays by.
    mention: Mention,
    /// The target, without the viewer's folder.
    uri: &'a Uri,
    /// The token in the path.
    token: Option<ConsumerId>,
    /// Who zaps to what, if the viewer tunes.
    zapper: Option<Zapper>,
}

impl Gateway {
    /// Answers a `GET …/live.m3u8` whose stream can be shared, and which was received at `received_at`.
    ///
    /// # Errors
    /// [`Away`] if the server is to answer it, and is away.
    pub(super) async fn try_live(
        self: &Arc<Self>,
        live: &Live,
        token: Option<ConsumerId>,
        mut request: Request<Body>,
        received_at: Instant,
    ) -> Result<Response<Body>, Box<Away>> {
        let cmcd = Cmcd::of(request.headers(), live.query.get("CMCD"));
        let asker = self.asker(&request, &live.query);
        let mention = Mention {
            account: asker.as_ref().map(|asker| self.account(asker.credential.token())),
            live_stream: Some(live.live_stream.clone()),
            play_session: live.play_session.clone(),
            name: None,
        };
        let channel = Channel { item: live.item.clone(), source: live.source.clone() };
        let viewer = asker.as_ref().map(|asker| self.viewer(live, &request, &asker.credential, &cmcd));
        let mut in_profile = None;
        let wanted =
            self.wanted(live, (token, asker.as_ref(), viewer.clone()), &mut request, &mut in_profile);
        let wanted = self.outlived(wanted).await.unwrap_or_else(|miss| Err(Unserved::Miss(miss)));
        let Wanted { wish, recipe, tuning, awaited } = match wanted {
            Ok(wanted) => wanted,
            Err(unserved) => {
                self.supervisor.mentioned(mention, MentionKind::Named);
                return match unserved {
                    Unserved::Refusal((status, why)) => Ok(self.refusal(request.headers(), status, why)),
                    Unserved::Miss(miss) => self.pass_on_for(viewer, channel, miss, request).await,
                };
            }
        };
        let connection = self.connection(&request);
        let (headers, signals, uri) = (request.headers(), cmcd.signals(), request.uri());
        let zapper = viewer.as_ref().filter(|_| tuning.is_new).map(|viewer| zapper(viewer, &channel));
        let playlist_request = PlaylistRequest {
            received_at,
            headers,
            signals,
            connection,
            awaited,
            mention,
            uri,
            token,
            zapper,
        };
        let serving = self.outlived(self.serve(wish, recipe, playlist_request));
        let mut response = match serving.await.and_then(|served| served) {
            Ok(response) => {
                self.has_tuned(&tuning);
                response
            }
            Err(miss) if miss.is_forbidden() => {
                let why = (Some("http_request_denied"), miss.as_str());
                self.refusal(request.headers(), StatusCode::FORBIDDEN, why)
            }
            Err(miss) if miss.is_final(tuning.decided.conditions.mode) => {
                let (status, why) = wanted::no_answer(miss);
                self.refusal(request.headers(), status, why)
            }
            Err(miss) => self.pass_on_for(viewer, channel, miss, request).await?,
        };
        self.name_ignored(&tuning.ignored, response.headers_mut());
        Ok(response)
    }

    /// Passes on a viewer's request. If the server answers it with a stream, the viewer goes on with that.
    async fn pass_on_for(
        self: &Arc<Self>,
        viewer: Option<Viewer>,
        channel: Channel,
        miss: Miss,
        request: Request<Body>,
    ) -> Result<Response<Body>, Box<Away>> {
        let (again, begun) = (Away::before(&request), Instant::now());
        let response = self.pass_on(miss, request).await;
        if let Some(viewer) = viewer {
            let is_served = response.status() == StatusCode::OK;
            let outcome = if is_served { ZapOutcome::Bypass } else { ZapOutcome::Failed };
            let zapper = zapper(&viewer, &channel);
            self.supervisor.zaps().passed_on(&zapper, begun.elapsed(), (outcome, miss.as_str()));
            if viewer.play_session.is_some() && away::is_away(miss, response.status()) {
                return Err(Box::new(again(response)));
            }
            if miss.may_become_a_hit() && response.status() == StatusCode::OK {
                self.supervisor.passed_on(viewer, channel);
            }
        }
        Ok(response)
    }

    /// Passes on a `GET …/live.m3u8` whose stream cannot be shared. A user without access to live TV is refused nevertheless.
    pub(super) async fn bypassed(
        self: &Arc<Self>,
        reason: BypassReason,
        request: Request<Body>,
    ) -> Response<Body> {
        if let Some(asker) = self.asker(&request, &Query::of(request.uri()))
            && self.auth.check(prefix(request.uri()), &asker).await == Verdict::NoLiveTv
        {
            let (status, why) = NO_RIGHT;
            return self.refusal(request.headers(), status, why);
        }
        self.pass_on(Miss::Bypassed(reason), request).await
    }

    /// Serves a playlist of the stream that `wish` asks for, which is started by `recipe` if it does not run. If the stream ends
    /// while its viewer waits, another takes its place, whose list goes on.
    async fn serve(
        &self,
        wish: TuneRequest,
        recipe: impl Fn() -> Recipe,
        request: PlaylistRequest<'_>,
    ) -> Result<Response<Body>, Miss> {
        injected_panics::at(Step::Serving);
        match self.serve_once(&wish, &recipe, &request).await? {
            Some(response) => Ok(response),
            None => self.serve_once(&wish, &recipe, &request).await?.ok_or(Miss::ColdFailure),
        }
    }

    /// The same; `None` if the stream ends meanwhile.
    async fn serve_once(
        &self,
        wish: &TuneRequest,
        recipe: impl FnOnce() -> Recipe,
        request: &PlaylistRequest<'_>,
    ) -> Result<Option<Response<Body>>, Miss> {
        // The viewer is present while it waits: if it goes away, the lease is dropped with this future.
        let lease = self.supervisor.tune(wish, &request.mention, recipe).await.map_err(Miss::Refused)?;
        let connection = self.comes_over(request.connection.as_ref(), lease.consumer);
        // A player whose request takes too long repeats it. All of them together are one wait, so that the server's own answer
        // comes while the player still has patience.
        let patience = lease.waits_since.min(request.received_at) + self.choices().cold_timeout;
        let missed = match timeout_at(patience, lease.stream.ready(lease.listing, lease.has_list)).await {
            Ok(Readiness::Ready) => match self.block_until(&lease, request.awaited).await {
                Ok(()) => {
                    return self.playlist(lease, connection, request).map(Some).ok_or(Miss::ColdFailure);
                }
                Err(refusal) => {
                    debug!(reason = refusal.as_str(), "refused to block a playlist request");
                    self.supervisor.mentioned(request.mention.clone(), MentionKind::Served);
                    let (status, why) = reload::refusal(refusal);
                    Ok(Some(self.refusal(request.headers, status, why)))
                }
            },
            Ok(Readiness::Retired) => Ok(None),
            Ok(Readiness::Failed) => Err(Miss::ColdFailure),
            Err(_) => Err(Miss::ColdTimeout),
        };
        if let Some(signal) = connection {
            self.supervisor.signal(Whose::Consumer(lease.consumer), signal);
        }
        lease.answering.sent();
        missed
    }

    fn playlist(
        &self,
        lease: Lease,
        connection: Option<Signal>,
        request: &PlaylistRequest<'_>,
    ) -> Option<Response<Body>> {
        let (warmth, id, consumer) = (lease.warmth, lease.id, lease.consumer);
        let location = (request.token != Some(lease.consumer))
            .then(|| list_path::location(request.uri, request.token, lease.consumer));
        let hints = PlaylistHints { signals: &request.signals, connection, mention: &request.mention };
        let is_blocking = self.choices().blocking_reload.is_offered(lease.listing);
        let playlist = self.supervisor.playlist(lease, &hints, is_blocking)?;
        let zaps = self.supervisor.zaps();
        match &request.zapper {
            Some(zapper) => {
                zaps.listed(zapper, request.received_at.elapsed(), (consumer, warmth.outcome()));
            }
            None => zaps.listed_again(consumer),
        }
        let fresh = playlist.target.as_secs() / 2;
        let status = || match warmth {
            Warmth::Warm => format!("{}; hit; ttl={fresh}; detail=warm", self.name),
            Warmth::Warming => format!("{}; fwd=uri-miss; collapsed", self.name),
            Warmth::Cold => format!("{}; fwd=uri-miss; fwd-status=200; stored", self.name),
        };
        let took = request.received_at.elapsed().as_secs_f64() * 1000.0;
        let mut response = match location {
            Some(location) => list_path::found(location?),
            None => list(&playlist.text, request.headers),
        };
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/vnd.apple.mpegurl"));
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-cache"));
        self.say(headers, CACHE_STATUS, status);
        self.say(headers, SERVER_TIMING, || format!("cache;desc={}, total;dur={took:.1}", warmth.as_str()));
        self.say(headers, STREAM, || id.0.to_string());
        if warmth == Warmth::Warm {
            // The list is as it is at this moment.
            self.say(headers, AGE, || "0".to_owned());
        }
        Some(self.with_cors(request.headers, response))
    }

    /// Passes a request on to the server, and says in `Cache-Status` why.
    async fn pass_on(self: &Arc<Self>, miss: Miss, request: Request<Body>) -> Response<Body> {
        let count = self.miss_counters.count(miss.as_str());
        debug!(reason = miss.as_str(), count, path = request.uri().path(), "a live playlist is passed on");
        let mut response = self.media(MentionKind::PassedOn, without_directives(request)).await;
        let forward = if miss.is_wished() { "request" } else { "bypass" };
        let status = || format!("{}; fwd={forward}; detail={}", self.name, miss.as_str());
        self.say(response.headers_mut(), CACHE_STATUS, status);
        response
    }
}

/// Who asks for which channel, as a zap names it.
fn zapper(viewer: &Viewer, channel: &Channel) -> Zapper {
    Zapper { account: viewer.account, device: viewer.device.clone(), item: channel.item.clone() }
}

/// An answer with a list, compressed if the player takes that and it is worth it.
fn list(text: &ListText, request: &HeaderMap) -> Response<Body> {
    let gzipped = if headers::takes_gzip(request) { text.gzipped() } else { None };
    let is_gzipped = gzipped.is_some();
    let mut response = Response::new(body::full(gzipped.unwrap_or_else(|| text.plain())));
    let headers = response.headers_mut();
    if is_gzipped {
        headers.insert(CONTENT_ENCODING, HeaderValue::from_static("gzip"));
    }
    headers.append(VARY, HeaderValue::from_static("accept-encoding"));
    response
}

/// The request without `_HLS_*` directives, which only the gateway understands.
fn without_directives(mut request: Request<Body>) -> Request<Body> {
    if let Some(query) = Query::of(request.uri()).without_directives() {
        query::replace(&mut request, &query);
    }
    request
}
