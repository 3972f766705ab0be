//! Finds in a request the names of openings, and tells the supervisor that the request mentions them.
//!
//! What such a mention means for an opening is decided in `domain::openings`.

use std::sync::Arc;

use http::{HeaderMap, Request, Response, Uri};

use crate::body::Body;
use crate::proxy::credential::Credential;
use crate::proxy::gateway::Gateway;
use crate::proxy::query::Query;
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
        let gateway = Arc::clone(self);
        self.to_the_end(async move {
            let response = gateway.forward(request).await;
            if response.status().is_success() {
                gateway.supervisor.mentioned(mention, kind);
            }
            response
        })
        .await
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
