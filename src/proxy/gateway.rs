//! The gateway as one value: everything that an answer may need, and the dispatch from a request's route to the code that answers it.
//!
//! The answers themselves are `impl Gateway` blocks in the files beside this one, each of which handles one kind of request.

use std::convert::Infallible;
use std::future::Future;
use std::hash::{BuildHasher, Hash, RandomState};
use std::pin::Pin;
use std::sync::{Arc, Once};
use std::time::Duration;

use arc_swap::{ArcSwap, Guard};
use http::header::{CACHE_CONTROL, ORIGIN};
use http::request::Parts;
use http::{HeaderMap, HeaderName, HeaderValue, Request, Response, StatusCode};
use hyper::service::Service;

use crate::access_log::AccessLog;
use crate::body::kept::{Budget, Kept};
use crate::body::{self, Body};
use crate::config::{Believed, BlockingReload, LiveTvRight, Refusal};
use crate::proxy::auth::{Asker, Auth};
use crate::proxy::blocked_requests::BlockedRequests;
use crate::proxy::cors::Cors;
use crate::proxy::credential::Credential;
use crate::proxy::error::{Ours, PROXY_STATUS};
use crate::proxy::forward::{Forwarder, Identity};
use crate::proxy::injected_panics::{self, InjectedPanic, Step};
use crate::proxy::list_path;
use crate::proxy::miss_counters::MissCounters;
use crate::proxy::openings::hls_warmup::HlsWarmup;
use crate::proxy::openings::pairings::Pairings;
use crate::proxy::openings::tuner_denials::TunerDenialCache;
use crate::proxy::playbacks::Playbacks;
use crate::proxy::programmes::Programmes;
use crate::proxy::query::Query;
use crate::proxy::route::{Route, route};
use crate::proxy::served_lineup::ServedLineup;
use crate::proxy::succession::Succession;
use crate::server::{Phases, Upload};
use crate::supervisor::Supervisor;
use crate::telemetry::counts::Requests;
use crate::upstream::client::Client;
use crate::upstream::jellyfin::Jellyfin;
use domain::clients::ClientRule;
use domain::guid;
use domain::openings::MentionKind;
use domain::produce::Rules;
use domain::reason::RouteClass;
use domain::signal::{Signal, Whose};
use domain::viewer::Account;
use domain::window::{ListingChoice, StartChoice};

/// Bytes of all request bodies that are kept at a time, until they have been read or sent again.
const KEPT: usize = 16 << 20;
/// Bytes of the largest of them.
const LARGEST_KEPT: usize = 1 << 20;
/// How long one is kept while it is incomplete.
const KEPT_INCOMPLETE: Duration = Duration::from_secs(10);

/// What stays as it is while the gateway runs.
#[derive(Debug)]
pub struct Settings {
    /// The gateway's name in `Cache-Status`, `Via` and `Proxy-Status`, and the proxies that it trusts.
    pub identity: Identity,
    /// Whether users without access to live TV are refused.
    pub live_tv_right: LiveTvRight,
    /// After which silence a viewer has left at the latest.
    pub patience: Duration,
    /// The gateway's own playlist and guide, if it serves them.
    pub lineup: Option<ServedLineup>,
    /// Hashes tokens into accounts, with nobody outside who could foresee them. A process that takes this one's place knows accounts
    /// by it.
    pub secret: u128,
    /// How far another process takes this one's place.
    pub phases: Phases,
    /// Where requests are counted.
    pub requests: Requests,
    /// Where a line is written for each request, if anywhere.
    pub access_log: Option<AccessLog>,
}

/// What the operator decides about the answers, and may change at any time.
#[derive(Debug)]
pub struct Choices {
    /// How long a viewer waits for the first segment of a stream that was not running.
    pub cold_timeout: Duration,
    /// In which ways streams may be produced.
    pub produce: Rules,
    /// Whose playlist request is blocked until the segment that its `_HLS_msn` names exists.
    pub blocking_reload: BlockingReload,
    /// What a client is answered for which all tuners are taken.
    pub tuner_refusal: Refusal,
    /// Whose wishes count that a request states in its header fields.
    pub believed: Believed,
    /// Whether `Cache-Control` is among them.
    pub heeds_cache_control: bool,
    /// The rules for clients.
    pub client_rules: Vec<ClientRule>,
    /// Whether answers say what happened.
    pub status_fields: bool,
    /// How playlists are made, where no rule for clients says it.
    pub cut: ListingChoice,
    /// Where the playlist of a new viewer begins, where no rule for clients says it.
    pub start: StartChoice,
}

