//! What passes through and means something on the way: reports, goodbyes, logouts.
//!
//! It goes upstream as it came, and its answer comes back as it is. Bodies are read only where nothing else tells.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::header::UPGRADE;
use http::{Method, Request, Response, StatusCode};
use serde_json::Value;
use tokio::sync::oneshot;
use tracing::debug;

use crate::body::{self, Body};
use crate::proxy::credential::Credential;
use crate::proxy::gateway::Gateway;
use crate::proxy::query::Query;
use crate::proxy::route::{Moment, Report};
use crate::proxy::tunnel::AtEnd;
use crate::upstream::jellyfin::field;
use domain::key::{LiveStreamId, PlaySessionId};
use domain::openings::{Mention, MentionKind};
use domain::signal::{Signal, Whose};

/// The largest body that is looked into.
const READABLE: usize = 1 << 20;
/// How long a logout waits for what only its token can release.
const LOGOUT: Duration = Duration::from_secs(5);

impl Gateway {
    /// A player's report about its playback.
    pub(super) async fn report(&self, report: Report, request: Request<Body>) -> Response<Body> {
        let credential = Credential::of(request.headers(), &Query::of(request.uri()));
        let moment = report.moment;
        let (supervisor, (tell, told)) = (self.supervisor.clone(), oneshot::channel());
        let account = credential.as_ref().map(|credential| self.account(credential.token()));
        let read = move |body: Option<Bytes>| {
            let subject = Subject::of(&report, body.as_deref());
            let signal = match moment {
                Moment::Started | Moment::Progress => Signal::Report { paused: subject.paused },
                Moment::Ping => Signal::Ping,
                Moment::Stopped => Signal::Stopped,
            };
            let follow = match (moment, &subject.live_stream) {
                (Moment::Started | Moment::Progress, Some(_)) => MentionKind::TakenOver,
                (Moment::Stopped, Some(_)) => MentionKind::Stopped,
                (Moment::Ping, _) | (Moment::Started | Moment::Progress | Moment::Stopped, None) => {
                    MentionKind::Named
                }
            };
            let (live_stream, play_session) = (subject.live_stream.clone(), subject.play_session.clone());
            supervisor.mentioned(Mention { account, live_stream, play_session, name: None }, follow);
            if let Some(play_session) = subject.play_session {
                supervisor.signal(Whose::PlaySession(play_session), signal);
            }
            // Nobody listens any more if the client went away: then there is no answer to learn from either.
            let _ = tell.send(subject.live_stream);
        };
        let response = self.forward(request.map(|body| body::tee(body, READABLE, read))).await;
        if let (Some(credential), true, Ok(Some(live_stream))) =
            (credential, response.status().is_success(), told.await)
        {
            let account = self.account(credential.token());
            match moment {
                Moment::Started | Moment::Progress => self.lendings.playing(account, live_stream),
                Moment::Stopped => self.lendings.stopped(account, live_stream),
                Moment::Ping => {}
            }
        }
        response
    }

    /// `LiveStreams/Close`. It goes upstream unless the client has nothing left to give back, and would take ours.
    pub(super) async fn close(
        &self,
        live_stream: Option<LiveStreamId>,
        request: Request<Body>,
    ) -> Response<Body> {
        let credential = Credential::of(request.headers(), &Query::of(request.uri()));
        if let (Some(credential), Some(source)) =
            (&credential, live_stream.as_ref().and_then(LiveStreamId::media_source))
        {
            let account = self.account(credential.token());
            let whose = Whose::Source(account, credential.device().cloned(), source);
            self.supervisor.signal(whose, Signal::LiveStreamClosed);
        }
        if let (Some(credential), Some(live_stream)) = (credential, live_stream) {
            let account = self.account(credential.token());
            let returned = self.lendings.has_returned(account, &live_stream)
                || self.supervisor.has_returned(account, &live_stream);
            if returned && self.supervisor.holds(&live_stream) {
                debug!("a live stream was given back twice");
                return self.empty_response(request.headers(), StatusCode::NO_CONTENT);
            }
            let named =
                Mention { account: Some(account), live_stream: Some(live_stream), ..Mention::default() };
            self.supervisor.mentioned(named, MentionKind::Closed);
        }
        self.forward(request).await
    }

    /// What means nothing; but the end of a WebSocket does, for it is the end of an app or of a page.
    pub(super) async fn other(&self, mut request: Request<Body>) -> Response<Body> {
        if request.headers().contains_key(UPGRADE)
            && let Some(credential) = Credential::of(request.headers(), &Query::of(request.uri()))
        {
            let whose = Whose::Device(self.account(credential.token()), credential.device().cloned());
            let supervisor = self.supervisor.clone();
            let tell = move || supervisor.signal(whose.clone(), Signal::SocketClosed);
            request.extensions_mut().insert(AtEnd(Arc::new(tell)));
        }
        if *request.method() == Method::GET {
            self.taken_over(request.headers(), request.uri());
        }
        self.forward(request).await
    }

    /// A token dies: what only it can release is released first, and what the server said of it is forgotten. In a task of
    /// its own, for it has to come to its end also if the client does not wait.
    pub(super) async fn log_out(self: &Arc<Self>, request: Request<Body>) -> Response<Body> {
        let Some(credential) = Credential::of(request.headers(), &Query::of(request.uri())) else {
            return self.forward(request).await;
        };
        let gateway = Arc::clone(self);
        let logout = tokio::spawn(async move {
            let account = gateway.account(credential.token());
            gateway.supervisor.logging_out(account, LOGOUT).await;
            let response = gateway.forward(request).await;
            gateway.auth.forget(credential.token());
            gateway.supervisor.logged_out(account);
            response
        });
        logout.await.unwrap_or_else(|_| Response::new(body::empty()))
    }
}

/// What a report is about.
#[derive(Debug, Default)]
struct Subject {
    play_session: Option<PlaySessionId>,
    live_stream: Option<LiveStreamId>,
    paused: Option<bool>,
}

impl Subject {
    /// As the query says, else the body; property names may have either case.
    fn of(report: &Report, body: Option<&[u8]>) -> Self {
        let body = body.and_then(|body| serde_json::from_slice::<Value>(body).ok());
        let text = |name: &str| {
            let text = field(body.as_ref()?, name)?.as_str()?;
            (!text.is_empty()).then(|| text.to_owned())
        };
        let named = || text("PlaySessionId").map(PlaySessionId::new);
        let paused = body.as_ref().and_then(|body| field(body, "IsPaused")?.as_bool());
        Self {
            play_session: report.play_session.clone().or_else(named),
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
