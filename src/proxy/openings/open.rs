//! Passes an opening on and reads from its answer which live streams are open now, so that they can be prefetched, and closed in the
//! client's name if nothing comes of them.
//!
//! An opening is `POST PlaybackInfo` or `LiveStreams/Open`. It goes upstream as it came, except that the server may not compress
//! the answer. The server opens a tuner whether or not the client waits for the answer, so each opening runs in a task of its own
//! that survives the client's connection.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use bytes::Bytes;
use http::header::{ACCEPT_ENCODING, CONTENT_LENGTH};
use http::{HeaderMap, HeaderValue, Request, Response, StatusCode};
use tracing::{debug, info};

use crate::body::{self, Body};
use crate::proxy::auth::Verdict;
use crate::proxy::gateway::Gateway;
use crate::proxy::openings::open_response::{OpenRequest, OpenedStream, Opener};
use crate::proxy::query::Query;
use crate::proxy::route::prefix;
use crate::supervisor::held::client_openings;
use crate::supervisor::inputs::prefetch::OpenedChannel;
use crate::upstream::jellyfin::{Place, RawPath};
use domain::key::{Channel, DeviceId, ItemId};
use domain::openings::{ClientOpening, Mention, MentionKind};
use domain::produce::ProductionMethod;
use domain::viewer::Account;

/// Bytes of the largest request that is kept to be sent again, and of the largest request and answer that are read.
const READABLE: usize = 1 << 20;
/// How long the rest of an answer is read after its client has gone.
const LINGER: Duration = Duration::from_secs(30);
/// The most idle channels that one opening costs where the number of tuners is known: each has to be proved necessary.
const IDLE_CHANNELS_PER_OPENING: usize = 4;

impl Gateway {
    /// Answers `POST PlaybackInfo` of `item`, or `LiveStreams/Open`, whose item stands in the query or the body.
    pub(in crate::proxy) async fn opening(
        self: &Arc<Self>,
        item: Option<ItemId>,
        request: Request<Body>,
    ) -> Response<Body> {
        self.to_the_end(Arc::clone(self).open(item, request)).await
    }

    /// Answers `master.m3u8`. The media playlist will be requested next, with the same credential in the same place, so that
    /// credential is checked meanwhile: a warm answer then need not wait for it.
    pub(in crate::proxy) async fn master(self: &Arc<Self>, request: Request<Body>) -> Response<Body> {
        if let Some(asker) = self.asker(&request, &Query::of(request.uri())) {
            let (gateway, prefix) = (Arc::clone(self), prefix(request.uri()).to_owned());
            self.named_by(&asker.credential, request.uri());
            tokio::spawn(async move { gateway.auth.check(&prefix, &asker).await });
        }
        self.forward(request).await
    }

    async fn open(self: Arc<Self>, item: Option<ItemId>, mut request: Request<Body>) -> Response<Body> {
        request.headers_mut().insert(ACCEPT_ENCODING, HeaderValue::from_static("identity"));
        let (request, open_request) = with_copy(item.clone(), request);
        let Some(asker) = self.asker(&request, &Query::of(request.uri())) else {
            return self.forward_opening(item, (None, None), request).await;
        };
        let player = self.player(&request, asker.credential.device().cloned());
        let mut opener = Opener { asker, player, prefix: prefix(request.uri()).to_owned(), user: None };
        match self.auth.check(&opener.prefix, &opener.asker).await {
            Verdict::NoLiveTv => return self.open_without_live_tv(&opener, &open_request, request).await,
            Verdict::Allowed(me) => opener.user = me.id.clone(),
            Verdict::Denied | Verdict::Unknown => {}
        }
        self.hls_warmup.run(&self.jellyfin, &opener.prefix, &opener.asker.credential).await;
        let account = self.account(opener.asker.credential.token());
        self.supervisor.tuners().introduce(account, &opener.prefix, &opener.asker.credential.login());
        let device = opener.asker.credential.device().cloned();
        let response = self.forward_opening(item, (Some(account), device), request).await;
        if response.status() != StatusCode::OK {
            return response;
        }
        let abandoned = Arc::new(AtomicBool::new(false));
        let is_abandoned = Arc::clone(&abandoned);
        let read = move |answer: Option<Bytes>| {
            let opened = open_request.get().zip(answer).map(|(request, answer)| request.opened(&answer));
            for opened in opened.unwrap_or_default() {
                self.opened(&opened, &opener, is_abandoned.load(Ordering::Relaxed));
            }
        };
        let taken = move |whole: bool| abandoned.store(!whole, Ordering::Relaxed);
        response.map(|body| body::watched(body::drained(body::tee(body, READABLE, read), LINGER), taken))
    }

