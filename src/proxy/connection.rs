//! Signals over which connections a viewer comes, and when they end: a closed connection is evidence that its player has left.
//!
//! Only connections that the player itself opened count. Behind another proxy they say nothing about one viewer.

use http::header::{FORWARDED, VIA};
use http::{HeaderMap, Request};

use crate::proxy::gateway::Gateway;
use crate::proxy::headers::{self, FORWARDED_FOR};
use crate::server::Connection;
use domain::key::ConsumerId;
use domain::signal::{Signal, Whose};

impl Gateway {
    /// The connection of a request, if its player opened it and it may outlive the request.
    pub(super) fn connection<B>(&self, request: &Request<B>) -> Option<Connection> {
        let direct = !has_been_forwarded(request.headers()) && !self.forwarder.is_from_trusted_proxy(request);
        let persists = !headers::has_token(request.headers(), &http::header::CONNECTION, "close");
        request.extensions().get::<Connection>().filter(|_| direct && persists).cloned()
    }

    /// The signal of a request of `consumer` over `connection`. Another signal will follow when the connection ends.
    pub(super) fn comes_over(&self, connection: Option<&Connection>, consumer: ConsumerId) -> Option<Signal> {
        let supervisor = self.supervisor.clone();
        let is_new = connection?.at_end(consumer.bits(), move |by_peer| {
            supervisor.signal(Whose::Consumer(consumer), Signal::ConnectionClosed { by_peer });
        });
        Some(if is_new { Signal::ConnectionOpened } else { Signal::ConnectionKept })
    }
}

/// Whether a proxy in front of the gateway says that it has forwarded the request.
fn has_been_forwarded(headers: &HeaderMap) -> bool {
    [FORWARDED, VIA, FORWARDED_FOR].iter().any(|name| headers.contains_key(name))
}
