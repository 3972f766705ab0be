//! What concerns the account of a viewer: whose it is, how much it may watch, its credential and its logout.

use std::time::Duration;

use tokio::time::timeout;

use crate::supervisor::Supervisor;
use crate::upstream::jellyfin::Login;
use domain::key::DeviceId;
use domain::pool::Event;
use domain::viewer::Account;

/// How long an opening waits for leftovers to be closed.
const LEFTOVERS_TIMEOUT: Duration = Duration::from_secs(5);

impl Supervisor {
    /// The server has told that an account is of the user with this id.
    pub fn account_is_of(&self, account: Account, user: &str) {
        self.handle.pool().account_is_of(account, user);
    }

    /// Whether the user of an account may watch one stream more on `device`, where it may watch `limit` at once.
    #[must_use]
    pub fn may_watch(&self, account: Account, device: Option<&DeviceId>, limit: u32) -> bool {
        self.handle.pool().may_watch(account, device, limit)
    }

    /// Closes what only this account's token can close, since it is about to be revoked. Returns after `patience` at the latest.
    pub async fn logging_out(&self, account: Account, patience: Duration) {
        self.handle.tell_and_wait(Event::LoggingOut(account), patience).await;
        self.inputs.forget(account);
        self.streams.forget(account);
        self.tuners.forget(account);
        self.callers.leftovers.forget(account);
    }

    /// Tells the pool that the server has answered the revocation of a token.
    pub fn logged_out(&self, account: Account) {
        self.handle.tell(Event::LoggedOut(account));
    }

    /// Closes the leftovers with the gateway's own credential, or else with `login`, which belongs to `user`. They may occupy every
    /// tuner, so an opening waits for them, for a few seconds at most.
    pub async fn close_leftovers(&self, account: Account, login: &Login, user: Option<&str>) {
        let leftovers = &self.callers.leftovers;
        leftovers.offer(account, login, user);
        let _ = timeout(LEFTOVERS_TIMEOUT, leftovers.tried()).await;
    }
}