    /// Tells the supervisor that the server has opened a live stream. The client has not yet received the end of the answer that
    /// says so (or has gone: `abandoned`), so nothing here may wait.
    fn opened(self: &Arc<Self>, opened: &OpenedStream, opener: &Opener, abandoned: bool) {
        debug!(?opened, abandoned, "a client has opened a live stream");
        if !abandoned {
            self.prefetch(opened, opener);
        }
        let account = Some(self.account(opener.asker.credential.token()));
        let (live_stream, play_session) = (opened.live_stream.clone(), opened.play_session.clone());
        if !opened.taken {
            let mention = Mention { account, live_stream: Some(live_stream), ..Mention::default() };
            self.supervisor.mentioned(mention, MentionKind::Named);
            return;
        }
        let raw = opened.path.as_deref().and_then(RawPath::of_url);
        let opening = ClientOpening {
            account,
            device: opener.asker.credential.device().cloned(),
            live_stream,
            play_session,
            name: raw.as_ref().map(RawPath::opening),
            abandoned,
        };
        let opener = client_openings::Opener {
            login: opener.asker.credential.login(),
            user: opener.user.clone(),
            prefix: opener.prefix.clone(),
            item: opened.item.clone(),
        };
        self.supervisor.opened(opening, opener);
    }

    /// Has the input of the opened channel pulled at once, if the gateway may produce the stream that its client will ask for.
    fn prefetch(&self, opened: &OpenedStream, opener: &Opener) {
        let Some(item) = opened.item.clone() else { return };
        let channel = Channel { item: item.clone(), source: opened.source.clone() };
        if self.produce(&channel, &opener.player).first() == ProductionMethod::Adopted {
            return;
        }
        let (prefix, user) = (opener.prefix.clone(), opener.user.clone());
        self.supervisor.prefetch(OpenedChannel {
            place: Place { prefix, item, user },
            channel,
            live_stream: opened.live_stream.clone(),
            raw: opened.path.as_deref().and_then(RawPath::of_url),
            account: self.account(opener.asker.credential.token()),
            login: opener.asker.credential.login(),
        });
    }

    /// Passes an opening on. If the server denies it a tuner, gives up idle channels one by one and passes it on again. Where the
    /// number of tuners is unknown, one idle channel shows whether a tuner was short: if it was given up in vain, the channel is
    /// dead, and costs no other for a while.
    async fn forward_opening(
        &self,
        item: Option<ItemId>,
        (account, device): (Option<Account>, Option<DeviceId>),
        request: Request<Body>,
    ) -> Response<Body> {
        self.supervisor.opening(item.clone(), account);
        let device = device.as_ref();
        let in_vain = item.as_ref().is_some_and(|item| self.tuner_denials.contains(item));
        if in_vain
            || !self.supervisor.tuners().may_free_tuner_for(account, device)
            || !is_repeatable(request.headers())
        {
            return self.forward(request).await;
        }
        let (parts, body) = request.into_parts();
        let Some(bytes) = body::read(body, READABLE).await else {
            // The client broke off in the middle of its request, so nobody reads the answer.
            return Response::new(body::empty());
        };
        let again = || Request::from_parts(parts.clone(), body::full(bytes.clone()));
        let mut response = self.forward(again()).await;
        let is_limit_known = self.supervisor.tuners().is_limit_known();
        for _ in 0..if is_limit_known { IDLE_CHANNELS_PER_OPENING } else { 1 } {
            if response.status() != StatusCode::INTERNAL_SERVER_ERROR {
                break;
            }
            let freed = match &item {
                Some(item) => self.supervisor.tuners().free_tuner_for(account, device, item).await,
                None => self.supervisor.tuners().free_tuner().await,
            };
            if !freed {
                break;
            }
            info!("the server denied an opening a tuner; gave up an idle stream and tries again");
            response = self.forward(again()).await;
            if let (StatusCode::INTERNAL_SERVER_ERROR, false, Some(item)) =
                (response.status(), is_limit_known, &item)
            {
                self.tuner_denials.insert(item.clone());
            }
        }
        response
    }
}

/// The request, and what it asks for, which is known once its body has been sent.
fn with_copy(item: Option<ItemId>, request: Request<Body>) -> (Request<Body>, Arc<OnceLock<OpenRequest>>) {
    let open_request = Arc::new(OnceLock::new());
    let (uri, tell) = (request.uri().clone(), Arc::clone(&open_request));
    let read = move |body: Option<Bytes>| drop(tell.set(OpenRequest::of(item, &uri, body.as_deref())));
    (request.map(|body| body::tee(body, READABLE, read)), open_request)
}

/// Whether the request's body is known to be small enough to be kept and sent again.
fn is_repeatable(headers: &HeaderMap) -> bool {
    let length = headers.get(CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse::<usize>().ok());
    length.is_some_and(|length| length <= READABLE)
}
