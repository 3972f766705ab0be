//! Passes an opening on and reads from its answer which live streams are open now, so that they can be prefetched, and closed in the
//! client's name if nothing comes of them.
//!
//! An opening is `POST PlaybackInfo` or `LiveStreams/Open`. It goes upstream as it comes, except that the server may not compress
//! the answer, and a copy of it is kept meanwhile: it tells what is asked for, and is sent again if the server denies a tuner that
//! can be freed. The server opens a tuner whether or not the client waits for the answer, so each opening runs in a task of its own
//! that survives the client's connection. Of a request without a credential, or with one that the server refuses, nothing is kept.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use bytes::Bytes;
use http::header::{ACCEPT_ENCODING, CONTENT_LENGTH};
use http::{HeaderValue, Method, Request, Response, StatusCode};
use http_body::Body as _;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tracing::{debug, info};

use crate::background::{noted, survived};
use crate::body::kept::{self, Kept};
use crate::body::{self, Body};
use crate::proxy::auth::Verdict;
use crate::proxy::gateway::Gateway;
use crate::proxy::injected_panics::{InjectedPanic, Step};
use crate::proxy::list_path;
use crate::proxy::openings::open_response::{OpenRequest, OpenedStream, Opener};
use crate::proxy::passage::Passage;
use crate::proxy::query::Query;
use crate::proxy::route::prefix;
use crate::supervisor::held::opener;
use crate::supervisor::inputs::prefetch::OpenedChannel;
use crate::supervisor::random;
use crate::supervisor::tuners::asking::Asking;
use crate::upstream::jellyfin::{Place, RawPath};
use domain::clients::ClientSettings;
use domain::key::{Channel, ConsumerId, ItemId, MediaSourceId};
use domain::openings::{ClientOpening, Mention, MentionKind};
use domain::produce::ProductionMethod;
use domain::reason::ZapOutcome;
use domain::zap::Zapper;

