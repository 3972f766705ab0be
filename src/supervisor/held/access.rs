//! How the server may be called about a channel: where the channel is found, and with which credentials.
//!
//! It does not know what the calls are for, nor whether the channel is watched.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};

use crate::upstream::jellyfin::{Login, Place};
use domain::key::{LiveStreamId, MediaSourceId};
use domain::viewer::Account;

/// Credentials kept; the newest works longest.
const LOGINS: usize = 8;

/// See the module.
#[derive(Debug)]
pub(in crate::supervisor) struct Access {
    pub(in crate::supervisor) place: Place,
    pub(in crate::supervisor) source: MediaSourceId,
    pub(in crate::supervisor) live_stream: LiveStreamId,
    logins: Mutex<Vec<(Account, Login, Option<String>)>>,
    /// Whether the server opens another live stream for everybody who asks.
    exclusive: AtomicBool,
}

impl Access {
    pub(in crate::supervisor) fn new(place: Place, source: MediaSourceId, live_stream: LiveStreamId) -> Self {
        Self { place, source, live_stream, logins: Mutex::default(), exclusive: AtomicBool::new(false) }
    }

    /// Remembers with what it may be called, and to which user that belongs.
    pub(in crate::supervisor) fn remember(&self, account: Account, login: Login, user: Option<String>) {
        let mut logins = self.logins.lock().unwrap_or_else(PoisonError::into_inner);
        logins.retain(|(known, ..)| *known != account);
        logins.push((account, login, user));
        let excess = logins.len().saturating_sub(LOGINS);
        logins.drain(..excess);
    }

    /// The same, unless one of this account is known.
    pub(in crate::supervisor) fn introduce(&self, account: Account, login: &Login, user: Option<&str>) {
        if !self.knows(account) {
            self.remember(account, login.clone(), user.map(str::to_owned));
        }
    }

    /// Forgets a login that is worth nothing any more.
    pub(in crate::supervisor) fn forget(&self, account: Account) {
        self.logins.lock().unwrap_or_else(PoisonError::into_inner).retain(|(known, ..)| *known != account);
    }

    /// What it may be called with, the newest first, and to which users that belongs.
    pub(in crate::supervisor) fn logins(&self) -> Vec<(Login, Option<String>)> {
        let logins = self.logins.lock().unwrap_or_else(PoisonError::into_inner);
        logins.iter().rev().map(|(_, login, user)| (login.clone(), user.clone())).collect()
    }

    /// Whether a login of this account is known.
    fn knows(&self, account: Account) -> bool {
        let logins = self.logins.lock().unwrap_or_else(PoisonError::into_inner);
        logins.iter().any(|(known, ..)| *known == account)
    }

    pub(in crate::supervisor) fn is_exclusive(&self) -> bool {
        self.exclusive.load(Ordering::Relaxed)
    }

    pub(in crate::supervisor) fn set_exclusive(&self) {
        self.exclusive.store(true, Ordering::Relaxed);
    }
}
