//! Passes on the requests that tell something about a viewer (reports, goodbyes, logouts, WebSockets), and tells the supervisor.
//!
//! Each goes upstream as it came, and its answer comes back as it is. A body is read only where the query does not tell enough.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::header::{CONTENT_LENGTH, UPGRADE};
use http::request::Parts;
use http::{HeaderValue, Request, Response, StatusCode};
use serde_json::Value;
use tokio::sync::oneshot;
use tracing::debug;

use crate::background::survived;
use crate::body::kept::Kept;
use crate::body::{self, Body};
use crate::proxy::auth::{Asker, Verdict};
use crate::proxy::credential::Credential;
use crate::proxy::gateway::Gateway;
use crate::proxy::injected_panics::{InjectedPanic, Step};
use crate::proxy::passage::Passage;
use crate::proxy::query::Query;
use crate::proxy::route::{Moment, Report, prefix};
use crate::proxy::tunnel::AtEnd;
use crate::upstream::jellyfin::field;
use domain::key::{LiveStreamId, PlaySessionId};
use domain::openings::{Mention, MentionKind, PlaybackReport};
use domain::signal::{Signal, Whose};
use domain::viewer::Account;

/// How long a logout waits until everything is closed that only its token can close.
const LOGOUT: Duration = Duration::from_secs(5);

impl Gateway {
    /// Passes on a player's report about its playback. Runs in a task of its own: what the server makes of the report has to be
    /// known even if the client does not wait.
    pub(super) async fn report(self: &Arc<Self>, report: Report, request: Request<Body>) -> Response<Body> {
        let (gateway, passage) = (Arc::clone(self), Passage::under_way(&request));
        self.to_the_end(passage, async move { gateway.pass_report(report, request).await }).await
    }

    async fn pass_report(&self, report: Report, request: Request<Body>) -> Response<Body> {
        let asker = self.asker(&request, &Query::of(request.uri()));
        let account = asker.as_ref().map(|asker| self.account(asker.credential.token()));
        let (moment, supervisor) = (report.moment, self.supervisor.clone());
        let prefix = prefix(request.uri()).to_owned();
        let (request, unreported) = match asker.as_ref().zip(account) {
            Some((asker, account)) => self.cared_for(&report, account, asker, request).await,
            None => (request, None),
        };
        let (tell, told) = oneshot::channel();
        let injected = InjectedPanic::current();
        let read = move |body: Option<Kept>| {
            // The report passes on whatever comes of this.
            survived("the reading of a report", || {
                injected.at(Step::Reading);
                let subject = Subject::of(&report, body.as_ref().map(|body| &body.bytes()[..]));
                let signal = match moment {
                    Moment::Started | Moment::Progress => Signal::Report { paused: subject.paused },
                    Moment::Ping => Signal::Ping,
                    Moment::Stopped => Signal::Stopped,
                };
                let mention = subject.mention(account);
                let report = match subject.paused {
                    Some(true) => PlaybackReport::Paused,
                    Some(false) | None => PlaybackReport::Playing,
                };
                let kind = match (moment, &mention.live_stream) {
                    (Moment::Stopped, Some(_)) => MentionKind::Stopped,
                    (Moment::Started | Moment::Progress | Moment::Ping, _) | (Moment::Stopped, None) => {
                        MentionKind::Named
                    }
                };
                // Before the mention: a viewer that reports is there.
                if let Some(play_session) = subject.play_session {
                    supervisor.signal(Whose::PlaySession(play_session), signal);
                }
                supervisor.mentioned(mention.clone(), kind);
                // Fails if the client has gone: then the server's answer is not learned from either.
                let _ = tell.send((mention, report));
            });
        };
        let request = match account {
            Some(_) => request.map(|body| self.kept_bodies.tee(body, read)),
            None => {
                read(None);
                request
            }
        };
        let response = self.forward(request).await;
        // A server that refuses need not have waited for the whole report.
        if response.status().is_success()
            && let Ok((mention, report)) = told.await
        {
            match moment {
                Moment::Started | Moment::Progress => {
                    self.vouch(asker.as_ref(), &prefix, &mention).await;
                    if mention.live_stream.is_some() {
                        self.supervisor.mentioned(mention.clone(), MentionKind::Reported);
                    }
                    self.supervisor.reported(mention, report);
                }
                Moment::Stopped => self.supervisor.reported(mention, PlaybackReport::Stopped),
                Moment::Ping => {}
            }
        }
        if let Some(mention) = unreported {
            self.supervisor.mentioned(mention, MentionKind::LeftUnreported);
        }
        response
    }

