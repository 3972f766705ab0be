//! A stream as its producer fills it and its viewers read it: the window, and who waits for it.
//!
//! It does not know how it is filled, nor whether it should be.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::{Duration, SystemTime};

use tokio::sync::watch;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tokio_util::task::task_tracker::TaskTrackerToken;

use crate::supervisor::held::access::Access;
use crate::upstream::jellyfin::{Media, Recipe};
use domain::cutter::Rule;
use domain::encoding::demand::Demand;
use domain::key::Channel;
use domain::playlist;
use domain::produce::Produce;
use domain::producer::State;
use domain::reload::HELD_TARGETS;
use domain::time::Timestamp;
use domain::window::{Arrival, Window};

/// What somebody who waits for a stream can be told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Readiness {
    /// It has segments.
    Ready,
    /// It could not be started.
    Failed,
    /// It is being given back, or gone.
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

/// What a stream is to be.
#[derive(Debug)]
pub(super) struct Brief {
    /// How the server is asked for it.
    pub(super) recipe: Recipe,
    /// What it asks of the encoding, as far as that can be read.
    pub(super) demand: Option<Demand>,
    /// How it may come about.
    pub(super) produce: Produce,
}

/// See the module.
#[derive(Debug)]
pub struct Stream {
    /// How to start it again.
    pub recipe: Recipe,
    /// What it asks of the encoding, as far as that can be read.
    pub(super) demand: Option<Demand>,
    /// How it may come about.
    pub(super) produce: Produce,
    /// Whose pictures it carries.
    pub(super) channel: Channel,
    /// How the server may be called about it.
    pub(super) access: Arc<Access>,
    pub(super) stop: CancellationToken,
    size: WindowSize,
    window: RwLock<Option<Window<Media>>>,
    /// Where its producer stood after the last turn of the driver; `None` when the stream is gone.
    state: watch::Sender<Option<State>>,
    /// The newest segment's number.
    newest: watch::Sender<u64>,
    work: tokio::sync::Mutex<()>,
    /// Ends the generation that runs, and not the stream.
    pause: Mutex<CancellationToken>,
    /// The generations that have yet to give back what they opened.
    generations: TaskTracker,
    /// Whether a tuner was asked for since the last segment.
    tuner_requested: AtomicBool,
    /// Whether the live stream is still the one that its first viewer opened, as far as is known.
    opened_by_client: AtomicBool,
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
    pub(super) fn new(brief: Brief, size: WindowSize) -> Self {
        let Brief { recipe, demand, produce } = brief;
        let Recipe { place, source, live_stream, .. } = &recipe;
        let access = Access::new(place.clone(), source.clone(), live_stream.clone());
        let stop = CancellationToken::new();
        Self {
            pause: Mutex::new(stop.child_token()),
            channel: Channel { item: place.item.clone(), source: source.clone() },
            access: Arc::new(access),
            recipe,
            demand,
            produce,
            stop,
            size,
            window: RwLock::new(None),
            state: watch::Sender::new(Some(State::Starting)),
            newest: watch::Sender::new(0),
            work: tokio::sync::Mutex::new(()),
            generations: TaskTracker::new(),
            tuner_requested: AtomicBool::new(false),
            opened_by_client: AtomicBool::new(true),
        }
    }

    /// Where the list of a viewer begins who joins at this moment; `None` before the first segment.
    pub(super) fn join_point(&self) -> Option<u64> {
        let window = self.window.read().unwrap_or_else(PoisonError::into_inner);
        window.as_ref()?.join(self.size.join)
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
        let mut state = self.state.subscribe();
        loop {
            let stands = *state.borrow_and_update();
            if let Some(readiness) = self.readiness(stands) {
                return readiness;
            }
            if state.changed().await.is_err() {
                return Readiness::Retired;
            }
        }
    }

    /// What its producer's state means to somebody who waits; `None` if that is to wait longer.
    fn readiness(&self, state: Option<State>) -> Option<Readiness> {
        let is_listed = || self.join_point().is_some();
        match state {
            Some(State::Live) => Some(Readiness::Ready),
            // Its viewers keep the list they have.
            Some(State::Starting | State::BackingOff { .. }) if is_listed() => Some(Readiness::Ready),
            Some(State::BackingOff { .. }) => Some(Readiness::Failed),
            Some(State::Starting | State::Resting) => None,
            Some(State::Retiring(_)) | None => Some(Readiness::Retired),
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
            () = self.gone() => false,
        }
    }

    /// Waits until it is gone, with everything that it had opened.
    async fn gone(&self) {
        let mut state = self.state.subscribe();
        let _ = state.wait_for(Option::is_none).await;
    }

    /// Appends a segment of the generation that runs; returns the target duration and the bytes held.
    pub(super) fn append(&self, arrival: Arrival, media: Media, now: Timestamp) -> Option<(Duration, u64)> {
        let mut window = self.window.write().unwrap_or_else(PoisonError::into_inner);
        // Under the window's lock, as `rest` has it: what comes after it belongs to nobody.
        if self.pause.lock().unwrap_or_else(PoisonError::into_inner).is_cancelled() {
            return None;
        }
        let window = window.get_or_insert_with(|| {
            let target = playlist::target_duration(arrival.duration, self.recipe.cut);
            Window::new(first_sequence(), target, self.size.length)
        });
        let size = media.body.len() as u64;
        window.push(arrival, media, size, now);
        let told = (window.target(), window.bytes());
        self.newest.send_replace(window.newest());
        self.tuner_requested.store(false, Ordering::Relaxed);
        Some(told)
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

    /// What a new viewer is handed at least.
    pub(super) const fn join_span(&self) -> Duration {
        self.size.join
    }

    /// How it is cut where that is up to us, if a first segment is to last `first`.
    pub(super) fn rule(&self, first: Duration) -> Rule {
        Rule { first, usual: self.recipe.cut, target: self.target(first), largest: self.largest_segment() }
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

    /// Whether it may ask for somebody's tuner: once, until it has shown that it makes something of it.
    pub(super) fn may_request_tuner(&self) -> bool {
        !self.tuner_requested.swap(true, Ordering::Relaxed)
    }

    /// Whether the live stream can be used as its first viewer has opened it: by one generation, as long as none has made
    /// anything of it.
    pub(super) fn take_opening(&self) -> bool {
        let unused = self.window.read().unwrap_or_else(PoisonError::into_inner).is_none();
        self.opened_by_client.swap(false, Ordering::Relaxed) && unused
    }

    /// Until when the generation that begins may work.
    pub(super) fn until_paused(&self) -> CancellationToken {
        let pause = self.stop.child_token();
        self.pause.lock().unwrap_or_else(PoisonError::into_inner).clone_from(&pause);
        pause
    }

    /// Ends the generation that runs: who comes now has to wait for the next one.
    pub(super) fn rest(&self) {
        self.pause.lock().unwrap_or_else(PoisonError::into_inner).cancel();
        let mut window = self.window.write().unwrap_or_else(PoisonError::into_inner);
        if let Some(window) = window.as_mut() {
            window.interrupt();
        }
    }

    /// Tells whoever waits where its producer stands; `None` when the stream is gone.
    pub(super) fn publish(&self, state: Option<State>) {
        self.state.send_if_modified(|told| std::mem::replace(told, state) != state);
    }
}

/// Where the numbers of a new stream begin: at the seconds since 2026. Segments last longer than a second on the whole, so
/// a stream that is started again, also by another life of the gateway, goes on beyond the numbers it has given out.
fn first_sequence() -> u64 {
    const YEAR_2026: u64 = 1_767_225_600;
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    now.as_secs().saturating_sub(YEAR_2026)
}
