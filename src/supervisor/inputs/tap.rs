//! Pulls a channel's raw stream, which the server shares with every client that knows its path (docs/jellyfin.md 4).
//!
//! The path stands in the server's answer to an opening, a client's or the gateway's own. The module does not know who holds
//! the channel open.

use http::StatusCode;
use tokio::sync::watch;

use crate::feed::input::{Input, InputError, OpenFuture};
use crate::supervisor::held::caller::failure_of;
use crate::upstream::jellyfin::{Error, Jellyfin, RawPath};
use domain::reason::Failure;

/// The path of the raw stream, as far as it is known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum TapPath {
    /// The path is not known yet.
    Unknown,
    /// The path is known.
    Known(RawPath),
    /// There is no path: the channel could not be opened, or its raw stream is not shared.
    Missing(Failure),
}

/// The raw stream as an input of a feed.
#[derive(Debug)]
pub(super) struct Tap {
    pub(super) jellyfin: Jellyfin,
    pub(super) path: watch::Receiver<TapPath>,
}

impl Input for Tap {
    fn open(&self) -> OpenFuture<'_> {
        Box::pin(async {
            let mut path = self.path.clone();
            let path = match path.wait_for(|path| *path != TapPath::Unknown).await {
                Ok(path) => path.clone(),
                Err(_) => TapPath::Unknown,
            };
            match path {
                TapPath::Known(path) => {
                    let opened = self.jellyfin.tap(&path).await;
                    opened.map_err(|error| InputError::new(failure_of_tap(&error), error))
                }
                TapPath::Missing(failure) => {
                    Err(InputError::new(failure, "the server shares no raw stream of this channel"))
                }
                TapPath::Unknown => Err(InputError::new(
                    Failure::Gone,
                    "the input was closed before the path of the raw stream was known",
                )),
            }
        })
    }

    fn name(&self) -> &str {
        "the server's raw stream"
    }
}

/// The failure of a tap that could not be opened. On 404 and 410 the live stream is closed, so a retry would be in vain.
fn failure_of_tap(error: &Error) -> Failure {
    match error.status() {
        Some(StatusCode::NOT_FOUND | StatusCode::GONE) => Failure::Gone,
        Some(_) | None => failure_of(error),
    }
}
