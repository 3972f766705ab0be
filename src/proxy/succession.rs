//! The process that takes this one's place, as far as requests are passed on to it: through its back door, where it believes what this
//! one says of a client's address.
//!
//! It does not know which requests are passed on.

use std::sync::OnceLock;

use http::header::{HeaderName, HeaderValue};
use http::{Request, Response};

use crate::body::{self, Body};
use crate::proxy::error::Fault;
use crate::proxy::forward::announce_body;
use crate::proxy::headers;
use crate::server::{Peer, Phases};
use crate::upstream::client::{Client, Target, Timeouts};

/// Says, behind the secret, who has sent a request that is passed on.
pub(super) const PASSED_ON: HeaderName = HeaderName::from_static("warmgate-passed-on");

/// How far this process has handed over, and to whom.
#[derive(Debug, Default)]
pub(super) struct Succession {
    phases: Phases,
    successor: OnceLock<Successor>,
}

/// The process that takes this one's place.
#[derive(Debug)]
pub struct Successor {
    client: Client,
    secret: String,
}

impl Successor {
    /// The process whose back door is at `target`, and believes whoever knows `secret`.
    #[must_use]
    pub fn behind(target: Target, secret: String) -> Self {
        Self { client: Client::new(target, Timeouts::default()), secret }
    }

    /// Its answer.
    ///
    /// # Errors
    /// If the request cannot be passed on, or there is no answer.
    pub(super) async fn answer(&self, mut request: Request<Body>) -> Result<Response<Body>, Fault> {
        headed(&mut request, &self.secret)?;
        let mut response = self.client.send(request).await.map_err(Fault::Upstream)?.map(body::boxed);
        headers::strip_hop_by_hop(response.headers_mut());
        Ok(response)
    }
}

impl Succession {
    pub(super) fn following(phases: Phases) -> Self {
        Self { phases, successor: OnceLock::new() }
    }

    /// The other process will be reached like this. There is only one.
    pub(super) fn is(&self, successor: Successor) {
        let _ = self.successor.set(successor);
    }

    /// Waits until a hand-over begins.
    pub(super) async fn begins(&self) {
        self.phases.begins().await;
    }

    /// The process that requests are passed on to; `None` if this one answers. Waits for the end of a hand-over that is under way.
    pub(super) async fn successor(&self) -> Option<&Successor> {
        if self.phases.is_handed_over().await { self.successor.get() } else { None }
    }
}

/// Makes the head of a request one for the next hop, and says whose request it is.
fn headed(request: &mut Request<Body>, secret: &str) -> Result<(), Fault> {
    let (uri, version) = (request.uri().clone(), request.version());
    let peer = request.extensions().get::<Peer>().copied();
    let fields = request.headers_mut();
    headers::settle_head(fields, &uri, version)?;
    headers::strip_hop_by_hop(fields);
    fields.remove(PASSED_ON);
    if let Some(Peer { address, is_secure, is_anonymous }) = peer
        && let Ok(value) = HeaderValue::try_from(format!("{secret} {address} {is_secure} {is_anonymous}"))
    {
        fields.insert(PASSED_ON, value);
    }
    announce_body(request);
    Ok(())
}