    /// The server has accepted a report, so its sender has shown its credential: a player that pauses may do nothing else for hours.
    /// The server does not ask for the right to live TV here, so that is asked about.
    async fn vouch(&self, asker: Option<&Asker>, prefix: &str, mention: &Mention) {
        if let Some(asker) = asker
            && let (Some(account), Some(play_session)) = (mention.account, &mention.play_session)
            && self.supervisor.plays_as(account, play_session)
            && let Verdict::Allowed(_) = self.auth.check(prefix, asker).await
        {
            self.supervisor.vouched(account, play_session.clone());
        }
    }

    /// The report as it is to pass, and the opening that it is not to name. Where that depends on what the report says, it is read before
    /// the server has seen it, so only with a credential that the server lets in: others get the server's answer at once.
    async fn cared_for(
        &self,
        report: &Report,
        account: Account,
        asker: &Asker,
        mut request: Request<Body>,
    ) -> (Request<Body>, Option<Mention>) {
        let needs_care = self.supervisor.needs_care(account);
        let may_lack_record = || report.moment == Moment::Stopped && self.supervisor.may_lack_record(account);
        if !needs_care && !may_lack_record() {
            return (request, None);
        }
        let prefix = prefix(request.uri()).to_owned();
        if self.auth.check(&prefix, asker).await == Verdict::Denied {
            return (request, None);
        }
        if needs_care {
            request = self.with_own_opening(report, account, &asker.credential, request).await;
        }
        // The client may have an opening by now.
        if may_lack_record() {
            return self.without_unrecorded(report, account, request).await;
        }
        (request, None)
    }

    /// A `Stopped` of what the server has no record of passes without the name of the live stream: whether the server would close an
    /// opening, and whose, depends on its version and on other viewers (docs/jellyfin.md 7). If the client has never reported its
    /// opening, the gateway closes that, and what the report mentions is returned besides; if it has stopped before, nothing is left
    /// to close. A report that cannot be read passes as it is.
    async fn without_unrecorded(
        &self,
        report: &Report,
        account: Account,
        request: Request<Body>,
    ) -> (Request<Body>, Option<Mention>) {
        let (parts, kept) = match self.keep(request).await {
            Ok(report) => report,
            Err(unread) => return (unread, None),
        };
        let mention = Subject::of(report, Some(kept.bytes())).mention(Some(account));
        let Some(live_stream) = &mention.live_stream else {
            return (Request::from_parts(parts, kept.into()), None);
        };
        let is_unreported = self.supervisor.is_unreported(&mention);
        let is_second =
            || !self.supervisor.has_opening(&mention) && self.supervisor.is_anothers(account, live_stream);
        match (is_unreported || is_second()).then(|| without_live_stream(kept.bytes())).flatten() {
            Some(anonymous) => (with_body(parts, anonymous), is_unreported.then_some(mention)),
            None => (Request::from_parts(parts, kept.into()), None),
        }
    }

