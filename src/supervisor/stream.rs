//! A stream as its producer fills it and its viewers read it: the window, and who waits for it.
//!
//! It does not know how it is filled, nor whether it should be.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError, RwLock};
use std::time::{Duration, SystemTime};

use tokio::sync::watch;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tokio_util::task::task_tracker::TaskTrackerToken;

use crate::domain::consumer::Account;
use crate::domain::playlist;
use crate::domain::reload::HELD_TARGETS;
use crate::domain::time::Timestamp;
use crate::domain::window::Window;
use crate::upstream::jellyfin::{Login, Media, Recipe};

/// Credentials kept to release a stream with; the newest works longest.
const LOGINS: usize = 8;

/// Whether a stream can be served.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Readiness {
    /// Its first segment has yet to come.
    Starting,
    /// It has segments.
    Ready,
    /// It could not be started.
    Failed,
    /// It was given back.
    Retired,
}

/// How windows are cut.
#[derive(Clone, Copy, Debug)]
pub struct WindowSize {
    /// What a new viewer is handed at least.
    pub join: Duration,
    /// What is listed at most, or three target durations if that is more.
    pub length: Duration,
    /// Bytes of the largest segment.
    pub segment: u64,
}

/// See the module.
#[derive(Debug)]
pub struct Stream {
    /// How to start it again.
    pub recipe: Recipe,
    pub(super) stop: CancellationToken,
    size: WindowSize,
    window: RwLock<Option<Window<Media>>>,
    readiness: watch::Sender<Readiness>,
    /// The newest segment's number.
    newest: watch::Sender<u64>,
    logins: Mutex<Vec<(Account, Login, Option<String>)>>,
    work: tokio::sync::Mutex<()>,
    /// The generations that have yet to give back what they opened.
    generations: TaskTracker,
    /// Whether the server opens another live stream for everybody who asks.
    exclusive: AtomicBool,
    /// Whether a tuner was asked for since the last segment.
    begged: AtomicBool,
}

/// What a viewer is given.
#[derive(Debug)]
pub struct Playlist {
    /// The playlist.
    pub text: String,
    /// The stream's target duration.
    pub target: Duration,
}

impl Stream {
    pub(super) fn new(recipe: Recipe, size: WindowSize) -> Self {
        Self {
            recipe,
            stop: CancellationToken::new(),
            size,
            window: RwLock::new(None),
            readiness: watch::Sender::new(Readiness::Starting),
            newest: watch::Sender::new(0),
            logins: Mutex::new(Vec::new()),
            work: tokio::sync::Mutex::new(()),
            generations: TaskTracker::new(),
            exclusive: AtomicBool::new(false),
            begged: AtomicBool::new(false),
        }
    }

    /// Where the list of a viewer begins who joins at this moment; `None` before the first segment.
    pub(super) fn join_point(&self) -> Option<u64> {
        let window = self.window.read().unwrap_or_else(PoisonError::into_inner);
        window.as_ref().map(|window| window.join(self.size.join))
    }

    /// The list of a viewer who joined at `start`.
    pub(super) fn playlist(
        &self,
        start: u64,
        blocking: bool,
        uri: impl FnMut(&mut String, u64),
    ) -> Option<Playlist> {
        let window = self.window.read().unwrap_or_else(PoisonError::into_inner);
        let window = window.as_ref()?;
        let target = window.target();
        Some(Playlist { text: playlist::write(target, blocking, window.list(start), uri), target })
    }

    /// A segment, as long as it is held.
    pub fn segment(&self, sequence: u64) -> Option<Media> {
        let window = self.window.read().unwrap_or_else(PoisonError::into_inner);
        window.as_ref()?.get(sequence).map(|segment| segment.payload.clone())
    }

    /// For how long a segment may be asked for after it was first listed, at least.
    #[must_use]
    pub const fn availability(&self) -> Duration {
        self.size.length
    }

    /// Waits until there is something to serve, or no hope of it.
    pub async fn ready(&self) -> Readiness {
        let mut readiness = self.readiness.subscribe();
        match readiness.wait_for(|readiness| *readiness != Readiness::Starting).await {
            Ok(readiness) => *readiness,
            Err(_) => Readiness::Retired,
        }
    }

    /// The number of its newest segment.
    #[must_use]
    pub fn newest(&self) -> u64 {
        *self.newest.borrow()
    }

    /// Waits until it has this segment, if that does not take longer than anybody may be held.
    pub async fn reaches(&self, sequence: u64) -> bool {
        let longest = self.target(Duration::ZERO) * HELD_TARGETS;
        let mut newest = self.newest.subscribe();
        tokio::select! {
            reached = timeout(longest, newest.wait_for(|newest| *newest >= sequence)) => matches!(reached, Ok(Ok(_))),
            () = self.retired() => false,
        }
    }

