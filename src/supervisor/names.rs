//! The names of channels and users, for people to read: channels are asked for at the server when a name is missing, users are
//! remembered as their requests show them.
//!
//! Nothing is decided by a name.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use moka::sync::Cache;
use tokio::time::{Instant, sleep};
use tracing::debug;

use crate::background::noted;
use crate::supervisor::handle::Handle;
use crate::supervisor::tuners::Tuners;
use crate::upstream::jellyfin::Jellyfin;
use crate::upstream::live_tv::ChannelName;
use domain::key::{ItemId, UserId};
use domain::pool::Event;

/// Between two questions for the channels, as long as one is not answered or a name is missing, and otherwise.
const ASK_AGAIN: Duration = Duration::from_secs(60);
const HOLDS: Duration = Duration::from_secs(3600);
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

    /// The same, without asking.
    pub(super) fn known(&self, item: &ItemId) -> Option<ChannelName> {
        self.channels().known.get(item).cloned()
    }

    fn look_up(&self, channels: &mut Channels) {
        if channels.asked_at.is_none_or(|at| at.elapsed() >= ASK_AGAIN) {
            channels.asked_at = Some(Instant::now());
            let asking = self.clone().ask();
            tokio::spawn(noted("the question for channels' names", asking));
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

    /// Tells the pool for ever in which order players step through the channels.
    pub(super) async fn tell_order(self, handle: Handle) {
        loop {
            let pause = if self.clone().ask().await {
                handle.tell(Event::ChannelOrder(self.order()));
                HOLDS
            } else {
                ASK_AGAIN
            };
            sleep(pause).await;
        }
    }

    /// The channels by their numbers, and those of the same number by their names, as Jellyfin's guide lists them.
    fn order(&self) -> Vec<ItemId> {
        let channels = self.channels();
        let mut ordered: Vec<_> = channels.known.iter().collect();
        ordered.sort_by_key(|(_, channel)| (number(channel), channel.name.as_str()));
        ordered.into_iter().map(|(item, _)| item.clone()).collect()
    }

    /// Asks the server. Returns whether it has answered.
    async fn ask(self) -> bool {
        let Some((prefix, login)) = self.tuners.login() else {
            // Nobody may be asked as yet.
            self.channels().asked_at = None;
            return false;
        };
        match self.jellyfin.channels(&prefix, &login).await {
            // A server that is starting lists none.
            Ok(channels) if channels.is_empty() => return false,
            Ok(channels) => self.channels().known = channels.into_iter().collect(),
            Err(error) => {
                debug!(cause = %error, "cannot ask for the channels' names");
                return false;
            }
        }
        true
    }

    fn channels(&self) -> MutexGuard<'_, Channels> {
        self.channels.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A channel's number in the guide, and that of its subchannel; those without one come last.
fn number(channel: &ChannelName) -> (u32, u32) {
    const LAST: (u32, u32) = (u32::MAX, 0);
    let Some(number) = &channel.number else { return LAST };
    let (channel, sub) = number.split_once(['.', '-']).unwrap_or((number, "0"));
    channel.trim().parse().ok().zip(sub.trim().parse().ok()).unwrap_or(LAST)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn channels_are_ordered_by_number_and_subchannel() {
        let read = |text: Option<&str>| {
            number(&ChannelName { name: String::new(), number: text.map(str::to_owned) })
        };
        let numbers = [Some("2"), Some("5.2"), Some("5-10"), Some("11"), None];
        assert!(numbers.map(read).is_sorted(), "{:?}", numbers.map(read));
        assert_eq!(read(Some("BBC")), read(None));
    }
}
