//! Decides in which ways the stream that a request asks for may be produced, from the operator's rules and the request's player.
//!
//! It does not know which of these ways will work.

use http::Request;
use http::header::USER_AGENT;

use crate::body::Body;
use crate::proxy::gateway::Gateway;
use crate::proxy::headers::PRODUCE;
use domain::key::{Channel, DeviceId};
use domain::produce::{Player, Produce};

impl Gateway {
    /// The player that sent a request. Its wish (`X-Warmgate-Produce`) counts only if a trusted proxy passed it on.
    pub(super) fn player(&self, request: &Request<Body>, device: Option<DeviceId>) -> Player {
        let text = |name| request.headers().get(name).and_then(|value| value.to_str().ok());
        let is_trusted = self.forwarder.is_from_trusted_proxy(request);
        let wish = text(PRODUCE).filter(|_| is_trusted).and_then(Produce::parse);
        Player { device, user_agent: text(USER_AGENT).unwrap_or_default().to_owned(), wish }
    }

    /// How a stream of `channel` may be produced for `player`.
    pub(super) fn produce(&self, channel: &Channel, player: &Player) -> Produce {
        self.produce.of(channel, self.supervisor.inputs().preferred_production(&channel.source), player)
    }
}
