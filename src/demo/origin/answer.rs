//! The answers as ASP.NET gives them: what is said in which words, and what every answer carries.

use std::fmt::Debug;
use std::time::Duration;

use bytes::Bytes;
use http::header::{self, HeaderName, HeaderValue};
use http::{HeaderMap, Response, StatusCode};
use serde::Serialize;

use crate::body::{self, Body};
use crate::demo::origin::settings::{Settings, Version};

/// What a handler gives back.
pub(super) type Answer = Response<Body>;

/// Why a request is not served.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Refusal {
    /// No token, or none that is known.
    #[error("unauthenticated")]
    Unauthenticated,
    /// A known token without the right.
    #[error("forbidden")]
    Forbidden,
    /// No route leads there.
    #[error("no route")]
    NoRoute,
    /// There is a route, but not with this method; these are allowed.
    #[error("method not allowed")]
    Method(&'static str),
    /// A parameter is missing or malformed.
    #[error("bad request")]
    BadRequest,
    /// A body that is not JSON where JSON is wanted.
    #[error("unsupported media type")]
    MediaType,
    /// An item, a stream or a file that is not there.
    #[error("missing")]
    Missing,
    /// An exception without a status of its own: tuners exhausted, FFmpeg failed.
    #[error("failed")]
    Failed,
    /// A range outside the file, whose length is this.
    #[error("range not satisfiable")]
    Range(u64),
}

impl From<Refusal> for Answer {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::Unauthenticated => status(StatusCode::UNAUTHORIZED),
            Refusal::Forbidden => status(StatusCode::FORBIDDEN),
            Refusal::NoRoute => status(StatusCode::NOT_FOUND),
            Refusal::Method(allowed) => {
                let mut answer = status(StatusCode::METHOD_NOT_ALLOWED);
                answer.headers_mut().insert(header::ALLOW, HeaderValue::from_static(allowed));
                answer
            }
            Refusal::BadRequest => problem(StatusCode::BAD_REQUEST),
            Refusal::MediaType => problem(StatusCode::UNSUPPORTED_MEDIA_TYPE),
            Refusal::Missing => exception(StatusCode::NOT_FOUND),
            Refusal::Failed => exception(StatusCode::INTERNAL_SERVER_ERROR),
            Refusal::Range(length) => {
                let mut answer = status(StatusCode::RANGE_NOT_SATISFIABLE);
                insert(answer.headers_mut(), header::CONTENT_RANGE, &format!("bytes */{length}"));
                answer
            }
        }
    }
}

/// An answer without a body.
pub(super) fn status(code: StatusCode) -> Answer {
    let mut answer = Response::new(body::empty());
    *answer.status_mut() = code;
    answer
}

/// 204.
pub(super) fn no_content() -> Answer {
    status(StatusCode::NO_CONTENT)
}

/// A text whose length is known.
pub(super) fn text(content_type: &'static str, text: String) -> Answer {
    let mut answer = Response::new(body::full(text));
    answer.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type));
    answer
}

/// JSON as `System.Text.Json` writes it: PascalCase is the caller's, `&` and its like become `\u0026`.
pub(super) fn json(value: &impl Serialize) -> Answer {
    let plain = serde_json::to_string(value).expect("the server's own values are JSON");
    let mut escaped = String::with_capacity(plain.len() + 256);
    for letter in plain.chars() {
        match letter {
            '&' => escaped.push_str("\\u0026"),
            '<' => escaped.push_str("\\u003C"),
            '>' => escaped.push_str("\\u003E"),
            '+' => escaped.push_str("\\u002B"),
            '\'' => escaped.push_str("\\u0027"),
            other => escaped.push(other),
        }
    }
    unsized_text(StatusCode::OK, "application/json; charset=utf-8", escaped)
}

fn exception(code: StatusCode) -> Answer {
    unsized_text(code, "text/plain", "Error processing request.".to_owned())
}

fn problem(code: StatusCode) -> Answer {
    let title = code.canonical_reason().unwrap_or_default();
    let text = format!(r#"{{"title":"{title}","status":{}}}"#, code.as_u16());
    unsized_text(code, "application/problem+json; charset=utf-8", text)
}

fn unsized_text(code: StatusCode, content_type: &'static str, text: String) -> Answer {
    // It does not tell its length, so that it goes out in chunks, as the real server's formatter does.
    let text = body::unfold(Some(Bytes::from(text)), |mut text| async move {
        let came = text.take().map(Ok);
        (text, came)
    });
    let mut answer = Response::new(text);
    *answer.status_mut() = code;
    answer.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type));
    answer
}

/// What every answer carries, whatever it says.
pub(super) fn finish(answer: &mut Answer, asked: &HeaderMap, settings: &Settings, took: Duration) {
    let headers = answer.headers_mut();
    headers.insert(header::SERVER, HeaderValue::from_static("Kestrel"));
    let millis = format!("{:.4}", took.as_secs_f64() * 1000.0);
    insert(headers, HeaderName::from_static("x-response-time-ms"), &millis);
    match settings.version {
        Version::V12 => {
            headers.insert(header::CONTENT_LANGUAGE, HeaderValue::from_static("en-US"));
        }
        Version::V10_11 => {}
    }
    let Some(origin) = asked.get(header::ORIGIN) else { return };
    if settings.cors_hosts.is_empty() {
        headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("*"));
    } else if settings.cors_hosts.iter().any(|host| host.as_bytes() == origin.as_bytes()) {
        headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin.clone());
        headers.insert(header::ACCESS_CONTROL_ALLOW_CREDENTIALS, HeaderValue::from_static("true"));
        headers.insert(header::VARY, HeaderValue::from_static("Origin"));
    }
}

/// The answer to a preflight: whatever is asked is allowed.
pub(super) fn preflight(asked: &HeaderMap) -> Answer {
    let mut answer = no_content();
    let pairs = [
        (header::ACCESS_CONTROL_REQUEST_METHOD, header::ACCESS_CONTROL_ALLOW_METHODS),
        (header::ACCESS_CONTROL_REQUEST_HEADERS, header::ACCESS_CONTROL_ALLOW_HEADERS),
    ];
    for (request, response) in pairs {
        if let Some(value) = asked.get(request) {
            answer.headers_mut().insert(response, value.clone());
        }
    }
    answer
}

/// Sets a header of our own making.
pub(super) fn insert(headers: &mut HeaderMap, name: HeaderName, value: &str) {
    headers.insert(name, HeaderValue::from_str(value).expect("our own header values are ASCII"));
}
