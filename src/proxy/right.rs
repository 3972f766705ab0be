//! The Live TV right at an opening. Jellyfin opens a tuner for any valid token (`jellyfin-observed.md` 5); a user
//! without the right would hold one without ever being given a picture.
//!
//! Only the answers to such users are read; what turns out to be no live TV is passed on as it is.

use bytes::Bytes;
use http::header::ACCEPT_ENCODING;
use http::{HeaderValue, Request, Response, StatusCode};
use serde_json::Value;
use tracing::debug;

use crate::body::{self, Body};
use crate::domain::key::LiveStreamId;
use crate::proxy::Gateway;
use crate::proxy::credential::Credential;
use crate::proxy::route::prefix;

/// An answer to an opening is some kilobytes; a larger one is none.
const READABLE: usize = 4 << 20;

impl Gateway {
    /// An opening by a user without the right: what it opens is closed again, and the user told so.
    pub(super) async fn opening_without_right(
        &self,
        credential: &Credential,
        mut request: Request<Body>,
    ) -> Response<Body> {
        let fields = request.headers().clone();
        let uri = request.uri().clone();
        request.headers_mut().insert(ACCEPT_ENCODING, HeaderValue::from_static("identity"));
        let (parts, body) = self.forward(request).await.into_parts();
        let Some(answer) = body::read(body, READABLE).await else {
            return self.bare(&fields, StatusCode::FORBIDDEN);
        };
        let opened = opened(&answer);
        if opened.is_empty() {
            return Response::from_parts(parts, body::full(answer));
        }
        for live_stream in opened {
            if let Err(error) = self.jellyfin.close(prefix(&uri), &live_stream, &credential.login()).await {
                debug!(cause = %error, "a live stream opened without the right could not be closed");
            }
        }
        self.bare(&fields, StatusCode::FORBIDDEN)
    }
}

/// The live streams that an answer to `PlaybackInfo` or `LiveStreams/Open` names as open.
fn opened(answer: &Bytes) -> Vec<LiveStreamId> {
    let Ok(Value::Object(answer)) = serde_json::from_slice(answer) else { return Vec::new() };
    let named = |value: &Value| {
        let fields = value.as_object()?;
        let (_, id) = fields.iter().find(|(name, _)| name.eq_ignore_ascii_case("LiveStreamId"))?;
        id.as_str().filter(|id| !id.is_empty()).map(LiveStreamId::new)
    };
    let sources =
        answer.values().flat_map(|value| value.as_array().map_or(std::slice::from_ref(value), Vec::as_slice));
    sources.filter_map(named).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_an_answer_opened_is_found_in_either_form_and_case() {
        let named = |text: &'static str| opened(&Bytes::from_static(text.as_bytes())).len();
        assert_eq!(named(r#"{"MediaSources":[{"LiveStreamId":"a"},{"Id":"b"}],"PlaySessionId":"p"}"#), 1);
        assert_eq!(named(r#"{"mediaSource":{"liveStreamId":"a"}}"#), 1);
        assert_eq!(named(r#"{"MediaSources":[{"LiveStreamId":null}]}"#), 0);
        assert_eq!(named("<html>"), 0);
    }
}
