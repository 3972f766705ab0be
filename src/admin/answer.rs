//! Makes answers of values and texts. Nothing of them is to be kept.

use bytes::Bytes;
use http::header::{CACHE_CONTROL, CONTENT_TYPE};
use http::{HeaderValue, Response};
use serde::Serialize;

use crate::body::{self, Body};

/// A value as JSON.
pub(super) fn json(value: &impl Serialize) -> Response<Body> {
    of_type("application/json", serde_json::to_string(value).unwrap_or_default())
}

/// A picture.
pub(super) fn jpeg(picture: Bytes) -> Response<Body> {
    of_type("image/jpeg", picture)
}

/// A content of this media type.
pub(super) fn of_type(media_type: &'static str, content: impl Into<Bytes>) -> Response<Body> {
    let mut response = Response::new(body::full(content));
    let fields = response.headers_mut();
    fields.insert(CONTENT_TYPE, HeaderValue::from_static(media_type));
    fields.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}
