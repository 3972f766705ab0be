//! Holds a stream's window between the producer that fills it and the viewers that read it, and lets requests wait for it.
//!
//! It does not know how segments are made, nor whether the stream should run.

mod frozen;
pub(super) mod handed_over;
pub(super) mod numbers;
mod rewind;
mod stored;
mod waiting;

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};
use std::time::Duration;

use bytes::Bytes;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tokio_util::task::task_tracker::TaskTrackerToken;

use crate::spool::{Roll, Spool};
use crate::supervisor::held::access::Access;
use crate::supervisor::promises::{Fit, KnownLengths, Promises};
use crate::supervisor::stream::frozen::{Frozen, Waiting};
use crate::supervisor::stream::numbers::{even_time, unix_time};
use crate::supervisor::stream::stored::Stored;
use crate::upstream::jellyfin::{Media, Recipe};
use domain::cutter::Rule;
use domain::encoding::demand::Demand;
use domain::key::Channel;
use domain::produce::{Produce, ProductionMethod};
use domain::producer::State;
use domain::starts::Starts;
use domain::time::Timestamp;
use domain::window::{self, Arrival, JoinPoint, ListText, Listing, Window};

/// The outcome of waiting for a stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Readiness {
    /// The stream has segments.
    Ready,
    /// The stream could not be started.
    Failed,
    /// The stream is retiring, or gone.
    Retired,
}

/// The sizes of windows and segments.
#[derive(Clone, Copy, Debug)]
pub struct WindowSize {
    /// How much a new viewer's playlist lists at least, if the window holds as much.
    pub join: Duration,
    /// How much a playlist lists that slides; three target durations if that is more.
    pub length: Duration,
    /// How far back a viewer's playlist reaches at most; no farther than `length` without a spool.
    pub rewind: Duration,
    /// The largest size of a segment, in bytes.
    pub segment: u64,
}

/// The parameters of a new stream.
#[derive(Debug)]
pub(super) struct StreamSpec {
    /// The request that starts the stream at the server.
    pub(super) recipe: Recipe,
    /// The encoding that the request demands; `None` if the request cannot be understood.
    pub(super) demand: Option<Demand>,
    /// The preference for how the stream is produced.
    pub(super) produce: Produce,
    /// Whether the viewer who asks for it is known to have the live stream open.
    pub(super) has_opening: bool,
}

/// A stream that runs, or is about to.
#[derive(Debug)]
pub struct Stream {
    /// The request that starts the stream at the server.
    pub recipe: Recipe,
    /// The encoding that the request demands; `None` if the request cannot be understood.
    pub(super) demand: Option<Demand>,
    /// The preference for how the stream is produced.
    pub(super) produce: Produce,
    /// The channel that it carries.
    pub(super) channel: Channel,
    /// The credentials for calls to the server about the channel.
    pub(super) access: Arc<Access>,
    /// Ends the stream.
    pub(super) stop: CancellationToken,
    size: WindowSize,
    promises: Promises,
    window: RwLock<Option<Window<Stored>>>,
    /// Whether pieces wait, or are dropped, because another process goes on with the stream.
    frozen: Frozen,
    /// Where pieces are kept that are too old for memory.
    roll: Option<Roll>,
    /// The state of its producer after the driver's last turn; `None` once the stream is gone.
    state: watch::Sender<Option<State>>,
    /// Changes with each piece.
    grown: watch::Sender<()>,
    /// Held by the generation that runs.
    work: tokio::sync::Mutex<()>,
    /// Ends the current generation, but not the stream.
    pause: Mutex<CancellationToken>,
    /// The generations that have not closed everything they opened.
    generations: TaskTracker,
    /// How long its starts at the server took.
    starts: Mutex<Starts>,
    /// Whether the stream has requested a tuner since its last segment.
    tuner_requested: AtomicBool,
    /// Whether the first viewer was known to have the live stream open.
    has_opening: bool,
    /// Whether no generation has used that.
    opened_by_client: AtomicBool,
}

/// A playlist for one viewer.
#[derive(Debug)]
pub struct Playlist {
    /// The text of the playlist.
    pub text: ListText,
    /// The stream's target duration.
    pub target: Duration,
}

