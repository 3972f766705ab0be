//! Has requests answered by the process that takes this one's place: all that come after the hand-over, and those for a list that wait at
//! the time. A connection of a client's that is open then ends with its next answer, which this process fetches from the other.
//!
//! It does not know what is handed over.

use std::sync::Arc;

use http::header::UPGRADE;
use http::{Method, Request, Response};
use tracing::warn;

use crate::body::{self, Body};
use crate::proxy::gateway::Gateway;
use crate::proxy::succession::Successor;
use crate::server::Peer;

impl Gateway {
    /// Requests will be passed on to this process, once it has taken over.
    pub fn has_successor(&self, successor: Successor) {
        self.succession.is(successor);
    }

    /// The answer to a request, by this process or by the one that takes its place.
    pub(super) async fn answer_or_pass_on(self: &Arc<Self>, request: Request<Body>) -> Response<Body> {
        // What asks to leave HTTP is the server's, whichever process it passes.
        if !request.headers().contains_key(UPGRADE)
            && let Some(successor) = self.succession.successor().await
        {
            return self.pass_on_to(successor, request).await;
        }
        let Some(again) = for_a_list(&request) else { return self.answer(request).await };
        let answer = self.answer(request);
        tokio::pin!(answer);
        loop {
            // During a hand-over, the request does not change what is being handed over.
            tokio::select! {
                biased;
                () = self.succession.begins() => {}
                answer = &mut answer => return answer,
            }
            if let Some(successor) = self.succession.successor().await {
                return self.pass_on_to(successor, again).await;
            }
        }
    }

    async fn pass_on_to(&self, successor: &Successor, request: Request<Body>) -> Response<Body> {
        successor.answer(request).await.unwrap_or_else(|fault| {
            warn!(reason = fault.as_str(), "the process that has taken over gave no answer");
            fault.response(&self.name)
        })
    }
}

/// A copy of a request, if it may be for a list.
fn for_a_list(request: &Request<Body>) -> Option<Request<Body>> {
    if *request.method() != Method::GET || !request.uri().path().ends_with(".m3u8") {
        return None;
    }
    let mut copy = Request::new(body::empty());
    *copy.uri_mut() = request.uri().clone();
    *copy.version_mut() = request.version();
    *copy.headers_mut() = request.headers().clone();
    let peer = request.extensions().get::<Peer>().copied();
    peer.map(|peer| copy.extensions_mut().insert(peer));
    Some(copy)
}
