//! The names of channels and users, for people to read: channels are asked for at the server when a name is missing, users are
//! remembered as their requests show them.
//!
//! Nothing is decided by a name.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use moka::sync::Cache;
use tokio::time::Instant;
use tracing::debug;

use crate::background::noted;
use crate::supervisor::tuners::Tuners;
use crate::upstream::jellyfin::Jellyfin;
use crate::upstream::live_tv::ChannelName;
use domain::key::{ItemId, UserId};

/// Between two questions for the channels.
const ASK_AGAIN: Duration = Duration::from_secs(60);
/// How many users are remembered.
const USERS: u64 = 1_000;

/// See the module. Clones share everything.
#[derive(Clone, Debug)]
pub struct Names {
    jellyfin: Jellyfin,
    tuners: Arc<Tuners>,
    channels: Arc<Mutex<Channels>>,
    users: Cache<UserId, Arc<str>>,
}

#[derive(Debug, Default)]
struct Channels {
    known: BTreeMap<ItemId, ChannelName>,
    asked_at: Option<Instant>,
}

impl Names {
    pub(super) fn new(jellyfin: Jellyfin, tuners: Arc<Tuners>) -> Self {
        let users = Cache::builder().max_capacity(USERS).build();
        Self { jellyfin, tuners, channels: Arc::default(), users }
    }

    /// The name of a channel, as far as it is known by now.
    #[must_use]
    pub fn channel(&self, item: &ItemId) -> Option<ChannelName> {
        let mut channels = self.channels();
        let known = channels.known.get(item).cloned();
        if known.is_none() {
            self.look_up(&mut channels);
        }
        known
    }

    fn look_up(&self, channels: &mut Channels) {
        if channels.asked_at.is_none_or(|at| at.elapsed() >= ASK_AGAIN) {
            channels.asked_at = Some(Instant::now());
            tokio::spawn(noted("the question for channels' names", self.clone().ask()));
        }
    }

    /// All channels whose names are known by now.
    #[must_use]
    pub fn channels_known(&self) -> BTreeMap<ItemId, ChannelName> {
        let mut channels = self.channels();
        if channels.known.is_empty() {
            self.look_up(&mut channels);
        }
        channels.known.clone()
    }

    /// The name of a user.
    #[must_use]
    pub fn user(&self, user: &UserId) -> Option<Arc<str>> {
        self.users.get(user)
    }

    /// The server calls a user so.
    pub fn user_is(&self, user: &str, name: &str) {
        let user = UserId::new(user);
        if self.users.get(&user).as_deref() != Some(name) {
            self.users.insert(user, Arc::from(name));
        }
    }

    async fn ask(self) {
        let Some((prefix, login)) = self.tuners.login() else {
            // Nobody may be asked as yet.
            self.channels().asked_at = None;
            return;
        };
        match self.jellyfin.channels(&prefix, &login).await {
            Ok(channels) => self.channels().known.extend(channels),
            Err(error) => debug!(cause = %error, "cannot ask for the channels' names"),
        }
    }

    fn channels(&self) -> MutexGuard<'_, Channels> {
        self.channels.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
