//! How a stream is to be made, for whom and of what: from a request, and what the operator wishes.
//!
//! It does not know what can be fulfilled.

use http::Request;
use http::header::USER_AGENT;

use crate::body::Body;
use crate::proxy::Gateway;
use crate::proxy::headers::PRODUCE;
use domain::key::{Channel, DeviceId};
use domain::produce::{Player, Produce};

impl Gateway {
    /// Who makes a request. What it wishes of us counts only where a trusted proxy has said so.
    pub(super) fn player(&self, request: &Request<Body>, device: Option<DeviceId>) -> Player {
        let text = |name| request.headers().get(name).and_then(|value| value.to_str().ok());
        let wish = text(PRODUCE).filter(|_| self.forwarder.is_trusted(request)).and_then(Produce::parse);
        Player { device, user_agent: text(USER_AGENT).unwrap_or_default().to_owned(), wish }
    }

    /// How a stream of `channel` is to be made for `player`.
    pub(super) fn produce(&self, channel: &Channel, player: &Player) -> Produce {
        self.produce.of(channel, self.supervisor.wished(&channel.source), player)
    }
}
