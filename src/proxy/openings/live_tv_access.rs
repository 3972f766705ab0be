//! Refuses an opening by a user without access to live TV (`EnableLiveTvAccess`). Jellyfin opens a tuner for any valid token
//! (docs/jellyfin.md 5); such a user would occupy one without ever seeing a picture.
//!
//! Only the answers to such users are read. An answer that opened no live stream is passed on as it is.

use std::sync::OnceLock;

use http::{Request, Response, StatusCode};
use tracing::debug;

use crate::body::{self, Body};
use crate::proxy::gateway::Gateway;
use crate::proxy::openings::open_response::{OpenRequest, OpenedStream, Opener};

/// Bytes of the largest answer that is read; an answer to an opening has a few kilobytes.
const READABLE: usize = 4 << 20;

impl Gateway {
    /// Passes the opening on, closes every live stream that it opened, and answers 403.
    pub(super) async fn open_without_live_tv(
        &self,
        opener: &Opener,
        open_request: &OnceLock<OpenRequest>,
        request: Request<Body>,
    ) -> Response<Body> {
        let fields = request.headers().clone();
        let (parts, body) = self.forward(request).await.into_parts();
        let Some(answer) = body::read(body, READABLE).await else {
            return self.empty_response(&fields, StatusCode::FORBIDDEN);
        };
        let opened = open_request.get().map(|request| request.opened(&answer)).unwrap_or_default();
        if opened.is_empty() {
            return Response::from_parts(parts, body::full(answer));
        }
        let login = opener.asker.credential.login();
        for OpenedStream { live_stream, .. } in opened.into_iter().filter(|opened| opened.taken) {
            if let Err(error) = self.jellyfin.close(&opener.prefix, &live_stream, &login).await {
                debug!(cause = %error, "cannot close the live stream that a user without access to live TV has opened");
            }
        }
        self.empty_response(&fields, StatusCode::FORBIDDEN)
    }
}
