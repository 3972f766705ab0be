//! Refuses an opening in words, in the form in which Jellyfin itself refuses what is over a limit, so that its clients show a reason.
//!
//! It is refused so only to clients that were seen to show it (docs/jellyfin.md 5).

use http::header::{CACHE_CONTROL, CONTENT_TYPE};
use http::{HeaderMap, HeaderValue, Response};
use tracing::info;

use crate::body::{self, Body};
use crate::config::Refusal;
use crate::proxy::credential;
use crate::proxy::error::PROXY_STATUS;
use crate::proxy::gateway::Gateway;
use crate::proxy::openings::open_response::Opener;
use crate::supervisor::explainer::{Recipient, Why};
use crate::supervisor::random;
use domain::key::ItemId;
use domain::reason::{OpeningRefusal, ZapOutcome};

/// The clients that were seen to show why they are refused.
const SHOWS_LIMITS: [&str; 1] = ["Jellyfin Web"];

impl Gateway {
    /// The answer to a client that was denied a tuner for `item`, if all of them are known to be needed for other channels. Everybody
    /// else gets the server's own answer.
    pub(super) fn refuse_for_want_of_tuner(
        &self,
        item: &ItemId,
        opener: &Opener,
        headers: &HeaderMap,
    ) -> Option<Response<Body>> {
        match self.choices().tuner_refusal {
            Refusal::AsUpstream => return None,
            Refusal::Explain => {}
        }
        credential::client(headers).filter(|client| SHOWS_LIMITS.contains(&client.as_str()))?;
        let needed = self.supervisor.tuners().taken_from(item)?;
        self.zap_refused(opener, item, (ZapOutcome::Conflict, OpeningRefusal::TunersTaken.as_str()));
        Some(self.refuse(OpeningRefusal::TunersTaken, Why::TunersTaken(needed), opener, headers))
    }

    /// The refusal, and a message that says why. For a client of another form of request the status has to be changed.
    pub(super) fn refuse(
        &self,
        reason: OpeningRefusal,
        why: Why,
        opener: &Opener,
        headers: &HeaderMap,
    ) -> Response<Body> {
        info!(reason = reason.as_str(), "refused an opening");
        if let Some(device) = opener.asker.credential.device().cloned() {
            let (prefix, user) = (opener.prefix.clone(), opener.user.clone());
            let to = Recipient { prefix, device, user, is_administrator: opener.is_administrator };
            self.supervisor.explainer().tell(to, why);
        }
        let play_session = format!("{:032x}", random());
        let answer = format!(
            r#"{{"MediaSources":[],"PlaySessionId":"{play_session}","ErrorCode":"RateLimitExceeded"}}"#
        );
        let mut response = Response::new(body::full(answer));
        let fields = response.headers_mut();
        fields.insert(CONTENT_TYPE, HeaderValue::from_static("application/json; charset=utf-8"));
        fields.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
        self.say(fields, PROXY_STATUS, || {
            format!("{}; error=http_request_denied; details=\"{}\"", self.name, reason.as_str())
        });
        self.with_cors(headers, response)
    }
}
