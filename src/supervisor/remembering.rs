//! Hands what is to be remembered to the history: what the pool tells, what changes of channel have met, and what sources carry.
//!
//! It knows the two clocks: the pool's, which runs on evenly, and that of the calendar, which is set now and then.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, SystemTime};

use crate::history::{Entry, History, HistoryError, Key, Past, Query, Viewing, Zapped};
use crate::supervisor::handle::{Handle, random};
use crate::supervisor::names::Names;
use domain::key::{DeviceId, MediaSourceId, UserId};
use domain::pool::Pool;
use domain::pool::foresight::Remembered;
use domain::time::Timestamp;
use domain::viewer::PlayerKey;
use domain::zap::Zap;

/// Nothing that is remembered lies further ahead: a channel is left alone for so long at most.
const LONGEST_PAUSE: Duration = Duration::from_secs(24 * 3600);

/// See the module. Clones share everything.
#[derive(Clone, Debug)]
pub struct Remembering {
    history: Option<History>,
    key: Key,
    handle: Handle,
    names: Names,
    /// Whether another process goes on with it.
    is_handed_over: Arc<AtomicBool>,
}

/// One moment on both clocks.
#[derive(Clone, Copy, Debug)]
pub(super) struct Moment {
    pub(super) pool: Timestamp,
    pub(super) calendar: Timestamp,
}

impl Moment {
    /// This moment, at which the pool's clock shows `pool`.
    pub(super) fn now(pool: Timestamp) -> Self {
        Self { pool, calendar: Timestamp::after_start(since_1970()) }
    }

    /// A moment of the calendar, on the pool's clock.
    pub(super) fn on_pools(self, at: Timestamp) -> Timestamp {
        moved(at, self.calendar, self.pool)
    }

    /// A moment on the pool's clock, in the calendar.
    pub(super) fn in_calendar(self, at: Timestamp) -> Timestamp {
        moved(at, self.pool, self.calendar)
    }
}

fn moved(at: Timestamp, from: Timestamp, to: Timestamp) -> Timestamp {
    if at >= from { to + at.since(from) } else { to.before(from.since(at)) }
}

/// The time since 1970.
pub(super) fn since_1970() -> Duration {
    SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default()
}

/// The pool begins with what is remembered, at this moment. Returns what is remembered of sources.
pub(super) fn begin_with(past: Past, pool: &mut Pool, now: Moment) -> Vec<(MediaSourceId, String)> {
    let remembered = past.remembered.into_iter();
    // The calendar may be wrong, as on a machine that has just been switched on.
    let latest = now.pool + LONGEST_PAUSE;
    pool.begin_with(remembered.map(|remembered| remembered.on_clock(|at| now.on_pools(at).min(latest))));
    past.sources
}

impl Remembering {
    /// Hands it to `history`, if there is one. Without it, players are known by fingerprints of this process's own.
    pub(super) fn new(history: Option<History>, handle: Handle, names: Names) -> Self {
        let key = history.as_ref().map_or_else(|| Key::passing(random()), |history| history.key().clone());
        Self { history, key, handle, names, is_handed_over: Arc::default() }
    }

    /// The player that a user is on a device.
    pub(super) fn player(&self, user: Option<&str>, device: Option<&DeviceId>) -> PlayerKey {
        let player = self.key.player(user, device.map(DeviceId::as_str));
        if let (Some(history), Some(user)) = (&self.history, user) {
            history.name(player.user, || self.names.user(&UserId::new(user)).map(|name| name.to_string()));
        }
        if let (Some(history), Some(device)) = (&self.history, device) {
            history.name(player.device, || Some(device.as_str().to_owned()));
        }
        player
    }

    /// The pool has told these.
    pub(super) fn remember(&self, told: Vec<Remembered>) {
        let Some(history) = self.history.as_ref().filter(|_| !told.is_empty() && !self.is_handed_over())
        else {
            return;
        };
        let now = Moment::now(self.handle.now());
        for remembered in told {
            if let Remembered::Came { item, .. } = &remembered
                && let Some(channel) = self.names.known(item)
            {
                history.write(Entry::Channel(item.clone(), channel.name, channel.number));
            }
            history.write(Entry::Remembered(remembered.on_clock(|at| now.in_calendar(at))));
        }
    }

    /// These changes of channel are over.
    pub(super) fn zapped(&self, zaps: Vec<Zap>) {
        let Some(history) = &self.history else { return };
        let now = Moment::now(self.handle.now());
        for zap in zaps {
            let user = self.handle.pool().user_of(zap.zapper.account).cloned();
            let player = self.player(user.as_ref().map(UserId::as_str), zap.zapper.device.as_ref());
            let (begun, waited) = (now.in_calendar(zap.begun), zap.waited());
            let Zap { outcome, reason, .. } = zap;
            let item = zap.zapper.item;
            history.write(Entry::Zapped(Zapped { player, item, begun, waited, outcome, reason }));
        }
    }

    /// Whether anything is remembered.
    pub(super) const fn is_on(&self) -> bool {
        self.history.is_some()
    }

    /// A source carries these, as their reader writes them.
    pub(super) fn source(&self, source: &MediaSourceId, facts: String) {
        if let Some(history) = &self.history {
            history.write(Entry::Source(source.clone(), facts));
        }
    }

    /// The newest viewings that a query asks for; `None` if none are remembered.
    ///
    /// # Errors
    /// If the history cannot be read.
    pub async fn read(&self, query: Query) -> Result<Option<Vec<Viewing>>, HistoryError> {
        match &self.history {
            Some(history) => history.read(query).await.map(Some),
            None => Ok(None),
        }
    }

    /// Waits until all of it is in the file, for a while.
    pub(super) async fn written(&self) {
        if let Some(history) = &self.history {
            history.written().await;
        }
    }

    /// Another process goes on with it: who watches goes on watching.
    pub(super) fn hand_over(&self) {
        self.is_handed_over.store(true, Ordering::Relaxed);
    }

    /// The gateway ends: nobody watches any more, unless another process goes on with it.
    pub(super) async fn end(&self) {
        if let Some(history) = self.history.as_ref().filter(|_| !self.is_handed_over()) {
            history.write(Entry::End(Timestamp::after_start(since_1970())));
        }
        self.written().await;
    }

    fn is_handed_over(&self) -> bool {
        self.is_handed_over.load(Ordering::Relaxed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_moment_is_the_same_on_both_clocks() {
        let at = |seconds| Timestamp::after_start(Duration::from_secs(seconds));
        // The machine was asleep for 300 s.
        let now = Moment { pool: at(1000), calendar: at(1300) };
        for (pool, calendar) in [(1000, 1300), (900, 1200), (1060, 1360)] {
            assert_eq!(now.in_calendar(at(pool)), at(calendar));
            assert_eq!(now.on_pools(at(calendar)), at(pool));
        }
        let early = Moment { pool: at(10), calendar: at(1300) };
        assert_eq!(early.on_pools(at(900)), at(0), "the clock does not reach back so far");
    }
}
