//! Asks the admin listener.

use std::net::SocketAddr;

use http::header::CONTENT_TYPE;
use http::{HeaderName, Method, Request, StatusCode};
use http_body_util::BodyExt;
use serde_json::Value;
use warmgate::body;

use crate::support::servers::http;
use crate::support::wait::soon;

/// The status, the media type and the text of an answer.
pub(crate) async fn ask(
    admin: SocketAddr,
    method: &Method,
    path: &str,
    fields: &[(HeaderName, &str)],
) -> (StatusCode, String, String) {
    let mut request = Request::builder().method(method).uri(format!("http://{admin}{path}"));
    for (name, value) in fields {
        request = request.header(name, *value);
    }
    let answer = soon(http().request(request.body(body::empty()).unwrap())).await.unwrap();
    let field = |name| answer.headers().get(name).map(|value| value.to_str().unwrap().to_owned());
    let (status, media_type) = (answer.status(), field(CONTENT_TYPE).unwrap_or_default());
    let text = soon(answer.into_body().collect()).await.unwrap().to_bytes();
    (status, media_type, String::from_utf8(text.to_vec()).unwrap())
}

/// A JSON value, which is there.
pub(crate) async fn read(admin: SocketAddr, path: &str) -> Value {
    let (status, media_type, body) = ask(admin, &Method::GET, path, &[]).await;
    assert_eq!((status, &*media_type), (StatusCode::OK, "application/json"), "{path}: {body}");
    serde_json::from_str(&body).unwrap()
}
