//! Has requests answered by the process that takes this one's place: all that come after the hand-over, and those for a list that wait at
//! the time. A connection of a client's that is open then ends with its next answer, which this process fetches from the other.
//!
//! It does not know what is handed over.

use std::sync::Arc;

use http::header::UPGRADE;
use http::{Method, Request, Response};
use tracing::warn;

use crate::body::Body;
use crate::proxy::gateway::Gateway;
use crate::proxy::passage::Passage;
use crate::proxy::succession::Successor;

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
        let Some(passage) = Passage::under_way(&request).filter(|_| is_for_a_list(&request)) else {
            return self.answer(request).await;
        };
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
                // The server has it already, and may not get it again.
                let Some(again) = passage.request() else { return answer.await };
                return self.pass_on_to(successor, again).await;
            }
        }
    }

    async fn pass_on_to(&self, successor: &Successor, request: Request<Body>) -> Response<Body> {
        Passage::under_way(&request).iter().for_each(Passage::mark_sent);
        successor.answer(request).await.unwrap_or_else(|fault| {
            warn!(reason = fault.as_str(), "the process that has taken over gave no answer");
            fault.response(&self.name)
        })
    }
}

/// Whether a request may be for a list.
fn is_for_a_list(request: &Request<Body>) -> bool {
    *request.method() == Method::GET && request.uri().path().ends_with(".m3u8")
}
