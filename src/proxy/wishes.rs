//! Reads what the sender of a request wishes, if its wishes count (`clients.headers`), and says in the answer which had no effect.
//!
//! It does not know what becomes of a wish.

use std::fmt::Write as _;

use http::{HeaderMap, HeaderName, HeaderValue, Request};
use tracing::{debug, info};

use crate::body::Body;
use crate::proxy::gateway::Gateway;
use domain::clients::wishes::Wishes;
use domain::key::Channel;
use domain::produce::Produce;
use domain::reason::IgnoredWish;

/// Names the wishes without effect: a list of tokens (RFC 9651, 3.1).
const IGNORED: HeaderName = HeaderName::from_static("warmgate-ignored");

impl Gateway {
    /// What the sender of a request wishes; nothing if its wishes do not count.
    pub(super) fn wishes(&self, request: &Request<Body>) -> Wishes {
        if !self.is_believed(request) {
            return Wishes::default();
        }
        let wishes = Wishes::of(request.headers(), self.choices().heeds_cache_control);
        if wishes != Wishes::default() {
            self.says_that_wishes_count.call_once(|| {
                info!(
                    believed = self.choices().believed.as_str(),
                    "a request states wishes in its headers, and they count (clients.headers)"
                );
            });
        }
        for (field, reason) in &wishes.ignored {
            let count = self.miss_counters.count(reason.as_str());
            debug!(%field, reason = reason.as_str(), count, "a wish is ignored");
        }
        wishes
    }

    /// Whether the wishes of a request count.
    pub(super) fn is_believed(&self, request: &Request<Body>) -> bool {
        self.choices().believed.counts(self.forwarder.is_from_trusted_proxy(request))
    }

    /// How a stream of `channel` may be produced for a client with this setting.
    pub(super) fn produce(&self, channel: &Channel, of_client: Option<Produce>) -> Produce {
        let in_lineup = || self.supervisor.inputs().preferred_production(&channel.source);
        self.choices().produce.of(channel, in_lineup, of_client)
    }

    /// Names the wishes without effect in the answer to their request.
    pub(super) fn name_ignored(&self, ignored: &[(HeaderName, IgnoredWish)], answer: &mut HeaderMap) {
        if ignored.is_empty() || !self.choices().status_fields {
            return;
        }
        let mut named = String::new();
        for (field, reason) in ignored {
            let separator = if named.is_empty() { "" } else { ", " };
            let _ = write!(named, "{separator}{field};reason={}", reason.as_str());
        }
        if let Ok(named) = HeaderValue::try_from(named) {
            answer.insert(IGNORED, named);
        }
    }
}