/// Bytes of the largest multivariant playlist that is read.
const MASTER: usize = 64 << 10;
/// Bytes of the largest answer that is read.
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
        let client = CancellationToken::new();
        let _waits = client.clone().drop_guard();
        let (wishes, passage) = (self.wishes(&request), Passage::under_way(&request));
        let opening = Arc::clone(self).open(item, request, wishes.settings, client);
        let mut response = self.to_the_end(passage, opening).await;
        self.name_ignored(&wishes.ignored, response.headers_mut());
        response
    }

    /// Answers `master.m3u8`. The media playlist will be requested next, with the same credential in the same place, so that
    /// credential is checked meanwhile: a warm answer then need not wait for it. It will be requested in a folder of the viewer's.
    pub(in crate::proxy) async fn master(self: &Arc<Self>, mut request: Request<Body>) -> Response<Body> {
        if let Some(asker) = self.asker(&request, &Query::of(request.uri())) {
            self.put_profile(&asker, &mut request).await;
            let (gateway, prefix) = (Arc::clone(self), prefix(request.uri()).to_owned());
            self.named_by(&asker.credential, request.uri());
            let asking = async move { gateway.auth.check(&prefix, &asker).await };
            tokio::spawn(noted("a question about a credential", asking));
        }
        let is_read = request.method() == Method::GET;
        if is_read {
            request.headers_mut().insert(ACCEPT_ENCODING, HeaderValue::from_static("identity"));
        }
        let asked = request.headers().clone();
        let response = self.forward(request).await;
        let is_short = response.body().size_hint().exact().is_some_and(|size| size <= MASTER as u64);
        if !is_read || !is_short || response.status() != StatusCode::OK {
            return response;
        }
        let (mut head, body) = response.into_parts();
        let Some(master) = body::read(body, MASTER).await else {
            return self.empty_response(&asked, StatusCode::BAD_GATEWAY);
        };
        let token = ConsumerId::from_bits(random());
        let master = list_path::in_folder(&master, token).unwrap_or(master);
        head.headers.insert(CONTENT_LENGTH, HeaderValue::from(master.len()));
        Response::from_parts(head, body::full(master))
    }

    /// Answers an opening. `client` is cancelled when nobody waits for the answer any more.
    async fn open(
        self: Arc<Self>,
        item: Option<ItemId>,
        mut request: Request<Body>,
        wishes: ClientSettings,
        client: CancellationToken,
    ) -> Response<Body> {
        let begun = Instant::now();
        let Some(asker) = self.asker(&request, &Query::of(request.uri())) else {
            return self.forward(request).await;
        };
        let (prefix, settings) = (prefix(request.uri()).to_owned(), ClientSettings::default());
        let mut opener = Opener { asker, begun, settings, prefix, user: None, is_administrator: false };
        let verdict = self.auth.check(&opener.prefix, &opener.asker).await;
        if verdict == Verdict::Denied {
            return self.forward(request).await;
        }
        request.headers_mut().insert(ACCEPT_ENCODING, HeaderValue::from_static("identity"));
        let (account, login) =
            (self.account(opener.asker.credential.token()), opener.asker.credential.login());
        if let Verdict::Allowed(me) = &verdict {
            (opener.user, opener.is_administrator) = (me.id.clone(), me.administrator);
            self.supervisor.close_leftovers(account, &login, me.id.as_deref()).await;
        }
        opener.settings = self.client_settings(&opener, &verdict, &request).with(wishes);
        let request = match self.within_limits(item.as_ref(), &opener, request).await {
            Ok(request) => request,
            Err(refusal) => return refusal,
        };
        let (request, sent) = self.with_copy(item.clone(), request);
        if verdict == Verdict::NoLiveTv {
            return self.open_without_live_tv(&opener, &sent.asks, request).await;
        }
        self.hls_warmup.run(&self.jellyfin, &opener.prefix, &opener.asker.credential).await;
        self.supervisor.tuners().introduce(account, &opener.prefix, &login);
        let (response, asking) = self.forward_opening(item, &opener, (request, &sent), &client).await;
        let open_request = sent.asks;
        if response.status() != StatusCode::OK {
            if let Some(item) = open_request.get().filter(|asks| asks.opens()).and_then(OpenRequest::item) {
                self.zap_refused(&opener, item, (ZapOutcome::Failed, "opening-refused"));
            }
            return response;
        }
        let abandoned = Arc::new(AtomicBool::new(false));
        let (is_abandoned, injected) = (Arc::clone(&abandoned), InjectedPanic::current());
        let read = move |answer: Option<Bytes>| {
            // It passes on whatever comes of this.
            survived("the reading of an opening", || {
                injected.at(Step::Reading);
                let opened = open_request.get().zip(answer).map(|(request, answer)| request.opened(&answer));
                for opened in opened.unwrap_or_default() {
                    self.opened(&opened, &opener, is_abandoned.load(Ordering::Relaxed));
                }
            });
            // Now the pool knows what is open.
            drop(asking);
        };
        let taken = move |whole: bool| abandoned.store(!whole, Ordering::Relaxed);
        response.map(|body| body::watched(body::drained(kept::tee(body, READABLE, read), LINGER), taken))
    }

    /// Tells the supervisor that the server has opened a live stream. The client has not yet received the end of the answer that
    /// says so (or has gone: `abandoned`), so nothing here may wait.
    fn opened(self: &Arc<Self>, opened: &OpenedStream, opener: &Opener, abandoned: bool) {
        debug!(?opened, abandoned, "a client has opened a live stream");
        if let Some(item) = opened.item.clone().filter(|_| opened.paired) {
            self.pairings.seen(Channel { item, source: opened.source.clone() }, opened.live_stream.clone());
        }
        if !abandoned {
            self.prefetch(opened, opener);
        }
        let account = self.account(opener.asker.credential.token());
        if let Some(item) = &opened.item {
            let zapper = self.zapper(opener, item);
            self.supervisor.zaps().opened(&zapper, opener.begun.elapsed(), self.supervisor.is_near(item));
        }
        if let Some(play) = &opened.play_session {
            self.playbacks.begins(self.hash((account, play)));
        }
        let account = Some(account);
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
            item: opened.item.clone(),
            play_session,
            name: raw.as_ref().map(RawPath::opening),
            abandoned,
        };
        let opener = opener::Opener {
            login: opener.asker.credential.login(),
            user: opener.user.clone(),
            prefix: opener.prefix.clone(),
            item: opened.item.clone(),
        };
        self.supervisor.opened(opening, opener);
    }

    /// A client has not got the channel that it wanted to open.
    pub(super) fn zap_refused(&self, opener: &Opener, item: &ItemId, why: (ZapOutcome, &'static str)) {
        self.supervisor.zaps().refused(&self.zapper(opener, item), opener.begun.elapsed(), why);
    }

    /// Who opens which channel.
    fn zapper(&self, opener: &Opener, item: &ItemId) -> Zapper {
        let credential = &opener.asker.credential;
        let account = self.account(credential.token());
        Zapper { account, device: credential.device().cloned(), item: item.clone() }
    }

    /// Has the input of the opened channel pulled at once, if the gateway may produce the stream that its client will ask for.
    fn prefetch(&self, opened: &OpenedStream, opener: &Opener) {
        let Some(item) = opened.item.clone() else { return };
        let channel = Channel { item: item.clone(), source: opened.source.clone() };
        if !self.pairings.is_proven(&channel, &opened.live_stream) {
            return;
        }
        let ClientSettings { produce, mode, .. } = opener.settings;
        let is_left = self.produce(&channel, produce).first() == ProductionMethod::Adopted;
        if is_left || !mode.unwrap_or_default().may_prefetch() {
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

    /// Passes an opening on. Where nobody would refuse one channel too many, an idle one is closed first. If the server denies it a
    /// tuner, gives up idle channels one by one and passes it on again, unless its body could not be kept. What is idle when the
    /// denial comes counts: it may have waited long behind other openings. Where nobody tells the number of tuners, or one counts as
    /// free and none has become so meanwhile, one idle channel shows whether a tuner was short: if it was given up in vain, the channel is dead, and costs
    /// no other for a while. Where nothing can be freed, it is passed on once more if another opening has come to nothing meanwhile;
    /// else a client that shows it is told why.
    async fn forward_opening(
        &self,
        item: Option<ItemId>,
        opener: &Opener,
        (request, sent): (Request<Body>, &Sent),
        client: &CancellationToken,
    ) -> (Response<Body>, Option<Asking>) {
        let credential = &opener.asker.credential;
        let (account, device) = (Some(self.account(credential.token())), credential.device());
        self.supervisor.opening(item.clone(), account);
        let tuners = self.supervisor.tuners();
        let free_tuner = async |wanted: Option<MediaSourceId>| match &item {
            Some(item) => tuners.free_tuner_for(account, device, item, wanted).await,
            None => tuners.free_tuner(wanted).await,
        };
        let source = async || {
            let (prefix, user) = (opener.prefix.clone(), opener.user.clone());
            let place = Place { prefix, item: item.clone()?, user };
            tuners.source_of(&place, &credential.login()).await
        };
        let (parts, mut unsent) = request.into_parts();
        if tuners.must_make_way(item.as_ref()) {
            unsent = self.kept_bodies.read(unsent).await.map_or_else(|body| body, Body::from);
            if sent.asks.get().is_some_and(OpenRequest::opens) {
                free_tuner(source().await).await;
            }
        }
        let mut unsettled = Some(tuners.unsettled());
        let first = Request::from_parts(parts.clone(), unsent);
        let (mut response, mut asking) = self.ask(item.as_ref(), first, client).await;
        let in_vain = item.as_ref().is_some_and(|item| self.tuner_denials.contains(item));
        let is_denied = |response: &Response<Body>| {
            response.status() == StatusCode::INTERNAL_SERVER_ERROR && !client.is_cancelled()
        };
        let wanted = if is_denied(&response) { source().await } else { None };
        let mut has_cost_one = false;
        for _ in 0..IDLE_CHANNELS_PER_OPENING {
            let Some(body) = sent.body.get().filter(|_| is_denied(&response)) else { break };
            let is_free = tuners.is_one_free(wanted.as_ref());
            let is_explained = tuners.is_limit_told(wanted.as_ref()) && !is_free;
            if !is_explained && (in_vain || has_cost_one) {
                break;
            }
            // What was being closed has been closed since the server was asked.
            let before = if is_free { unsettled.take() } else { None };
            let is_outdated = match before {
                Some(before) => tuners.settle(&before, wanted.as_ref()).await,
                None => false,
            };
            has_cost_one = !is_outdated && free_tuner(wanted.clone()).await;
            if !is_outdated && !has_cost_one {
                let Some(before) = unsettled.take() else { break };
                let is_news = tuners.settle(&before, wanted.as_ref()).await && !client.is_cancelled();
                has_cost_one = is_news && free_tuner(wanted.clone()).await;
                let may_be_free = has_cost_one || (is_news && tuners.is_one_free(wanted.as_ref()));
                if !may_be_free {
                    break;
                }
            }
            info!("the server denied an opening a tuner; one has been freed, and it is tried again");
            let again = Request::from_parts(parts.clone(), body.body());
            (response, asking) = self.ask(item.as_ref(), again, client).await;
            match (response.status(), &item) {
                (StatusCode::OK, _) => tuners.denial_proved(),
                (StatusCode::INTERNAL_SERVER_ERROR, Some(item)) if !is_explained && has_cost_one => {
                    self.tuner_denials.insert(item.clone());
                }
                _ => {}
            }
        }
        let item = item.as_ref().filter(|_| is_denied(&response));
        let refusal = item.and_then(|item| self.refuse_for_want_of_tuner(item, opener, &parts.headers));
        (refusal.unwrap_or(response), asking)
    }

    /// Asks the server to open a channel, and tells the pool of it until the server has answered. If the answer tells what is open,
    /// the pool is told for as long as the second value lives.
    async fn ask(
        &self,
        item: Option<&ItemId>,
        request: Request<Body>,
        client: &CancellationToken,
    ) -> (Response<Body>, Option<Asking>) {
        let asking = self.supervisor.tuners().ask(item.cloned());
        let mut answer = std::pin::pin!(self.forward(request));
        let response = tokio::select! {
            response = &mut answer => response,
            () = client.cancelled() => {
                asking.abandon();
                answer.await
            }
        };
        let tells = response.status() == StatusCode::OK;
        (response, tells.then_some(asking))
    }

    /// The request, and what is known of it once its body has been sent.
    fn with_copy(&self, item: Option<ItemId>, request: Request<Body>) -> (Request<Body>, Sent) {
        let sent = Sent::default();
        let (uri, tell) = (request.uri().clone(), sent.clone());
        let read = move |body: Option<Kept>| {
            let bytes = body.as_ref().map(|body| &body.bytes()[..]);
            let asks = survived("the reading of an opening", || OpenRequest::of(item, &uri, bytes));
            // Each is set once: this is called once.
            if let Some(asks) = asks {
                let _ = tell.asks.set(asks);
            }
            if let Some(body) = body {
                let _ = tell.body.set(body);
            }
        };
        (request.map(|body| self.kept_bodies.tee(body, read)), sent)
    }
}

/// What is known of a request once its body has been sent.
#[derive(Clone, Default)]
struct Sent {
    /// What it asks for.
    asks: Arc<OnceLock<OpenRequest>>,
    /// Its body, if it could be kept.
    body: Arc<OnceLock<Kept>>,
}
