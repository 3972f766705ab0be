//! A viewer is about to play: `PlaybackInfo`, `LiveStreams/Open`, and the multivariant playlist that follows.
//!
//! They go upstream as they came, but for the coding of the answer, which is read on its way back. But a user without the
//! right to live TV is told so, the server's first play is spared its error, and an opening that is denied a tuner is tried
//! again once a stream that nobody watches has been given back.
//!
//! The server opens what it was asked to open, whether or not the client waits: so the answer is waited for in a task.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use bytes::Bytes;
use http::header::{ACCEPT_ENCODING, CONTENT_LENGTH};
use http::{HeaderMap, HeaderValue, Request, Response, StatusCode};
use moka::sync::Cache;
use tokio::time::Instant;
use tracing::{debug, info};

use crate::body::{self, Body};
use crate::proxy::Gateway;
use crate::proxy::auth::Verdict;
use crate::proxy::opened::{Asked, Opened, Opener};
use crate::proxy::query::Query;
use crate::proxy::route::prefix;
use crate::supervisor::{expected, returns};
use crate::upstream::jellyfin::{Place, RawPath};
use domain::key::{Channel, ItemId};
use domain::openings::{Follow, Named, Opening};
use domain::produce::Means;

/// The largest request that is kept to be sent again, and the largest request and answer that are looked into.
const KEPT: usize = 1 << 20;
/// How long the rest of an answer is read whose client has gone.
const LINGER: Duration = Duration::from_secs(30);
/// How many warm streams are given back, at most, to one who wants a tuner.
const SACRIFICES: usize = 4;
/// A server whose tuners are all busy says so at once (22-33 ms, `jellyfin-observed.md` 5); a later 500 has other causes.
const AT_ONCE: Duration = Duration::from_secs(1);
/// For how long a channel that could not be opened with any number of free tuners costs no more of them.
const HOPELESS: Duration = Duration::from_secs(60);

/// The channels for which giving tuners back was in vain.
#[derive(Debug)]
pub struct Hopeless(Cache<ItemId, ()>);

impl Default for Hopeless {
    fn default() -> Self {
        Self(Cache::builder().max_capacity(1000).time_to_live(HOPELESS).build())
    }
}

impl Gateway {
    /// `POST PlaybackInfo` or `LiveStreams/Open`.
    pub(super) async fn opening(
        self: &Arc<Self>,
        item: Option<ItemId>,
        request: Request<Body>,
    ) -> Response<Body> {
        let gateway = Arc::clone(self);
        let opening = tokio::spawn(async move { gateway.open(item, request).await });
        opening.await.unwrap_or_else(|_| Response::new(body::empty()))
    }

    async fn open(self: Arc<Self>, item: Option<ItemId>, mut request: Request<Body>) -> Response<Body> {
        // The server compresses JSON for whoever takes it so, and it is to be read here.
        request.headers_mut().insert(ACCEPT_ENCODING, HeaderValue::from_static("identity"));
        let (request, asked) = overheard(item.clone(), request);
        let Some(asker) = self.asker(&request, &Query::of(request.uri())) else {
            return self.open_for_anybody(item, request).await;
        };
        let player = self.player(&request, asker.credential.device().cloned());
        let mut opener = Opener { asker, player, prefix: prefix(request.uri()).to_owned(), user: None };
        match self.auth.check(&opener.prefix, &opener.asker).await {
            Verdict::NoLiveTv => return self.opening_without_right(&opener, &asked, request).await,
            Verdict::Allowed(me) => opener.user = me.id.clone(),
            Verdict::Denied | Verdict::Unknown => {}
        }
        self.primer.prime(&self.jellyfin, &opener.prefix, &opener.asker.credential).await;
        self.lendings.opening(self.account(opener.asker.credential.token()));
        let response = self.open_for_anybody(item, request).await;
        if response.status() != StatusCode::OK {
            return response;
        }
        let abandoned = Arc::new(AtomicBool::new(false));
        let is_abandoned = Arc::clone(&abandoned);
        let read = move |answer: Option<Bytes>| {
            let read = asked.get().zip(answer).map(|(asked, answer)| asked.opened(&answer));
            for opened in read.unwrap_or_default() {
                self.opened(&opened, &opener, is_abandoned.load(Ordering::Relaxed));
            }
        };
        let taken = move |whole: bool| abandoned.store(!whole, Ordering::Relaxed);
        response.map(|body| body::watched(body::drained(body::tee(body, KEPT, read), LINGER), taken))
    }