/// Answers the requests of all connections.
#[derive(Debug)]
pub struct Gateway {
    pub(super) name: String,
    choices: ArcSwap<Choices>,
    pub(super) lineup: Option<ServedLineup>,
    pub(super) forwarder: Forwarder,
    pub(super) auth: Auth,
    pub(super) jellyfin: Jellyfin,
    pub(super) supervisor: Supervisor,
    pub(super) blocked_requests: BlockedRequests,
    pub(super) miss_counters: MissCounters,
    pub(super) says_that_wishes_count: Once,
    pub(super) playbacks: Playbacks,
    pub(super) programmes: Programmes,
    pub(super) tuner_denials: TunerDenialCache,
    pub(super) hls_warmup: HlsWarmup,
    pub(super) pairings: Pairings,
    /// Only for bodies whose sender has shown a credential that the server has not refused.
    pub(super) kept_bodies: Budget,
    pub(super) succession: Succession,
    requests: Requests,
    pub(super) access_log: Option<AccessLog>,
    cors: Cors,
    fingerprint: RandomState,
    /// Hashes tokens into accounts, so that no token is kept where an account is enough.
    pub(super) secret: u128,
}

impl Gateway {
    /// A gateway that passes requests on through `client`, and serves the streams of `supervisor`.
    #[must_use]
    pub fn new(
        (settings, choices): (Settings, Choices),
        client: Client,
        jellyfin: Jellyfin,
        supervisor: Supervisor,
    ) -> Self {
        let Settings { identity, live_tv_right, patience, lineup, secret, phases, .. } = settings;
        let Settings { requests, access_log, .. } = settings;
        Self {
            name: identity.name.clone(),
            choices: ArcSwap::from_pointee(choices),
            lineup,
            forwarder: Forwarder::new(client, identity),
            auth: Auth::new(jellyfin.clone(), live_tv_right),
            programmes: Programmes::new(jellyfin.clone()),
            jellyfin,
            supervisor,
            blocked_requests: BlockedRequests::default(),
            miss_counters: MissCounters::default(),
            says_that_wishes_count: Once::new(),
            playbacks: Playbacks::new(patience),
            tuner_denials: TunerDenialCache::default(),
            hls_warmup: HlsWarmup::default(),
            pairings: Pairings::default(),
            kept_bodies: Budget::new(KEPT, LARGEST_KEPT, KEPT_INCOMPLETE),
            succession: Succession::following(phases),
            requests,
            access_log,
            cors: Cors::default(),
            fingerprint: RandomState::new(),
            secret,
        }
    }

    /// Replaces what the operator decides about the answers: it applies to requests from now on, and to viewers when they next tune.
    pub fn change(&self, choices: Choices) {
        self.choices.store(Arc::new(choices));
    }

    /// What the operator decides about the answers, at this moment.
    pub(super) fn choices(&self) -> Guard<Arc<Choices>> {
        self.choices.load()
    }

    pub(super) async fn answer(self: &Arc<Self>, mut request: Request<Body>) -> Response<Body> {
        let (route, token) = list_path::route(&mut request);
        let class = route.class();
        // Boxed one by one: an answer that takes long occupies no more memory than its own way needs.
        let mut response = match route {
            Route::Live(live) => Box::pin(self.live(*live, token, request)).await,
            Route::Bypassed(reason) => Box::pin(self.bypassed(reason, request)).await,
            Route::Segment { consumer, sequence } => {
                Box::pin(self.segment(consumer, sequence, request)).await
            }
            Route::PlaybackInfo { item } => Box::pin(self.opening(Some(item), request)).await,
            Route::Open => Box::pin(self.opening(None, request)).await,
            Route::Playing(report) => Box::pin(self.report(report, request)).await,
            Route::ActiveEncodings { play_session, .. } => {
                if let Some(play_session) = play_session {
                    self.supervisor.signal(Whose::PlaySession(play_session), Signal::EncodingsDeleted);
                }
                self.forward(request).await
            }
            Route::Logout => Box::pin(self.log_out(request)).await,
            Route::Timers => Box::pin(self.timers(request)).await,
            Route::Close { live_stream } => Box::pin(self.close(live_stream, request)).await,
            Route::Lineup(page) => Box::pin(self.lineup(page, request)).await,
            Route::Master => Box::pin(self.master(request)).await,
            Route::Media => Box::pin(self.media(MentionKind::TakenOver, request)).await,
            Route::Socket => Box::pin(self.socket(request)).await,
            Route::Other => Box::pin(self.other(request)).await,
        };
        response.extensions_mut().insert(class);
        response
    }

