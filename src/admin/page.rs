//! The dashboard's files, which are part of the program (`ui/`, built by `make ui`).
//!
//! It does not know what they show.

use http::header::{CACHE_CONTROL, CONTENT_TYPE};
use http::{HeaderValue, Response};
use rust_embed::RustEmbed;

use crate::body::{self, Body};

#[derive(RustEmbed)]
#[folder = "ui/dist"]
struct Files;

/// Whether there is a file at a path.
pub(super) fn exists(path: &str) -> bool {
    name(path).is_some_and(|name| Files::get(name).is_some())
}

fn name(path: &str) -> Option<&str> {
    path.strip_prefix('/').map(|name| if name.is_empty() { "index.html" } else { name })
}

/// The file at a path; `None` if there is none.
pub(super) fn file(path: &str) -> Option<Response<Body>> {
    let name = name(path)?;
    let media_type = match name.rsplit_once('.')?.1 {
        "html" => "text/html; charset=utf-8",
        "js" => "text/javascript; charset=utf-8",
        "css" => "text/css; charset=utf-8",
        "svg" => "image/svg+xml",
        "png" => "image/png",
        _ => return None,
    };
    let file = Files::get(name)?;
    let mut response = Response::new(body::full(file.data.into_owned()));
    let fields = response.headers_mut();
    fields.insert(CONTENT_TYPE, HeaderValue::from_static(media_type));
    // Of whichever version of the gateway answers.
    fields.insert(CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    Some(response)
}
