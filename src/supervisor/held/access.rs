//! Holds what a call to the server about a channel needs: the channel's address and the credentials of its viewers.
//!
//! It does not know what the calls are for, nor whether the channel is watched.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};

use crate::upstream::jellyfin::{Login, Place};
use domain::key::{LiveStreamId, MediaSourceId};
use domain::viewer::Account;

/// The number of credentials that are kept: the newest, since they stay valid longest.
const MAX_LOGINS: usize = 8;

/// The address of a channel and the credentials of its viewers.
#[derive(Debug)]
pub(in crate::supervisor) struct Access {
    pub(in crate::supervisor) place: Place,
    pub(in crate::supervisor) source: MediaSourceId,
    pub(in crate::supervisor) live_stream: LiveStreamId,
    logins: Mutex<Vec<(Account, Login, Option<String>)>>,
    /// Whether the server opens a separate live stream for each consumer, so that none can be shared.
    exclusive: AtomicBool,
}

impl Access {
    pub(in crate::supervisor) fn new(place: Place, source: MediaSourceId, live_stream: LiveStreamId) -> Self {
        Self { place, source, live_stream, logins: Mutex::default(), exclusive: AtomicBool::new(false) }
    }

    /// Adds the credential of an account, and its user, as the newest; replaces an older one of the account.
    pub(in crate::supervisor) fn remember(&self, account: Account, login: Login, user: Option<String>) {
        let mut logins = self.logins.lock().unwrap_or_else(PoisonError::into_inner);
        logins.retain(|(owner, ..)| *owner != account);
        logins.push((account, login, user));
        let excess = logins.len().saturating_sub(MAX_LOGINS);
        logins.drain(..excess);
    }

    /// Adds the credential of an account unless one of the account is kept.
    pub(in crate::supervisor) fn remember_if_new(&self, account: Account, login: &Login, user: Option<&str>) {
        if !self.has(account) {
            self.remember(account, login.clone(), user.map(str::to_owned));
        }
    }

    /// Forgets the credential of an account, which has been revoked.
    pub(in crate::supervisor) fn forget(&self, account: Account) {
        self.logins.lock().unwrap_or_else(PoisonError::into_inner).retain(|(owner, ..)| *owner != account);
    }

    /// The credentials, newest first, each with its user.
    pub(in crate::supervisor) fn logins(&self) -> Vec<(Login, Option<String>)> {
        let logins = self.logins.lock().unwrap_or_else(PoisonError::into_inner);
        logins.iter().rev().map(|(_, login, user)| (login.clone(), user.clone())).collect()
    }

    /// The credentials, oldest first, each with its account and user.
    pub(in crate::supervisor) fn accounts(&self) -> Vec<(Account, Login, Option<String>)> {
        self.logins.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Whether a credential of this account is kept.
    fn has(&self, account: Account) -> bool {
        let logins = self.logins.lock().unwrap_or_else(PoisonError::into_inner);
        logins.iter().any(|(owner, ..)| *owner == account)
    }

    pub(in crate::supervisor) fn is_exclusive(&self) -> bool {
        self.exclusive.load(Ordering::Relaxed)
    }

    pub(in crate::supervisor) fn set_exclusive(&self) {
        self.exclusive.store(true, Ordering::Relaxed);
    }
}