impl Stream {
    pub(super) fn new(
        spec: StreamSpec,
        size: WindowSize,
        lengths: KnownLengths,
        spool: Option<&Spool>,
    ) -> Self {
        let StreamSpec { recipe, demand, produce, has_opening } = spec;
        let Recipe { place, source, live_stream, .. } = &recipe;
        let channel = Channel { item: place.item.clone(), source: source.clone() };
        let access = Access::new(place.clone(), source.clone(), live_stream.clone());
        let stop = CancellationToken::new();
        Self {
            pause: Mutex::new(stop.child_token()),
            promises: Promises::new(lengths, channel.clone(), recipe.cut),
            channel,
            access: Arc::new(access),
            recipe,
            demand,
            produce,
            stop,
            size,
            window: RwLock::new(None),
            frozen: Frozen::default(),
            roll: spool.map(Spool::roll),
            state: watch::Sender::new(Some(State::Starting)),
            grown: watch::Sender::new(()),
            work: tokio::sync::Mutex::new(()),
            generations: TaskTracker::new(),
            starts: Mutex::default(),
            tuner_requested: AtomicBool::new(false),
            has_opening,
            opened_by_client: AtomicBool::new(has_opening),
        }
    }

    /// Where the playlist of a viewer begins who joins now, and wants to see what began at `since`; `None` while there is too little to
    /// play on.
    pub(super) fn join_point(&self, listing: Listing, since: Option<Duration>) -> Option<JoinPoint> {
        self.read().as_ref()?.join(listing, self.size.join, since)
    }

    /// How long the first list of a new viewer waits for one segment more ([`Window::hold`]).
    fn hold(&self, listing: Listing) -> Option<Duration> {
        let window = self.read();
        let window = window.as_ref()?;
        window.hold(window.join(listing, self.size.join, None)?)
    }

    /// The playlist of a viewer who joined at `start`; `None` before the first segment.
    pub(super) fn playlist(&self, start: JoinPoint, blocking: bool) -> Option<Playlist> {
        let text = self.read().as_ref()?.text(start, blocking);
        Some(Playlist { text, target: start.target })
    }

    /// How long a segment can be fetched, at least, after it was first listed.
    #[must_use]
    pub const fn availability(&self) -> Duration {
        self.size.length
    }

    /// Whether new viewers begin with segments still to come.
    pub(super) fn is_interrupted(&self) -> bool {
        let window = self.read();
        window.as_ref().is_none_or(Window::is_interrupted)
    }

    /// Whether the stream has never had a segment.
    fn is_unborn(&self) -> bool {
        self.read().is_none()
    }

    /// The media sequence number of the newest segment in lists of this kind.
    #[must_use]
    pub fn newest(&self, listing: Listing) -> u64 {
        let window = self.read();
        window.as_ref().map_or(0, |window| window.newest(listing))
    }

    /// The pieces of the newest segment that begins with a random access point, while they are in memory.
    pub(super) fn newest_group(&self) -> Option<Vec<Bytes>> {
        let window = self.read();
        let window = window.as_ref()?;
        let mut pieces = window.get(Listing::Keyed, window.newest(Listing::Keyed))?;
        pieces.try_fold(Vec::new(), |mut bodies, piece| {
            bodies.push(piece.in_memory()?.body.clone());
            Some(bodies)
        })
    }

    /// Appends a piece of the current generation, which `method` made. The lists of viewers reach back to the segments `reached`,
    /// fine and keyed ones. Returns the longest target duration and the bytes that the window holds; `None` if the generation was
    /// ended.
    pub(super) fn append(
        self: &Arc<Self>,
        arrival: Arrival,
        media: Media,
        method: ProductionMethod,
        reached: [Option<u64>; 2],
        now: Timestamp,
    ) -> Option<(Duration, u64)> {
        let mut guard = self.write();
        // `rest` cancels before it takes the window's lock, so no segment is appended after its interruption.
        if self.pause.lock().unwrap_or_else(PoisonError::into_inner).is_cancelled() {
            return None;
        }
        let Some((arrival, media)) = self.frozen.pass(arrival, media, method) else {
            return Some(guard.as_ref().map(sizes).unwrap_or_default());
        };
        let (sizes, old) = self.push(&mut guard, (arrival, media, method), reached, now);
        drop(guard);
        self.grown.send_replace(());
        self.store(old);
        self.tuner_requested.store(false, Ordering::Relaxed);
        Some(sizes)
    }

    /// Appends a piece to the window, whose lock is held. Returns its sizes, and the pieces that have become too old for memory.
    fn push(
        self: &Arc<Self>,
        window: &mut Option<Window<Stored>>,
        (arrival, media, method): Waiting,
        reached: [Option<u64>; 2],
        now: Timestamp,
    ) -> ((Duration, u64), Vec<(u64, Stored)>) {
        let window = window.get_or_insert_with(|| {
            let promise = self.promises.of(method, arrival.duration);
            Window::new(window::first_sequence(even_time()), promise, self.lengths())
        });
        let size = media.body.len() as u64;
        let date = unix_time().saturating_sub(arrival.duration);
        window.reached(reached);
        window.push(arrival, Stored::Memory(media), size, (now, date));
        if arrival.ends_group {
            self.promises.remember_distance(window.longest_distance());
        }
        (sizes(window), window.take_old())
    }

