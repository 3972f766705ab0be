//! As whom the gateway calls the server about a channel: with its own credential, else with those of its viewers.
//!
//! It does not know what the calls are for.

use std::sync::Arc;
use std::time::Duration;

use http::StatusCode;
use tokio::time::{Instant, sleep, timeout_at};
use tracing::{info, warn};

use crate::supervisor::access::Access;
use crate::supervisor::reap::Leftovers;
use crate::upstream::jellyfin::{Error, Hold, Jellyfin, Login, Place};
use crate::upstream::ledger::Ledger;

/// Between two attempts at a call that must not fail.
const AGAIN: Duration = Duration::from_millis(500);

/// See the module.
#[derive(Clone, Debug)]
pub(super) struct Caller {
    pub(super) jellyfin: Jellyfin,
    pub(super) access: Arc<Access>,
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
        let place = &self.access.place;
        let own = self.own.clone().map(|own| vec![(own, place.user.clone())]);
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

    /// Writes down under `name` where that is which is about to be opened.
    pub(super) fn note_place(&self, name: &str) {
        let place = &self.access.place;
        self.ledger.note(name, |entry| {
            entry.prefix.clone_from(&place.prefix);
            entry.item = place.item.to_string();
            entry.user.clone_from(&place.user);
        });
    }

    /// Writes down under `name` what is held, or that nothing is any more.
    pub(super) fn noted(&self, name: &str) -> impl Fn(Option<&Hold>) + Send + Sync + 'static {
        let (ledger, name) = (Arc::clone(&self.ledger), name.to_owned());
        move |hold| {
            ledger.note(&name, |entry| {
                entry.live_stream = hold.map(|hold| hold.live_stream.to_string());
                entry.opening = hold.and_then(|hold| hold.opening.clone());
            });
        }
    }

    /// Strikes out `name` if all of it is `closed`, and leaves it to others if not.
    pub(super) fn settle(&self, name: &str, closed: bool) {
        if closed {
            self.ledger.strike(name);
            info!(item = %self.access.place.item, "released");
        } else {
            self.leftovers.keep(name);
        }
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
                warn!(item = %self.access.place.item, cause = %error, "could not {what}");
                return false;
            }
            sleep(AGAIN).await;
        }
    }
}