    /// Something has been opened. The client has yet to get the end of the answer that says so, unless it has gone
    /// (`abandoned`): nothing here may wait.
    fn opened(self: &Arc<Self>, opened: &Opened, opener: &Opener, abandoned: bool) {
        debug!(?opened, abandoned, "opened");
        if !abandoned {
            self.expect(opened, opener);
        }
        let account = Some(self.account(opener.asker.credential.token()));
        let (live_stream, play_session) = (opened.live_stream.clone(), opened.play_session.clone());
        if !opened.taken {
            let named = Named { account, live_stream: Some(live_stream), ..Named::default() };
            self.supervisor.followed(named, Follow::Named);
            return;
        }
        let raw = opened.path.as_deref().and_then(RawPath::of_url);
        let opening = Opening {
            account,
            device: opener.asker.credential.device().cloned(),
            live_stream,
            play_session,
            name: raw.as_ref().map(RawPath::opening),
            abandoned,
        };
        let opener = returns::Opener {
            login: opener.asker.credential.login(),
            user: opener.user.clone(),
            prefix: opener.prefix.clone(),
            item: opened.item.clone(),
        };
        self.supervisor.opened(opening, opener);
    }

    /// Whoever opened it will want a stream of it: where the gateway may make that itself, its input is opened now.
    fn expect(&self, opened: &Opened, opener: &Opener) {
        let Some(item) = opened.item.clone() else { return };
        let channel = Channel { item: item.clone(), source: opened.source.clone() };
        if self.produce(&channel, &opener.player).first() == Means::Adopted {
            return;
        }
        let (prefix, user) = (opener.prefix.clone(), opener.user.clone());
        self.supervisor.expect(expected::Opening {
            place: Place { prefix, item, user },
            channel,
            live_stream: opened.live_stream.clone(),
            raw: opened.path.as_deref().and_then(RawPath::of_url),
            account: self.account(opener.asker.credential.token()),
            login: opener.asker.credential.login(),
        });
    }

    async fn open_for_anybody(&self, item: Option<ItemId>, request: Request<Body>) -> Response<Body> {
        if let Some(item) = &item {
            self.supervisor.opening(item.clone());
        }
        let hopeless = item.as_ref().is_some_and(|item| self.hopeless.0.contains_key(item));
        if hopeless || !self.supervisor.has_idle() || !can_be_kept(request.headers()) {
            return self.forward(request).await;
        }
        let (parts, body) = request.into_parts();
        let Some(bytes) = body::read(body, KEPT).await else {
            // The client broke off in the middle of its own request: nobody is left to answer.
            return Response::new(body::empty());
        };
        let again = || Request::from_parts(parts.clone(), body::full(bytes.clone()));
        let asked = Instant::now();
        let mut response = self.forward(again()).await;
        if asked.elapsed() > AT_ONCE {
            return response;
        }
        for _ in 0..SACRIFICES {
            if response.status() != StatusCode::INTERNAL_SERVER_ERROR || !self.supervisor.free_tuner().await {
                break;
            }
            info!("a tuner was needed and has been freed");
            response = self.forward(again()).await;
        }
        if let (StatusCode::INTERNAL_SERVER_ERROR, Some(item)) = (response.status(), item) {
            self.hopeless.0.insert(item, ());
        }
        response
    }

    /// `master.m3u8`: the media playlist is asked for next, with the same credential in the same place. Who that is, is
    /// found out meanwhile, so that a warm answer need not wait for it.
    pub(super) async fn master(self: &Arc<Self>, request: Request<Body>) -> Response<Body> {
        if let Some(asker) = self.asker(&request, &Query::of(request.uri())) {
            let (gateway, prefix) = (Arc::clone(self), prefix(request.uri()).to_owned());
            self.spoken_of(&asker.credential, request.uri());
            tokio::spawn(async move { gateway.auth.check(&prefix, &asker).await });
        }
        self.forward(request).await
    }
}

/// The request, and what it asks for once it has been sent.
fn overheard(item: Option<ItemId>, request: Request<Body>) -> (Request<Body>, Arc<OnceLock<Asked>>) {
    let asked = Arc::new(OnceLock::new());
    let (uri, tell) = (request.uri().clone(), Arc::clone(&asked));
    let read = move |body: Option<Bytes>| drop(tell.set(Asked::of(item, &uri, body.as_deref())));
    (request.map(|body| body::tee(body, KEPT, read)), asked)
}

fn can_be_kept(headers: &HeaderMap) -> bool {
    let length = headers.get(CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse::<usize>().ok());
    length.is_some_and(|length| length <= KEPT)
}
