//! Over which connections a viewer comes, as far as they are its own: their end says something of it.

use http::header::{FORWARDED, VIA};
use http::{HeaderMap, Request};

use crate::body::Body;
use crate::proxy::Gateway;
use crate::proxy::headers::{self, FORWARDED_FOR};
use crate::server::Link;
use domain::key::ConsumerId;
use domain::signal::{Signal, Whose};

impl Gateway {
    /// The connection of a request, if it is its player's and may outlive the request.
    pub(super) fn link(&self, request: &Request<Body>) -> Option<Link> {
        let direct = !is_passed_on(request.headers()) && !self.forwarder.is_from_a_proxy(request);
        let goes_on = !headers::has_token(request.headers(), &http::header::CONNECTION, "close");
        request.extensions().get::<Link>().filter(|_| direct && goes_on).cloned()
    }

    /// A consumer asks over a connection.
    pub(super) fn comes_by(&self, link: Option<&Link>, consumer: ConsumerId) {
        let Some(link) = link else { return };
        let (supervisor, whose) = (self.supervisor.clone(), Whose::Consumer(consumer));
        let ended = whose.clone();
        let is_new = link.at_end(consumer.bits(), move |by_peer| {
            supervisor.signal(ended, Signal::ConnectionClosed { by_peer });
        });
        let signal = if is_new { Signal::ConnectionOpened } else { Signal::ConnectionKept };
        self.supervisor.signal(whose, signal);
    }
}

/// Whether a proxy says that it has passed this on.
fn is_passed_on(headers: &HeaderMap) -> bool {
    [FORWARDED, VIA, FORWARDED_FOR].iter().any(|name| headers.contains_key(name))
}
