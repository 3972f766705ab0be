//! Finds in a request the names of openings, and tells the supervisor that the request mentions them.
//!
//! What such a mention means for an opening is decided in `domain::openings`.

use http::{HeaderMap, Uri};

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

    /// A request asks the server for media of its own: the server knows of the opening, and may close it by itself from now on.
    pub(in crate::proxy) fn taken_over(&self, headers: &HeaderMap, uri: &Uri) {
        let query = Query::of(uri);
        let name = RawPath::of_url(uri.path()).as_ref().map(RawPath::opening);
        let mention = Mention { name, ..mention(&query) };
        if mention != Mention::default() {
            let account = Credential::of(headers, &query).map(|credential| self.account(credential.token()));
            self.supervisor.mentioned(Mention { account, ..mention }, MentionKind::TakenOver);
        }
    }
}

fn mention(query: &Query) -> Mention {
    Mention {
        live_stream: query.get("LiveStreamId").map(LiveStreamId::new),
        play_session: query.get("PlaySessionId").map(PlaySessionId::new),
        ..Mention::default()
    }
}
