//! Responses as ASP.NET Core and Jellyfin's middleware send them, and the headers that all of them carry.

use std::fmt::Debug;
use std::time::Duration;

use http::header::{self, HeaderName, HeaderValue};
use http::{HeaderMap, StatusCode};
use serde::Serialize;

use crate::body::Body;
use crate::settings::{Settings, Version};

/// The result of a handler.
pub(crate) type Response = http::Response<Body>;

/// Why a request is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Refusal {
    /// No token, or an unknown one.
    #[error("unauthenticated")]
    Unauthenticated,
    /// The token's user lacks the right.
    #[error("forbidden")]
    Forbidden,
    /// No route matches the path.
    #[error("no route")]
    NoRoute,
    /// The route does not take this method; it takes these.
    #[error("method not allowed")]
    Method(&'static str),
    /// A parameter is missing or malformed.
    #[error("bad request")]
    BadRequest,
    /// The body is not declared as JSON.
    #[error("unsupported media type")]
    MediaType,
    /// The item, live stream or file does not exist.
    #[error("missing")]
    Missing,
    /// An exception without a status of its own: all tuners are busy, or FFmpeg failed.
    #[error("failed")]
    Failed,
    /// The range lies outside the file, whose length in bytes this is.
    #[error("range not satisfiable")]
    Range(u64),
}

impl From<Refusal> for Response {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::Unauthenticated => status(StatusCode::UNAUTHORIZED),
            Refusal::Forbidden => status(StatusCode::FORBIDDEN),
            Refusal::NoRoute => status(StatusCode::NOT_FOUND),
            Refusal::Method(allowed) => {
                let mut response = status(StatusCode::METHOD_NOT_ALLOWED);
                response.headers_mut().insert(header::ALLOW, HeaderValue::from_static(allowed));
                response
            }
            Refusal::BadRequest => problem(StatusCode::BAD_REQUEST),
            Refusal::MediaType => problem(StatusCode::UNSUPPORTED_MEDIA_TYPE),
            Refusal::Missing => exception(StatusCode::NOT_FOUND),
            Refusal::Failed => exception(StatusCode::INTERNAL_SERVER_ERROR),
            Refusal::Range(length) => {
                let mut response = status(StatusCode::RANGE_NOT_SATISFIABLE);
                insert(response.headers_mut(), header::CONTENT_RANGE, &format!("bytes */{length}"));
                response
            }
        }
    }
}

/// A response without a body.
pub(crate) fn status(code: StatusCode) -> Response {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = code;
    response
}

/// 204.
pub(crate) fn no_content() -> Response {
    status(StatusCode::NO_CONTENT)
}

/// A text with its `Content-Length`.
pub(crate) fn text(content_type: &'static str, text: String) -> Response {
    let mut response = Response::new(Body::complete(text));
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type));
    response
}

/// JSON as `System.Text.Json` writes it: `&` and other characters that HTML cares about are escaped like `\u0026`.
pub(crate) fn json(value: &impl Serialize) -> Response {
    let unescaped = serde_json::to_string(value).expect("the server's own values can be serialized");
    let mut escaped = String::with_capacity(unescaped.len() + 256);
    for letter in unescaped.chars() {
        match letter {
            '&' => escaped.push_str("\\u0026"),
            '<' => escaped.push_str("\\u003C"),
            '>' => escaped.push_str("\\u003E"),
            '+' => escaped.push_str("\\u002B"),
            '\'' => escaped.push_str("\\u0027"),
            other => escaped.push(other),
        }
    }
    chunked_text(StatusCode::OK, "application/json; charset=utf-8", escaped)
}

fn exception(code: StatusCode) -> Response {
    chunked_text(code, "text/plain", "Error processing request.".to_owned())
}

fn problem(code: StatusCode) -> Response {
    let title = code.canonical_reason().unwrap_or_default();
    let text = format!(r#"{{"title":"{title}","status":{}}}"#, code.as_u16());
    chunked_text(code, "application/problem+json; charset=utf-8", text)
}

fn chunked_text(code: StatusCode, content_type: &'static str, text: String) -> Response {
    let mut response = Response::new(Body::chunked(text));
    *response.status_mut() = code;
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type));
    response
}

/// Adds the headers that every response carries (`ResponseTimeMiddleware.cs`, ASP.NET Core's CORS).
pub(crate) fn finish(response: &mut Response, requested: &HeaderMap, settings: &Settings, took: Duration) {
    let headers = response.headers_mut();
    headers.insert(header::SERVER, HeaderValue::from_static("Kestrel"));
    let millis = format!("{:.4}", took.as_secs_f64() * 1000.0);
    insert(headers, HeaderName::from_static("x-response-time-ms"), &millis);
    match settings.version {
        Version::V12 => {
            headers.insert(header::CONTENT_LANGUAGE, HeaderValue::from_static("en-US"));
        }
        Version::V10_11 => {}
    }
    let Some(origin) = requested.get(header::ORIGIN) else { return };
    if settings.cors_hosts.is_empty() {
        headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("*"));
    } else if settings.cors_hosts.iter().any(|host| host.as_bytes() == origin.as_bytes()) {
        headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin.clone());
        headers.insert(header::ACCESS_CONTROL_ALLOW_CREDENTIALS, HeaderValue::from_static("true"));
        headers.insert(header::VARY, HeaderValue::from_static("Origin"));
    }
}

/// The response to a CORS preflight: it allows the method and the headers that were asked for.
pub(crate) fn preflight(requested: &HeaderMap) -> Response {
    let mut response = no_content();
    let pairs = [
        (header::ACCESS_CONTROL_REQUEST_METHOD, header::ACCESS_CONTROL_ALLOW_METHODS),
        (header::ACCESS_CONTROL_REQUEST_HEADERS, header::ACCESS_CONTROL_ALLOW_HEADERS),
    ];
    for (request_header, response_header) in pairs {
        if let Some(value) = requested.get(request_header) {
            response.headers_mut().insert(response_header, value.clone());
        }
    }
    response
}

/// Sets a header whose value this server has made.
pub(crate) fn insert(headers: &mut HeaderMap, name: HeaderName, value: &str) {
    headers.insert(name, HeaderValue::from_str(value).expect("the server's own header values are ASCII"));
}