    /// Passes a request through, and learns the origin's CORS fields from the server's answer.
    pub(super) async fn forward(&self, request: Request<Body>) -> Response<Body> {
        let asked = request.headers().get(ORIGIN).cloned();
        let asked = asked.map(|origin| (origin, request.method().clone(), request.uri().clone()));
        injected_panics::at(Step::Asking);
        let response = self.forwarder.forward(request).await;
        injected_panics::at(Step::Answered);
        if let Some(Ours { is_server_silent }) = response.extensions().get() {
            // The server may be restarting.
            if *is_server_silent
                && matches!(response.status(), StatusCode::BAD_GATEWAY | StatusCode::GATEWAY_TIMEOUT)
            {
                self.hls_warmup.server_lost();
                self.supervisor.server_lost();
            }
            return response;
        }
        if let Some((origin, method, uri)) = asked {
            let grants = || response.status().is_success() && route(&method, &uri).is_answered_here();
            self.cors.learn(&origin, response.headers(), grants);
        }
        response
    }

    /// The credential of a request and the addresses it came from; `None` if it carries no token.
    pub(super) fn asker(&self, request: &Request<Body>, query: &Query) -> Option<Asker> {
        let credential = Credential::of(request.headers(), query)?;
        Some(Asker { credential, from: self.forwarder.forwarded_for(request) })
    }

    /// Reads the whole body of a request. Its sender has to have shown a credential that the server has not refused.
    ///
    /// # Errors
    /// The request as it came, if its body cannot be kept.
    pub(super) async fn keep(&self, request: Request<Body>) -> Result<(Parts, Kept), Request<Body>> {
        let (parts, body) = request.into_parts();
        match self.kept_bodies.read(body).await {
            Ok(kept) => Ok((parts, kept)),
            Err(body) => Err(Request::from_parts(parts, body)),
        }
    }

    /// The account that a token stands for.
    pub(super) fn account(&self, token: &str) -> Account {
        let [a, b, c, d, e, f, g, h, ..] = guid::digest(&format!("{:032x}{token}", self.secret));
        Account(u64::from_be_bytes([a, b, c, d, e, f, g, h]))
    }

    /// A hash that nobody outside can foresee.
    pub(super) fn hash(&self, value: impl Hash) -> u64 {
        self.fingerprint.hash_one(value)
    }

    /// An answer of the gateway's own without a body.
    pub(super) fn empty_response(&self, request: &HeaderMap, status: StatusCode) -> Response<Body> {
        let mut response = Response::new(body::empty());
        *response.status_mut() = status;
        response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
        self.with_cors(request, response)
    }

    /// The same with the reason in `Proxy-Status` (RFC 9209), where `error` is one of its types of error.
    pub(super) fn refusal(
        &self,
        request: &HeaderMap,
        status: StatusCode,
        (error, reason): (Option<&str>, &str),
    ) -> Response<Body> {
        let mut response = self.empty_response(request, status);
        let error = error.map_or_else(String::new, |error| format!(" error={error};"));
        self.say(response.headers_mut(), PROXY_STATUS, || {
            format!("{};{error} details=\"{reason}\"", self.name)
        });
        response
    }

    /// Says in a field of an answer what happened, if answers do.
    pub(super) fn say(&self, answer: &mut HeaderMap, name: HeaderName, value: impl FnOnce() -> String) {
        if self.choices().status_fields
            && let Ok(value) = HeaderValue::try_from(value())
        {
            answer.append(name, value);
        }
    }

    /// Adds to an answer of the gateway's own the CORS fields that the server would have sent.
    pub(super) fn with_cors(&self, request: &HeaderMap, mut response: Response<Body>) -> Response<Body> {
        self.cors.apply(request, response.headers_mut());
        response
    }
}

/// The gateway as the service of a connection; clones are cheap.
#[derive(Clone, Debug)]
pub struct Handle(pub Arc<Gateway>);

impl Service<Request<Upload>> for Handle {
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Infallible>> + Send>>;

    fn call(&self, request: Request<Upload>) -> Self::Future {
        let gateway = Arc::clone(&self.0);
        Box::pin(async move {
            let injected = InjectedPanic::of(request.headers());
            let request = request.map(body::boxed);
            let asked = gateway.noted(&request);
            let mut response = injected.during(gateway.answered(request)).await;
            if response.extensions_mut().remove::<Ours>().is_some() && !gateway.choices().status_fields {
                response.headers_mut().remove(PROXY_STATUS);
            }
            // After a panic, or from another process, it says nothing.
            let class = response.extensions_mut().remove::<RouteClass>().unwrap_or(RouteClass::Other);
            gateway.requests.add(class, response.status());
            Ok(match asked {
                Some(asked) => asked.answered(response, class),
                None => response,
            })
        })
    }
}