    /// The report, once its client has an opening of its own, else without the name of the live stream: the server would
    /// believe in a playback, and its end would take somebody else's consumer. A report that cannot be read passes as it is.
    async fn with_own_opening(
        &self,
        report: &Report,
        account: Account,
        credential: &Credential,
        request: Request<Body>,
    ) -> Request<Body> {
        let (parts, kept) = match self.keep(request).await {
            Ok(report) => report,
            Err(unread) => return unread,
        };
        let subject = Subject::of(report, Some(kept.bytes()));
        let plays = matches!(report.moment, Moment::Started | Moment::Progress);
        let is_own = match (report.moment, &subject.live_stream) {
            (Moment::Started | Moment::Progress | Moment::Stopped, Some(_)) => {
                let mention = subject.mention(Some(account));
                let client = (credential.login(), credential.device().cloned());
                self.supervisor.own_opening(mention, client, plays).await
            }
            (Moment::Ping, _) | (_, None) => true,
        };
        if !is_own && let Some(anonymous) = without_live_stream(kept.bytes()) {
            debug!("a report passes without the live stream, of which its client has no opening any more");
            return with_body(parts, anonymous);
        }
        Request::from_parts(parts, kept.into())
    }

    /// Passes on `LiveStreams/Close`, unless the client has given its consumer back already and the server would take somebody
    /// else's. Runs in a task of its own, because the server closes the live stream whether or not the client waits.
    pub(super) async fn close(
        self: &Arc<Self>,
        live_stream: Option<LiveStreamId>,
        request: Request<Body>,
    ) -> Response<Body> {
        let credential = Credential::of(request.headers(), &Query::of(request.uri()));
        let (Some(credential), Some(live_stream)) = (credential, live_stream) else {
            return self.forward(request).await;
        };
        let account = self.account(credential.token());
        let is_closed = self.supervisor.is_anothers(account, &live_stream)
            || self.supervisor.is_closed_for(account, &live_stream);
        let source = live_stream.media_source();
        let mention =
            Mention { account: Some(account), live_stream: Some(live_stream), ..Mention::default() };
        if !is_closed {
            // Before the signal: what a viewer has open that leaves is given back in its name.
            self.supervisor.mentioned(mention.clone(), MentionKind::Closing);
        }
        if let Some(source) = source {
            let whose = Whose::Source(account, credential.device().cloned(), source);
            self.supervisor.signal(whose, Signal::LiveStreamClosed);
        }
        if is_closed {
            debug!("answered a second Close of a live stream in the server's place");
            return self.empty_response(request.headers(), StatusCode::NO_CONTENT);
        }
        let (gateway, passage) = (Arc::clone(self), Passage::under_way(&request));
        self.to_the_end(passage, async move {
            let response = gateway.forward(request).await;
            let kind = if response.status().is_success() { MentionKind::Closed } else { MentionKind::Kept };
            gateway.supervisor.mentioned(mention, kind);
            response
        })
        .await
    }

    /// Passes on a WebSocket to the server, and reads what the server tells its client of timers.
    pub(super) async fn socket(&self, mut request: Request<Body>) -> Response<Body> {
        request.extensions_mut().insert(self.timer_notices());
        self.other(request).await
    }

    /// Passes on every other request. The end of a WebSocket is the end of an app or a page, so the supervisor is told of it.
    pub(super) async fn other(&self, mut request: Request<Body>) -> Response<Body> {
        let upgrades = request.headers().contains_key(UPGRADE);
        let credential =
            upgrades.then(|| Credential::of(request.headers(), &Query::of(request.uri()))).flatten();
        let session =
            credential.map(|credential| (self.account(credential.token()), credential.device().cloned()));
        if let Some((account, device)) = session.clone() {
            let supervisor = self.supervisor.clone();
            let tell = move || supervisor.socket_closed(account, device.clone());
            request.extensions_mut().insert(AtEnd(Arc::new(tell)));
        }
        let response = self.forward(request).await;
        if let (StatusCode::SWITCHING_PROTOCOLS, Some((account, device))) = (response.status(), session) {
            self.supervisor.socket_opened(account, device);
        }
        response
    }

