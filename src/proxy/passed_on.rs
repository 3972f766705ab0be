//! Answers what the process before this one passes on: as if its clients had sent it to this one.
//!
//! It does not know why the other process still has connections.

use std::convert::Infallible;
use std::sync::Arc;

use http::{HeaderMap, Request, Response};
use hyper::service::Service;

use crate::body::Body;
use crate::proxy::gateway::Handle;
use crate::proxy::succession::PASSED_ON;
use crate::server::{Connection, Peer, Upload};

/// The service behind the back door. It believes whoever knows the secret.
#[derive(Clone, Debug)]
pub struct PassedOn {
    handle: Handle,
    secret: Arc<str>,
}

impl PassedOn {
    /// Answers through `handle`.
    #[must_use]
    pub fn new(handle: Handle, secret: &str) -> Self {
        Self { handle, secret: secret.into() }
    }
}

impl Service<Request<Upload>> for PassedOn {
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = <Handle as Service<Request<Upload>>>::Future;

    fn call(&self, mut request: Request<Upload>) -> Self::Future {
        if let Some(peer) = peer(request.headers(), &self.secret) {
            request.extensions_mut().insert(peer);
        }
        request.headers_mut().remove(PASSED_ON);
        // It is not the client's: its end tells nothing.
        request.extensions_mut().remove::<Connection>();
        self.handle.call(request)
    }
}

/// Whose request it is, if its sender knows the secret.
fn peer(fields: &HeaderMap, secret: &str) -> Option<Peer> {
    let mut words = fields.get(PASSED_ON)?.to_str().ok()?.split(' ');
    words.next().filter(|word| *word == secret)?;
    let address = words.next()?.parse().ok()?;
    let mut flag = || words.next()?.parse().ok();
    Some(Peer { address, is_secure: flag()?, is_anonymous: flag()? })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_who_knows_the_secret_is_believed() {
        let peer_of = |said: &str| {
            let fields = HeaderMap::from_iter([(PASSED_ON, said.parse().unwrap())]);
            peer(&fields, "secret")
        };
        let address = "[2001:db8::1]:50000".parse().unwrap();
        let client = Peer { address, is_secure: true, is_anonymous: false };
        assert_eq!(peer_of("secret [2001:db8::1]:50000 true false"), Some(client));
        for said in [
            "guess [2001:db8::1]:50000 true false",
            "secret [2001:db8::1]:50000 true",
            "secret x true false",
            "",
        ] {
            assert_eq!(peer_of(said), None, "{said}");
        }
    }
}
