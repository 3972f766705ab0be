//! Holds an opening to what the operator's rules set for its client and to its wishes: how many streams its user watches at once, the
//! bitrate that it asks for, and whether a channel that is not warm may be opened.
//!
//! The body of a request is read only where a limit needs it. Of one that cannot be read only the query counts.

use http::header::USER_AGENT;
use http::{HeaderMap, Request, Response, StatusCode};

use crate::body::Body;
use crate::proxy::auth::Verdict;
use crate::proxy::gateway::Gateway;
use crate::proxy::openings::open_response::{BITRATE, OPENS, OpenRequest, Opener, wants_opening};
use crate::proxy::query::{self, Query};
use crate::supervisor::explainer::Why;
use crate::upstream::jellyfin::Me;
use domain::clients::{self, Client, ClientSettings, Mode};
use domain::key::{DeviceId, ItemId};
use domain::reason::OpeningRefusal;

impl Gateway {
    /// The settings that apply to the sender of a request.
    pub(super) fn client_settings(
        &self,
        opener: &Opener,
        verdict: &Verdict,
        request: &Request<Body>,
    ) -> ClientSettings {
        let me = match verdict {
            Verdict::Allowed(me) => Some(&**me),
            Verdict::NoLiveTv | Verdict::Denied | Verdict::Unknown => None,
        };
        self.settings_of(me, opener.asker.credential.device(), request)
    }

    /// The settings that apply to the sender of a request, who is `me` and comes from `device`.
    pub(in crate::proxy) fn settings_of(
        &self,
        me: Option<&Me>,
        device: Option<&DeviceId>,
        request: &Request<Body>,
    ) -> ClientSettings {
        if self.choices().client_rules.is_empty() {
            return ClientSettings::default();
        }
        let agent = request.headers().get(USER_AGENT).and_then(|agent| agent.to_str().ok());
        let client = Client {
            user: me.and_then(|me| Some((me.id.as_deref()?, me.name.as_deref().unwrap_or_default()))),
            device,
            user_agent: agent.unwrap_or_default(),
            address: self.forwarder.client_address(request),
            headers: Some(request.headers()),
        };
        clients::settings(&self.choices().client_rules, &client)
    }

    /// The request as its client may send it, or the answer that refuses it. `item` is the channel of a `PlaybackInfo`.
    pub(super) async fn within_limits(
        &self,
        item: Option<&ItemId>,
        opener: &Opener,
        request: Request<Body>,
    ) -> Result<Request<Body>, Response<Body>> {
        let ClientSettings { streams, max_bitrate, mode, .. } = opener.settings;
        let is_warm_only = mode == Some(Mode::WarmOnly);
        let account = self.account(opener.asker.credential.token());
        if let Some(user) = &opener.user {
            self.supervisor.account_is_of(account, user);
        }
        let device = opener.asker.credential.device();
        let over = streams.filter(|limit| !self.supervisor.may_watch(account, device, *limit));
        if over.is_none() && max_bitrate.is_none() && !is_warm_only {
            return Ok(request);
        }
        let (parts, body) = request.into_parts();
        let wish = |body| OpenRequest::of(item.cloned(), &parts.uri, Some(body));
        let (body, wish) = match self.kept_bodies.read(body).await {
            Ok(kept) => {
                let wish = wish(kept.bytes());
                (kept.into(), wish)
            }
            Err(body) => (body, wish(b"")),
        };
        let over = over.filter(|_| item.is_none() || wish.opens());
        let is_warm = || wish.item().is_some_and(|item| self.supervisor.is_warm(item));
        let is_cold = is_warm_only && wish.opens() && !is_warm();
        let mut request = Request::from_parts(parts, body);
        if let Some(limit) = max_bitrate.filter(|limit| wish.bitrate().is_none_or(|wish| wish > *limit)) {
            let query = Query::of(request.uri()).substitute(&[(BITRATE, &limit.to_string())]);
            query::replace(&mut request, &query);
        }
        if over.is_some() || is_cold {
            let headers = request.headers().clone();
            if item.is_some()
                && let Some(answer) = self.played_without_opening(request).await
            {
                return Err(answer);
            }
            return Err(match over {
                Some(limit) => self.over_limit(item, opener, limit, &headers),
                None => self.not_warm(&headers),
            });
        }
        Ok(request)
    }

    /// The server's answer to a `PlaybackInfo` that may open no channel, unless it is one of a channel: films play within any limit.
    async fn played_without_opening(&self, mut request: Request<Body>) -> Option<Response<Body>> {
        let query = Query::of(request.uri()).substitute(&[(OPENS, "false")]);
        query::replace(&mut request, &query);
        let response = self.forward(request).await;
        if response.status() != StatusCode::OK {
            return Some(response);
        }
        let (head, body) = response.into_parts();
        match self.kept_bodies.read(body).await {
            Ok(kept) if wants_opening(kept.bytes()) => None,
            Ok(kept) => Some(Response::from_parts(head, kept.into())),
            Err(body) => Some(Response::from_parts(head, body)),
        }
    }

    fn not_warm(&self, headers: &HeaderMap) -> Response<Body> {
        let reason = OpeningRefusal::NotWarm;
        self.supervisor.opening_refused(reason);
        self.refusal(headers, StatusCode::GATEWAY_TIMEOUT, (None, reason.as_str()))
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
        self.supervisor.opening_refused(reason);
        let mut response = self.refuse(reason, why, opener, headers);
        if item.is_none() {
            *response.status_mut() = StatusCode::TOO_MANY_REQUESTS;
        }
        response
    }
}
