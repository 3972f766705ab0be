//! Calls the server about a channel, with the gateway's own credential or else with those of the channel's viewers.
//!
//! It does not know what the calls are for.

use std::sync::Arc;
use std::time::Duration;

use http::StatusCode;
use tokio::time::{Instant, sleep, timeout_at};
use tracing::{debug, info, warn};

use crate::supervisor::held::access::Access;
use crate::supervisor::held::leftovers::Leftovers;
use crate::upstream::jellyfin::{Error, Hold, Jellyfin, Login, Place};
use crate::upstream::ledger::Ledger;
use domain::reason::Failure;

/// The delay between two attempts of a call that is retried.
const RETRY_DELAY: Duration = Duration::from_millis(500);

/// Creates a [`Caller`] for each channel.
#[derive(Clone, Debug)]
pub(in crate::supervisor) struct Callers {
    pub(in crate::supervisor) jellyfin: Jellyfin,
    /// The gateway's own credential, if it has one.
    pub(in crate::supervisor) gateway_login: Option<Login>,
    /// The record of everything that is open at the server.
    pub(in crate::supervisor) ledger: Arc<Ledger>,
    /// The jobs and consumers that could not be closed.
    pub(in crate::supervisor) leftovers: Arc<Leftovers>,
}

/// Calls the server about one channel.
#[derive(Clone, Debug)]
pub(in crate::supervisor) struct Caller {
    pub(in crate::supervisor) access: Arc<Access>,
    pub(in crate::supervisor) jellyfin: Jellyfin,
    gateway_login: Option<Login>,
    pub(in crate::supervisor) ledger: Arc<Ledger>,
    leftovers: Arc<Leftovers>,
}

impl Callers {
    /// A caller for the channel of `access`, which also holds the credentials.
    pub(in crate::supervisor) fn about(&self, access: &Arc<Access>) -> Caller {
        let Self { jellyfin, gateway_login, ledger, leftovers } = self.clone();
        Caller { access: Arc::clone(access), jellyfin, gateway_login, ledger, leftovers }
    }
}

impl Caller {
    /// Makes a call with one credential after another until the server accepts one. The `Place` given to `call` names the user of
    /// that credential, since a viewer's may name no other user.
    ///
    /// # Errors
    /// The error of the last attempt; 401 if there is no credential.
    pub(in crate::supervisor) async fn call<T, F>(&self, call: impl Fn(Login, Place) -> F) -> Result<T, Error>
    where
        F: Future<Output = Result<T, Error>>,
    {
        let place = &self.access.place;
        let own = self.gateway_login.clone().map(|own| vec![(own, place.user.clone())]);
        let mut result = Err(Error::Status(StatusCode::UNAUTHORIZED));
        for (login, user) in own.unwrap_or_else(|| self.access.logins()) {
            result = call(login, Place { user, ..place.clone() }).await;
            let status = result.as_ref().err().and_then(Error::status);
            if !matches!(status, Some(StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN)) {
                break;
            }
        }
        result
    }

    /// Records in the ledger, under `name`, the item about to be opened.
    pub(in crate::supervisor) fn record_item(&self, name: &str) {
        let place = &self.access.place;
        self.ledger.note(name, |entry| {
            entry.prefix.clone_from(&place.prefix);
            entry.item = place.item.to_string();
            entry.user.clone_from(&place.user);
        });
    }

    /// A callback that records in the ledger, under `name`, the consumer that is held; `None` removes it.
    pub(in crate::supervisor) fn hold_recorder(
        &self,
        name: &str,
    ) -> impl Fn(Option<&Hold>) + Send + Sync + 'static {
        let (ledger, name) = (Arc::clone(&self.ledger), name.to_owned());
        move |hold| {
            ledger.note(&name, |entry| {
                entry.live_stream = hold.map(|hold| hold.live_stream.to_string());
                entry.opening = hold.and_then(|hold| hold.opening.clone());
            });
        }
    }

    /// Removes the entry `name` from the ledger if everything is `closed`, and adds it to the leftovers otherwise.
    pub(in crate::supervisor) fn settle(&self, name: &str, closed: bool) {
        if closed {
            self.ledger.strike(name);
            info!(item = %self.access.place.item, "closed everything that was open at the server");
        } else {
            self.leftovers.keep(name);
        }
    }

    /// Repeats a call until it succeeds, the server refuses it (4xx), or `deadline` has passed. Returns whether it succeeded.
    /// `task` completes the log line "could not …".
    pub(in crate::supervisor) async fn call_until_done<F>(
        &self,
        deadline: Instant,
        task: &str,
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
                warn!(item = %self.access.place.item, cause = %error, "could not {task}");
                return false;
            }
            sleep(RETRY_DELAY).await;
        }
    }
}

/// The failure that a failed call means for a stream or an input.
pub(in crate::supervisor) fn failure_of(error: &Error) -> Failure {
    debug!(cause = %error, "a call to the server failed");
    match error {
        Error::Unreachable(_) | Error::Broken(_) => Failure::Unreachable,
        Error::Status(_) if error.is_absence() => Failure::Unreachable,
        Error::Status(_) => Failure::Refused,
        Error::TooLarge => Failure::Oversized,
        Error::Unreadable(_) => Failure::Unreadable,
    }
}

#[cfg(test)]
mod tests {
    use http::StatusCode;

    use super::*;

    #[test]
    fn a_gateway_error_means_that_the_server_is_unreachable() {
        for (status, failure) in [
            (StatusCode::INTERNAL_SERVER_ERROR, Failure::Refused),
            (StatusCode::NOT_FOUND, Failure::Refused),
            (StatusCode::BAD_GATEWAY, Failure::Unreachable),
            (StatusCode::SERVICE_UNAVAILABLE, Failure::Unreachable),
            (StatusCode::GATEWAY_TIMEOUT, Failure::Unreachable),
        ] {
            assert_eq!(failure_of(&Error::Status(status)), failure, "{status}");
        }
    }
}
