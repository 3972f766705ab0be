//! Which of the things that clients opened a request speaks of; what that means is told where the request is understood.

use http::{HeaderMap, Uri};

use crate::proxy::Gateway;
use crate::proxy::credential::Credential;
use crate::proxy::query::Query;
use crate::upstream::jellyfin::RawPath;
use domain::key::{LiveStreamId, PlaySessionId};
use domain::openings::{Follow, Named};

impl Gateway {
    /// What was opened is spoken of by somebody known.
    pub(super) fn spoken_of(&self, credential: &Credential, uri: &Uri) {
        let named = Named { account: Some(self.account(credential.token())), ..named(&Query::of(uri)) };
        self.supervisor.followed(named, Follow::Named);
    }

    /// Media of the server's own is asked for: what was opened for it, the server may give back by itself from now on.
    pub(super) fn taken_over(&self, headers: &HeaderMap, uri: &Uri) {
        let query = Query::of(uri);
        let named =
            Named { name: RawPath::of_url(uri.path()).as_ref().map(RawPath::opening), ..named(&query) };
        if named != Named::default() {
            let account = Credential::of(headers, &query).map(|credential| self.account(credential.token()));
            self.supervisor.followed(Named { account, ..named }, Follow::TakenOver);
        }
    }
}

fn named(query: &Query) -> Named {
    Named {
        live_stream: query.get("LiveStreamId").map(LiveStreamId::new),
        play_session: query.get("PlaySessionId").map(PlaySessionId::new),
        ..Named::default()
    }
}