    /// Passes on a logout, once everything is closed that only the token can close, and forgets the server's verdict on the token.
    /// Runs in a task of its own, because it has to finish even if the client does not wait.
    pub(super) async fn log_out(self: &Arc<Self>, request: Request<Body>) -> Response<Body> {
        let Some(credential) = Credential::of(request.headers(), &Query::of(request.uri())) else {
            return self.forward(request).await;
        };
        let (gateway, passage) = (Arc::clone(self), Passage::under_way(&request));
        self.to_the_end(passage, async move {
            let account = gateway.account(credential.token());
            gateway.supervisor.logging_out(account, LOGOUT).await;
            let response = gateway.forward(request).await;
            gateway.auth.forget(credential.token());
            gateway.supervisor.logged_out(account);
            response
        })
        .await
    }
}

/// The playback that a report is about.
#[derive(Debug, Default)]
struct Subject {
    play_session: Option<PlaySessionId>,
    live_stream: Option<LiveStreamId>,
    paused: Option<bool>,
}

/// The request with another body.
fn with_body(mut parts: Parts, bytes: Bytes) -> Request<Body> {
    parts.headers.insert(CONTENT_LENGTH, HeaderValue::from(bytes.len()));
    Request::from_parts(parts, body::full(bytes))
}

/// The report in a body without the name of the live stream; `None` if it names none.
fn without_live_stream(body: &[u8]) -> Option<Bytes> {
    let mut report = serde_json::from_slice::<Value>(body).ok()?;
    let names = report.as_object_mut()?;
    let named = names.keys().find(|name| name.eq_ignore_ascii_case("LiveStreamId"))?.clone();
    names.remove(&named);
    serde_json::to_vec(&report).ok().map(Bytes::from)
}

impl Subject {
    fn mention(&self, account: Option<Account>) -> Mention {
        let (live_stream, play_session) = (self.live_stream.clone(), self.play_session.clone());
        Mention { account, live_stream, play_session, name: None }
    }

    /// Reads the query, then the body, whose property names may have either case.
    fn of(report: &Report, body: Option<&[u8]>) -> Self {
        let body = body.and_then(|body| serde_json::from_slice::<Value>(body).ok());
        let text = |name: &str| {
            let text = field(body.as_ref()?, name)?.as_str()?;
            (!text.is_empty()).then(|| text.to_owned())
        };
        let in_body = || text("PlaySessionId").map(PlaySessionId::new);
        let paused = body.as_ref().and_then(|body| field(body, "IsPaused")?.as_bool());
        Self {
            play_session: report.play_session.clone().or_else(in_body),
            live_stream: report.live_stream.clone().or_else(|| text("LiveStreamId").map(LiveStreamId::new)),
            paused,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_report_is_read_as_far_as_it_can_be() {
        let report = Report { moment: Moment::Stopped, play_session: None, live_stream: None };
        let named = |body: &str| {
            let subject = Subject::of(&report, Some(body.as_bytes()));
            subject.play_session.map(|session| session.as_str().to_owned())
        };
        assert_eq!(named(r#"{"PlaySessionId":"a","PositionTicks":-5,"Unknown":{}}"#).as_deref(), Some("a"));
        assert_eq!(named(r#"{"playSessionId":"a"}"#).as_deref(), Some("a"));
        for nothing in [
            "",
            "[]",
            "{}",
            r#"{"PlaySessionId":null}"#,
            r#"{"PlaySessionId":""}"#,
            "{\"PlaySessionId\":\"a\"",
        ] {
            assert_eq!(named(nothing), None, "{nothing}");
        }
        let paused = |body: &str| Subject::of(&report, Some(body.as_bytes())).paused;
        assert_eq!(paused(r#"{"isPaused":true,"PositionTicks":-1}"#), Some(true));
        assert_eq!(paused(r#"{"IsPaused":false}"#), Some(false));
        assert_eq!((paused(r#"{"IsPaused":"yes"}"#), paused("{}"), paused("{")), (None, None, None));
        let in_query = Report { play_session: Some(PlaySessionId::new("q")), ..report.clone() };
        assert_eq!(Subject::of(&in_query, None).play_session, Some(PlaySessionId::new("q")));
    }
}
