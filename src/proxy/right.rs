//! The Live TV right at an opening. Jellyfin opens a tuner for any valid token (`jellyfin-observed.md` 5); a user
//! without the right would hold one without ever being given a picture.
//!
//! Only the answers to such users are read; what turns out to be no live TV is passed on as it is.

use std::sync::OnceLock;

use http::{Request, Response, StatusCode};
use tracing::debug;

use crate::body::{self, Body};
use crate::proxy::Gateway;
use crate::proxy::opened::{Asked, Opened, Opener};

/// An answer to an opening is some kilobytes; a larger one is none.
const READABLE: usize = 4 << 20;

impl Gateway {
    /// An opening by a user without the right: what it opens is closed again, and the user told so.
    pub(super) async fn opening_without_right(
        &self,
        opener: &Opener,
        asked: &OnceLock<Asked>,
        request: Request<Body>,
    ) -> Response<Body> {
        let fields = request.headers().clone();
        let (parts, body) = self.forward(request).await.into_parts();
        let Some(answer) = body::read(body, READABLE).await else {
            return self.bare(&fields, StatusCode::FORBIDDEN);
        };
        let opened = asked.get().map(|asked| asked.opened(&answer)).unwrap_or_default();
        if opened.is_empty() {
            return Response::from_parts(parts, body::full(answer));
        }
        let login = opener.asker.credential.login();
        for Opened { live_stream, .. } in opened.into_iter().filter(|opened| opened.taken) {
            if let Err(error) = self.jellyfin.close(&opener.prefix, &live_stream, &login).await {
                debug!(cause = %error, "a live stream opened without the right could not be closed");
            }
        }
        self.bare(&fields, StatusCode::FORBIDDEN)
    }
}
