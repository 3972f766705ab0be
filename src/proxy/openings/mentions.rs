//! Finds in a request the names of openings, and tells the supervisor that the request mentions them, and for how long the server sends a
//! live stream of its own.
//!
//! What such a mention means for an opening is decided in `domain::openings`.

use std::sync::Arc;

use http::{HeaderMap, Request, Response, Uri};

use crate::background::{noted, survived};
use crate::body::{self, Body};
use crate::proxy::auth::Verdict;
use crate::proxy::credential::Credential;
use crate::proxy::gateway::Gateway;
use crate::proxy::passage::Passage;
use crate::proxy::query::Query;
use crate::proxy::route::prefix;
use crate::upstream::jellyfin::RawPath;
use domain::key::{LiveStreamId, PlaySessionId};
use domain::openings::{Mention, MentionKind};

impl Gateway {
    /// The owner of `credential` names openings in a request, so its player is still there.
    pub(in crate::proxy) fn named_by(&self, credential: &Credential, uri: &Uri) {
        let account = Some(self.account(credential.token()));
        let mention = Mention { account, ..mention(&Query::of(uri)) };
        self.supervisor.mentioned(mention, MentionKind::Named);
    }

    /// Passes on a request for media of the server's own. Once the server has answered it, it knows of the opening, which is said with
    /// `kind`. The answer is waited for in a task of its own, since what the server has begun it begins for clients that are gone
    /// too.
    pub(in crate::proxy) async fn media(
        self: &Arc<Self>,
        kind: MentionKind,
        request: Request<Body>,
    ) -> Response<Body> {
        let Some(mention) = self.mention(request.headers(), request.uri()) else {
            return self.forward(request).await;
        };
        self.supervisor.mentioned(mention.clone(), MentionKind::Named);
        let is_live = mention.live_stream.is_some() || mention.name.is_some();
        let query = Query::of(request.uri());
        let credential = Credential::of(request.headers(), &query).filter(|_| is_live);
        self.learn_user(&request, &query);
        let (gateway, passage) = (Arc::clone(self), Passage::under_way(&request));
        self.to_the_end(passage, async move {
            let response = gateway.forward(request).await;
            if !response.status().is_success() {
                return response;
            }
            gateway.supervisor.mentioned(mention, kind);
            match credential {
                Some(credential) => {
                    let account = gateway.account(credential.token());
                    let sent = gateway.supervisor.media_begins(account, credential.device().cloned());
                    let ended = move |_| {
                        survived("the end of a stream", || drop(sent));
                    };
                    response.map(|body| body::watched(body, ended))
                }
                None => response,
            }
        })
        .await
    }

    /// Has the server asked whose a credential is, where a rule limits how many streams a user may watch.
    fn learn_user(self: &Arc<Self>, request: &Request<Body>, query: &Query) {
        if self.choices().client_rules.iter().all(|rule| rule.set.streams.is_none()) {
            return;
        }
        let Some(asker) = self.asker(request, query) else { return };
        let (gateway, prefix) = (Arc::clone(self), prefix(request.uri()).to_owned());
        tokio::spawn(noted("a question about a credential", async move {
            if let Verdict::Allowed(me) = gateway.auth.check(&prefix, &asker).await
                && let Some(user) = &me.id
            {
                gateway.supervisor.account_is_of(gateway.account(asker.credential.token()), user);
            }
        }));
    }

    /// The openings that a request names, if it names any.
    fn mention(&self, headers: &HeaderMap, uri: &Uri) -> Option<Mention> {
        let query = Query::of(uri);
        let name = RawPath::of_url(uri.path()).as_ref().map(RawPath::opening);
        let named = Some(Mention { name, ..mention(&query) }).filter(|named| *named != Mention::default())?;
        let account = Credential::of(headers, &query).map(|credential| self.account(credential.token()));
        Some(Mention { account, ..named })
    }
}

fn mention(query: &Query) -> Mention {
    Mention {
        live_stream: query.get("LiveStreamId").map(LiveStreamId::new),
        play_session: query.get("PlaySessionId").map(PlaySessionId::new),
        ..Mention::default()
    }
}