    /// Waits until everything it had opened is closed.
    pub async fn retired(&self) {
        let mut readiness = self.readiness.subscribe();
        let _ = readiness.wait_for(|readiness| *readiness == Readiness::Retired).await;
    }

    /// Appends a segment; returns the target duration and the bytes held.
    pub(super) fn append(
        &self,
        duration: Duration,
        anew: bool,
        media: Media,
        now: Timestamp,
    ) -> (Duration, u64) {
        let mut window = self.window.write().unwrap_or_else(PoisonError::into_inner);
        let window = window.get_or_insert_with(|| {
            let target = playlist::target_duration(duration, self.recipe.cut);
            Window::new(first_sequence(), target, self.size.length)
        });
        let size = media.body.len() as u64;
        window.push(duration, anew, media, size, now);
        let told = (window.target(), window.bytes());
        self.newest.send_replace(window.newest());
        self.readiness.send_replace(Readiness::Ready);
        self.begged.store(false, Ordering::Relaxed);
        told
    }

    /// Lets go of segments that no list names any more.
    pub(super) fn shed(&self) {
        let mut window = self.window.write().unwrap_or_else(PoisonError::into_inner);
        if let Some(window) = window.as_mut() {
            window.shed();
        }
    }

    /// What following it needs to know, given its first segment's duration.
    pub(super) fn target(&self, first: Duration) -> Duration {
        let window = self.window.read().unwrap_or_else(PoisonError::into_inner);
        window.as_ref().map_or_else(|| playlist::target_duration(first, self.recipe.cut), Window::target)
    }

    /// Bytes of the largest segment it takes.
    pub(super) fn largest_segment(&self) -> usize {
        usize::try_from(self.size.segment).unwrap_or(usize::MAX)
    }

    /// Waits until no generation is at work, and keeps others from it.
    pub(super) async fn work(&self) -> tokio::sync::MutexGuard<'_, ()> {
        self.work.lock().await
    }

    /// A generation has something to give back until it drops the token.
    pub(super) fn enter(&self) -> TaskTrackerToken {
        self.generations.token()
    }

    /// Waits until no generation has anything to give back.
    pub(super) async fn deserted(&self) {
        self.generations.close();
        self.generations.wait().await;
    }

    pub(super) fn is_exclusive(&self) -> bool {
        self.exclusive.load(Ordering::Relaxed)
    }

    pub(super) fn set_exclusive(&self) {
        self.exclusive.store(true, Ordering::Relaxed);
    }

    /// Whether it may ask for somebody's tuner: once, until it has shown that it makes something of it.
    pub(super) fn may_beg(&self) -> bool {
        !self.begged.swap(true, Ordering::Relaxed)
    }

    /// A generation begins: whoever comes may hope again.
    pub(super) fn starting(&self) {
        self.readiness.send_if_modified(|readiness| {
            let hopeless = *readiness == Readiness::Failed;
            if hopeless {
                *readiness = Readiness::Starting;
            }
            hopeless
        });
    }

    /// A generation failed: whoever waits for a first segment waits in vain.
    pub(super) fn failed(&self) {
        self.readiness.send_if_modified(|readiness| {
            let waits = *readiness == Readiness::Starting;
            if waits {
                *readiness = Readiness::Failed;
            }
            waits
        });
    }

    pub(super) fn set_retired(&self) {
        self.readiness.send_replace(Readiness::Retired);
    }

    /// Remembers with what it can be released, and to which user that belongs.
    pub(super) fn remember(&self, account: Account, login: Login, user: Option<String>) {
        let mut logins = self.logins.lock().unwrap_or_else(PoisonError::into_inner);
        logins.retain(|(known, ..)| *known != account);
        logins.push((account, login, user));
        let excess = logins.len().saturating_sub(LOGINS);
        logins.drain(..excess);
    }

    /// Forgets a login that is worth nothing any more.
    pub(super) fn forget(&self, account: Account) {
        self.logins.lock().unwrap_or_else(PoisonError::into_inner).retain(|(known, ..)| *known != account);
    }

    /// With what it can be started and released, the newest first, and to which users that belongs.
    pub(super) fn logins(&self) -> Vec<(Login, Option<String>)> {
        let logins = self.logins.lock().unwrap_or_else(PoisonError::into_inner);
        logins.iter().rev().map(|(_, login, user)| (login.clone(), user.clone())).collect()
    }
}

/// Where the numbers of a new stream begin: at the seconds since 2026. Segments last longer than a second on the whole, so
/// a stream that is started again, also by another life of the gateway, goes on beyond the numbers it has given out.
fn first_sequence() -> u64 {
    const YEAR_2026: u64 = 1_767_225_600;
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    now.as_secs().saturating_sub(YEAR_2026)
}
