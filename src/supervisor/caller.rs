//! As whom the gateway calls the server for a stream: with its own credential, else with those of the stream's viewers.
//!
//! It does not know what the calls are for.

use std::sync::Arc;
use std::time::Duration;

use http::StatusCode;
use tokio::time::{Instant, sleep, timeout_at};
use tracing::warn;

use crate::supervisor::reap::Leftovers;
use crate::supervisor::stream::Stream;
use crate::upstream::jellyfin::{Error, Jellyfin, Login, Place};
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
    /// Where that goes which cannot be closed.
    pub(super) leftovers: Arc<Leftovers>,
}

impl Caller {
    /// Makes a call with one login after the other until one is let in. The place is as that login may look for it: a
    /// viewer may name no other user than itself.
    pub(super) async fn call<T, F>(&self, call: impl Fn(Login, Place) -> F) -> Result<T, Error>
    where
        F: Future<Output = Result<T, Error>>,
    {
        let place = &self.stream.recipe.place;
        let own = self.own.clone().map(|own| vec![(own, place.user.clone())]);
        let mut result = Err(Error::Status(StatusCode::UNAUTHORIZED));
        for (login, user) in own.unwrap_or_else(|| self.stream.logins()) {
            result = call(login, Place { user, ..place.clone() }).await;
            let status = result.as_ref().err().and_then(Error::status);
            if !matches!(status, Some(StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN)) {
                break;
            }
        }
        result
    }

    /// Makes a call again and again until it is done, refused, or it is `deadline`; says whether it was done.
    pub(super) async fn call_until_done<F>(
        &self,
        deadline: Instant,
        what: &str,
        call: impl Fn(Login, Place) -> F,
    ) -> bool
    where
        F: Future<Output = Result<(), Error>>,
    {
        loop {
            let called = timeout_at(deadline, self.call(&call)).await;
            let Err(error) = called.unwrap_or_else(|_| Err(Error::late())) else { return true };
            let refused = error.status().is_some_and(|status| status.is_client_error());
            if refused || Instant::now() >= deadline {
                warn!(item = %self.stream.recipe.place.item, cause = %error, "could not {what}");
                return false;
            }
            sleep(AGAIN).await;
        }
    }
}
