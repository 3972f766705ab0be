//! Says in JSON what is wrong with a request (RFC 9457).
//!
//! It does not know who may do what.

use http::header::{ALLOW, CACHE_CONTROL, CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE};
use http::{HeaderValue, Response, StatusCode};
use serde::Serialize;
use utoipa::ToSchema;

use crate::body::{self, Body};
use domain::reason::WarmUpRefusal;

/// What is wrong, as the client reads it.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Details {
    /// `about:blank`: the status says what kind of problem it is.
    r#type: &'static str,
    /// The status in words.
    title: &'static str,
    /// The status.
    status: u16,
    /// What is wrong, in a sentence.
    detail: &'static str,
}

/// Why a request is not answered as it wishes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Problem {
    /// It has no token, or the wrong one.
    Unauthorized,
    /// It came under a name that is not the gateway's, as a page elsewhere makes a browser do it.
    ForeignHost,
    /// A page from elsewhere sends it.
    ForeignOrigin,
    /// There is nothing at this path.
    NoSuchPage,
    /// Its query cannot be understood.
    Query,
    /// Nothing is remembered, or it cannot be read.
    NoHistory,
    /// There is no such stream or viewer, or it has gone.
    NoSuchThing,
    /// The path takes other methods: these.
    Method(&'static str),
    /// As many listen as may.
    TooManyListeners,
    /// A channel is not warmed up.
    NotWarmed(WarmUpRefusal),
    /// A channel that is being warmed up is not ready.
    NotReady,
    /// A bug keeps the state from being shown.
    Broken,
}

impl Problem {
    const fn row(self) -> (StatusCode, &'static str) {
        match self {
            Self::Unauthorized => {
                (StatusCode::UNAUTHORIZED, "Send the token from admin.token: Authorization: Bearer …")
            }
            Self::ForeignHost => (
                StatusCode::FORBIDDEN,
                "The name in Host is not one of this listener's: add it to admin.hosts",
            ),
            Self::ForeignOrigin => (StatusCode::FORBIDDEN, "The request comes from a page of another origin"),
            Self::NoSuchPage => (StatusCode::NOT_FOUND, "There is nothing at this path"),
            Self::Query => (
                StatusCode::BAD_REQUEST,
                "The query may have limit (a number), viewer, channel and before (a moment as in 2026-01-31T20:15:00Z)",
            ),
            Self::NoHistory => {
                (StatusCode::NOT_FOUND, "Nothing is remembered, or it cannot be read: the log says why")
            }
            Self::NoSuchThing => (StatusCode::NOT_FOUND, "There is none of this id, or it has gone"),
            Self::Method(_) => (
                StatusCode::METHOD_NOT_ALLOWED,
                "This path takes another method: POST changes something, GET reads",
            ),
            Self::TooManyListeners => (StatusCode::SERVICE_UNAVAILABLE, "Too many listen to events already"),
            Self::NotWarmed(refusal) => not_warmed(refusal),
            Self::NotReady => (StatusCode::SERVICE_UNAVAILABLE, "The channel is being opened: ask again"),
            Self::Broken => (
                StatusCode::INTERNAL_SERVER_ERROR,
                "A bug in the gateway: its log says more, please report it",
            ),
        }
    }

    /// The answer.
    pub(super) fn response(self) -> Response<Body> {
        let (status, detail) = self.row();
        let title = status.canonical_reason().unwrap_or_default();
        let details = Details { r#type: "about:blank", title, status: status.as_u16(), detail };
        let text = serde_json::to_string(&details).unwrap_or_default();
        let mut response = Response::new(body::full(text));
        *response.status_mut() = status;
        let fields = response.headers_mut();
        fields.insert(CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        fields.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
        match self {
            Self::Unauthorized => {
                fields.insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
            }
            Self::Method(allowed) => {
                fields.insert(ALLOW, HeaderValue::from_static(allowed));
            }
            Self::TooManyListeners => {
                fields.insert(RETRY_AFTER, HeaderValue::from_static("30"));
            }
            Self::NotReady => {
                fields.insert(RETRY_AFTER, HeaderValue::from_static("1"));
            }
            Self::ForeignHost
            | Self::ForeignOrigin
            | Self::NoSuchPage
            | Self::Query
            | Self::NoHistory
            | Self::NoSuchThing
            | Self::NotWarmed(_)
            | Self::Broken => {}
        }
        response
    }
}

const fn not_warmed(refusal: WarmUpRefusal) -> (StatusCode, &'static str) {
    match refusal {
        WarmUpRefusal::Closing => (StatusCode::SERVICE_UNAVAILABLE, "The gateway is shutting down"),
        WarmUpRefusal::Tuners => (
            StatusCode::CONFLICT,
            "It would take the last free tuner, or one that is kept free (tuners.reserve)",
        ),
        WarmUpRefusal::Connections => (StatusCode::CONFLICT, "The provider has no connection left"),
        WarmUpRefusal::Slots => {
            (StatusCode::CONFLICT, "As many channels are warmed up as streams may run (pool.slots)")
        }
        WarmUpRefusal::Unknown => {
            (StatusCode::NOT_FOUND, "Jellyfin does not know this channel, or does not say what it plays")
        }
        // Whoever asks here is not refused for these.
        WarmUpRefusal::Busy | WarmUpRefusal::Slow | WarmUpRefusal::NoLimit | WarmUpRefusal::Excluded => {
            (StatusCode::CONFLICT, "The channel may not be started before anybody asks for it")
        }
        WarmUpRefusal::NoKey => (
            StatusCode::CONFLICT,
            "The gateway needs a key of its own to open a channel: set upstream.api_key",
        ),
    }
}
