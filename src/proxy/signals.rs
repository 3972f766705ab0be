//! What passes through and means something on the way: openings, goodbyes, logouts.
//!
//! Everything goes upstream as it came and its answer comes back as it is; but an opening that is denied a tuner is
//! tried again once a stream that nobody watches has been given back. Bodies are read only where nothing else tells.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::header::CONTENT_LENGTH;
use http::{Request, Response, StatusCode};
use serde_json::Value;
use tracing::{debug, info};

use crate::body::{self, Body};
use crate::domain::key::{LiveStreamId, PlaySessionId};
use crate::proxy::Gateway;
use crate::proxy::auth::Verdict;
use crate::proxy::credential::Credential;
use crate::proxy::query::Query;
use crate::proxy::route::{Moment, Report, prefix};

/// The largest body that is looked into.
const READABLE: usize = 1 << 20;
/// How long a logout waits for what only its token can release.
const LOGOUT: Duration = Duration::from_secs(5);
/// How many warm streams are given back, at most, to one who wants a tuner.
const SACRIFICES: usize = 4;

impl Gateway {
    /// `POST PlaybackInfo` or `LiveStreams/Open`. All tuners busy is a 500 like any other (`jellyfin-observed.md` 5),
    /// and those that nobody watches are ours to free.
    pub(super) async fn opening(&self, request: Request<Body>) -> Response<Body> {
        let credential = Credential::of(request.headers(), &Query::of(request.uri()));
        if let Some(credential) = &credential {
            let prefix = prefix(request.uri());
            if self.auth.check(prefix, credential).await == Verdict::NoLiveTv {
                return self.opening_without_right(credential, request).await;
            }
            self.primer.prime(&self.jellyfin, prefix, credential).await;
            self.lendings.opening(self.account(credential.token()));
        }
        let length =
            request.headers().get(CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse().ok());
        if !self.supervisor.has_idle() || length.is_none_or(|length: usize| length > READABLE) {
            return self.forward(request).await;
        }
        let (parts, body) = request.into_parts();
        let Some(bytes) = body::read(body, READABLE).await else {
            // The client broke off in the middle of its own request: nobody is left to answer.
            return Response::new(body::empty());
        };
        let again = || Request::from_parts(parts.clone(), body::full(bytes.clone()));
        let mut response = self.forward(again()).await;
        for _ in 0..SACRIFICES {
            if response.status() != StatusCode::INTERNAL_SERVER_ERROR || !self.supervisor.free_tuner().await {
                break;
            }
            info!("a tuner was needed and has been freed");
            response = self.forward(again()).await;
        }
        response
    }

    /// `master.m3u8`: the media playlist is asked for next, with the same credential in the same place. Who that is, is
    /// found out meanwhile, so that a warm answer need not wait for it.
    pub(super) async fn master(self: &Arc<Self>, request: Request<Body>) -> Response<Body> {
        if let Some(credential) = Credential::of(request.headers(), &Query::of(request.uri())) {
            let (gateway, prefix) = (Arc::clone(self), prefix(request.uri()).to_owned());
            tokio::spawn(async move { gateway.auth.check(&prefix, &credential).await });
        }
        self.forward(request).await
    }

    /// A player's report about its playback.
    pub(super) async fn report(self: &Arc<Self>, report: Report, request: Request<Body>) -> Response<Body> {
        let credential = Credential::of(request.headers(), &Query::of(request.uri()));
        let (gateway, account) =
            (Arc::clone(self), credential.map(|credential| self.account(credential.token())));
        let told = move |body: Option<Bytes>| {
            let subject = Subject::of(&report, body.as_deref());
            match report.moment {
                Moment::Started | Moment::Progress => {
                    if let (Some(account), Some(live_stream)) = (account, subject.live_stream) {
                        gateway.lendings.playing(account, live_stream);
                    }
                }
                Moment::Stopped => {
                    if let Some(play_session) = subject.play_session {
                        gateway.supervisor.goodbye(play_session);
                    }
                    if let (Some(account), Some(live_stream)) = (account, subject.live_stream) {
                        gateway.lendings.stopped(account, live_stream);
                    }
                }
                Moment::Ping => {}
            }
        };
        self.forward(request.map(|body| body::tee(body, READABLE, told))).await
    }

    /// `LiveStreams/Close`. It goes upstream unless the client has nothing left to give back, and would take ours.
    pub(super) async fn close(
        &self,
        live_stream: Option<LiveStreamId>,
        request: Request<Body>,
    ) -> Response<Body> {
        let credential = Credential::of(request.headers(), &Query::of(request.uri()));
        if let (Some(credential), Some(live_stream)) = (credential, live_stream)
            && self.lendings.has_returned(self.account(credential.token()), &live_stream)
            && self.supervisor.holds(&live_stream)
        {
            debug!("a live stream was given back twice");
            return self.bare(request.headers(), StatusCode::NO_CONTENT);
        }
        self.forward(request).await
    }

    /// A token dies: what only it can release is released first, and what the server said of it is forgotten.
    pub(super) async fn log_out(&self, request: Request<Body>) -> Response<Body> {
        let credential = Credential::of(request.headers(), &Query::of(request.uri()));
        if let Some(credential) = &credential {
            self.supervisor.log_out(self.account(credential.token()), LOGOUT).await;
        }
        let response = self.forward(request).await;
        if let Some(credential) = &credential {
            self.auth.forget(credential.token());
        }
        response
    }
}

/// What a report is about.
#[derive(Debug, Default)]
struct Subject {
    play_session: Option<PlaySessionId>,
    live_stream: Option<LiveStreamId>,
}

impl Subject {
    /// As the query says, else the body; property names may have either case.
    fn of(report: &Report, body: Option<&[u8]>) -> Self {
        let body = body.and_then(|body| serde_json::from_slice::<Value>(body).ok());
        let text = |name: &str| {
            let mut fields = body.as_ref()?.as_object()?.iter();
            let (_, value) = fields.find(|(known, _)| known.eq_ignore_ascii_case(name))?;
            value.as_str().filter(|text| !text.is_empty()).map(str::to_owned)
        };
        let named = || text("PlaySessionId").map(PlaySessionId::new);
        Self {
            play_session: report.play_session.clone().or_else(named),
            live_stream: report.live_stream.clone().or_else(|| text("LiveStreamId").map(LiveStreamId::new)),
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
        let in_query = Report { play_session: Some(PlaySessionId::new("q")), ..report.clone() };
        assert_eq!(Subject::of(&in_query, None).play_session, Some(PlaySessionId::new("q")));
    }
}
