//! As whom the gateway calls the server for a stream: with its own credential, else with those of the stream's viewers.
//!
//! It does not know what the calls are for.

use std::sync::Arc;
use std::time::Duration;

use http::StatusCode;
use tokio::time::{Instant, sleep};
use tracing::warn;

use crate::supervisor::stream::Stream;
use crate::upstream::jellyfin::{Error, Jellyfin, Login};
use crate::upstream::ledger::Ledger;

/// Between two attempts at a call that must not fail.
const AGAIN: Duration = Duration::from_millis(500);

/// See the module.
#[derive(Clone, Debug)]
pub(super) struct Caller {
    pub(super) jellyfin: Jellyfin,
    pub(super) stream: Arc<Stream>,
    /// The gateway's own credential, if it has one.
    pub(super) own: Option<Login>,
    /// Where it is written down what is open.
    pub(super) ledger: Arc<Ledger>,
}

impl Caller {
    /// Makes a call with one login after the other until one is let in.
    pub(super) async fn call<T, F>(&self, call: impl Fn(Login) -> F) -> Result<T, Error>
    where
        F: Future<Output = Result<T, Error>>,
    {
        let logins = self.own.clone().map_or_else(|| self.stream.logins(), |own| vec![own]);
        let mut result = Err(Error::Status(StatusCode::UNAUTHORIZED));
        for login in logins {
            result = call(login).await;
            let status = result.as_ref().err().and_then(Error::status);
            if !matches!(status, Some(StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN)) {
                break;
            }
        }
        result
    }

    /// Makes a call again and again until it is done, refused, or it is `deadline`.
    pub(super) async fn call_until_done<F>(&self, deadline: Instant, what: &str, call: impl Fn(Login) -> F)
    where
        F: Future<Output = Result<(), Error>>,
    {
        loop {
            let Err(error) = self.call(&call).await else { return };
            let refused = error.status().is_some_and(|status| status.is_client_error());
            if refused || Instant::now() > deadline {
                warn!(item = %self.stream.recipe.place.item, cause = %error, "could not {what}");
                return;
            }
            sleep(AGAIN).await;
        }
    }
}