    /// Drops the segments that no playlist lists any more.
    pub(super) fn trim(&self) {
        let mut window = self.write();
        if let Some(window) = window.as_mut() {
            window.shed();
        }
    }

    /// The target duration of lists of this kind, as far as it is known.
    fn target(&self, listing: Listing) -> Duration {
        let window = self.read();
        window.as_ref().and_then(|window| window.target(listing)).unwrap_or_default()
    }

    /// What its lists promise, if it has none yet.
    pub(super) const fn promises(&self) -> &Promises {
        &self.promises
    }

    /// How a piece can be listed, or a segment of the server's. If it cannot, the channel's next stream promises less.
    pub(super) fn fit(&self, method: ProductionMethod, duration: Duration) -> Fit {
        let window = self.read();
        window.as_ref().map_or(Fit::AsItIs, |window| self.promises.fit(window, method, duration))
    }

    /// How much a new viewer's playlist lists at least.
    pub(super) const fn join_span(&self) -> Duration {
        self.size.join
    }

    /// The rule by which the gateway cuts the stream.
    pub(super) fn rule(&self) -> Rule {
        let window = self.read();
        self.promises.rule(window.as_ref(), self.largest_segment())
    }

    /// The largest size of a segment, in bytes.
    pub(super) fn largest_segment(&self) -> usize {
        usize::try_from(self.size.segment).unwrap_or(usize::MAX)
    }

    /// Waits until no other generation runs, and keeps others from running while the guard lives.
    pub(super) async fn lock_generation(&self) -> tokio::sync::MutexGuard<'_, ()> {
        self.work.lock().await
    }

    /// Registers a generation, which drops the token once it has closed everything.
    pub(super) fn register_generation(&self) -> TaskTrackerToken {
        self.generations.token()
    }

    /// Waits until all generations have closed everything.
    pub(super) async fn all_closed(&self) {
        self.generations.close();
        self.generations.wait().await;
    }

    /// How long its starts at the server took, and so how long the next one may take.
    pub(super) fn starts(&self) -> MutexGuard<'_, Starts> {
        self.starts.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether a generation may request a tuner: once between two segments, and the first one only if the viewer's opening has not
    /// done so already.
    pub(super) fn may_request_tuner(&self, is_first: bool) -> bool {
        let has_been_asked_for = is_first && self.has_opening;
        !has_been_asked_for && !self.tuner_requested.swap(true, Ordering::Relaxed)
    }

    /// Whether this generation may use the live stream that the first viewer opened. True at most once, and only before the first
    /// segment.
    pub(super) fn take_opening(&self) -> bool {
        self.opened_by_client.swap(false, Ordering::Relaxed) && self.is_unborn()
    }

    /// Creates the token that ends the new generation.
    pub(super) fn new_pause_token(&self) -> CancellationToken {
        let pause = self.stop.child_token();
        self.pause.lock().unwrap_or_else(PoisonError::into_inner).clone_from(&pause);
        pause
    }

    /// Ends the current generation. New viewers wait for the next one.
    pub(super) fn rest(&self) {
        self.pause.lock().unwrap_or_else(PoisonError::into_inner).cancel();
        self.interrupt();
    }

    /// New viewers begin with the segments of the next generation: those of the current one may be old by then.
    pub(super) fn interrupt(&self) {
        if let Some(window) = self.write().as_mut() {
            window.interrupt();
        }
        self.grown.send_replace(());
    }

    fn read(&self) -> RwLockReadGuard<'_, Option<Window<Stored>>> {
        self.window.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, Option<Window<Stored>>> {
        self.window.write().unwrap_or_else(PoisonError::into_inner)
    }

    /// Publishes the producer's state to the requests that wait; `None` once the stream is gone.
    pub(super) fn publish(&self, state: Option<State>) {
        self.state.send_if_modified(|published| std::mem::replace(published, state) != state);
    }
}

/// The longest target duration of a window's lists, and the bytes that it holds.
fn sizes(window: &Window<Stored>) -> (Duration, u64) {
    let targets = Listing::ALL.into_iter().filter_map(|listing| window.target(listing));
    (targets.max().unwrap_or_default(), window.bytes())
}
