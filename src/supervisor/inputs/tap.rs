//! A channel's raw stream, shared by the server with whoever knows its path, as a feed's input.
//!
//! The path is known from an opening, somebody's or our own. It does not know what keeps the channel open.

use http::StatusCode;
use tokio::sync::watch;

use crate::feed::input::{Input, InputError, OpenFuture};
use crate::supervisor::held::caller::failure_of;
use crate::upstream::jellyfin::{Error, Jellyfin, RawPath};
use domain::reason::Failure;

/// What is known of the path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Whereabouts {
    /// Nothing yet.
    Unknown,
    /// This.
    Known(RawPath),
    /// There is none: the channel could not be opened, or shares nothing.
    Nowhere(Failure),
}

/// See the module.
#[derive(Debug)]
pub(super) struct Tap {
    pub(super) jellyfin: Jellyfin,
    pub(super) path: watch::Receiver<Whereabouts>,
}

impl Input for Tap {
    fn open(&self) -> OpenFuture<'_> {
        Box::pin(async {
            let mut path = self.path.clone();
            let path = match path.wait_for(|path| *path != Whereabouts::Unknown).await {
                Ok(path) => path.clone(),
                Err(_) => Whereabouts::Unknown,
            };
            match path {
                Whereabouts::Known(path) => {
                    let opened = self.jellyfin.tap(&path).await;
                    opened.map_err(|error| InputError::new(failure_of_tap(&error), error))
                }
                Whereabouts::Nowhere(failure) => Err(InputError::new(failure, "there is none")),
                Whereabouts::Unknown => Err(InputError::new(Failure::Gone, "nobody looks for it any more")),
            }
        })
    }

    fn name(&self) -> &str {
        "the server's raw stream"
    }
}

/// An opening that the server knows no more does not come back.
fn failure_of_tap(error: &Error) -> Failure {
    match error.status() {
        Some(StatusCode::NOT_FOUND | StatusCode::GONE) => Failure::Gone,
        Some(_) | None => failure_of(error),
    }
}
