//! Server-sent events: the state whenever it changes, and each zap when it is over, for as long as somebody listens.
//!
//! A listener that was away continues after the zap that it saw last (`Last-Event-ID`).

use std::collections::VecDeque;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_util::stream;
use http_body::Frame;
use http_body_util::StreamBody;
use serde::Serialize;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio::time::{Instant, sleep_until};

use crate::admin::published::{Moment, Published};
use crate::body::{self, Body};

/// How often it is looked whether the state has changed.
const LOOK: Duration = Duration::from_secs(1);
/// After how long a silence a comment shows that the connection is alive.
const ALIVE: Duration = Duration::from_secs(2);
/// How often the state is told though it has not changed.
const AT_LEAST: Duration = Duration::from_secs(10);
/// The most listeners.
const LISTENERS: usize = 32;

/// Tells listeners.
#[derive(Debug)]
pub(super) struct Events {
    published: Arc<Published>,
    over: watch::Receiver<u64>,
    places: Arc<Semaphore>,
}

struct Listener {
    published: Arc<Published>,
    over: watch::Receiver<u64>,
    /// The number of the next zap to tell.
    next_zap: u64,
    /// The fingerprint of the state that was told last, and when.
    told: Option<(u64, Instant)>,
    look_at: Instant,
    spoke_at: Instant,
    waiting: VecDeque<Bytes>,
    _place: OwnedSemaphorePermit,
}

impl Events {
    pub(super) fn new(published: Arc<Published>, over: watch::Receiver<u64>) -> Self {
        Self { published, over, places: Arc::new(Semaphore::new(LISTENERS)) }
    }

    /// The events from now on, and the zaps after the one numbered `last`; `None` if there are too many listeners.
    pub(super) fn listen(&self, last: Option<u64>) -> Option<Body> {
        let place = Arc::clone(&self.places).try_acquire_owned().ok()?;
        let over = self.over.clone();
        let told = *over.borrow();
        // After a restart numbers begin anew: whoever has seen higher ones has seen none of these.
        let next_zap = last.map_or(told, |last| if last < told { last + 1 } else { 0 });
        let listener = Listener {
            published: Arc::clone(&self.published),
            over,
            next_zap,
            told: None,
            look_at: Instant::now(),
            spoke_at: Instant::now(),
            waiting: VecDeque::new(),
            _place: place,
        };
        let events = stream::unfold(listener, |mut listener| async move {
            let event = listener.next().await;
            Some((Ok::<_, std::convert::Infallible>(Frame::data(event)), listener))
        });
        Some(body::boxed(StreamBody::new(events)))
    }
}

impl Listener {
    async fn next(&mut self) -> Bytes {
        loop {
            if let Some(event) = self.waiting.pop_front() {
                self.spoke_at = Instant::now();
                return event;
            }
            let look = sleep_until(self.look_at);
            tokio::select! {
                biased;
                changed = self.over.changed() => if changed.is_err() { std::future::pending::<()>().await },
                () = look => self.look().await,
            }
            let zaps = self.published.zaps_from(self.next_zap);
            for zap in &zaps {
                self.next_zap = zap.id + 1;
                self.waiting.extend(event("zap", Some(zap.id), zap));
            }
        }
    }

    async fn look(&mut self) {
        self.look_at = Instant::now() + LOOK;
        let Ok(moment) = self.published.moment().await else { return };
        let print = fingerprint(&moment);
        if self.told.is_none_or(|(told, at)| told != print || at.elapsed() >= AT_LEAST) {
            self.told = Some((print, Instant::now()));
            self.waiting.extend(event("state", None, &moment.state));
        } else if self.spoke_at.elapsed() >= ALIVE {
            self.waiting.push_back(Bytes::from_static(b":\n\n"));
        }
    }
}

/// An event; `None` if it cannot be written, which no state is.
fn event(name: &str, id: Option<u64>, data: &impl Serialize) -> Option<Bytes> {
    let data = serde_json::to_string(data).ok()?;
    let id = id.map_or_else(String::new, |id| format!("id: {id}\n"));
    Some(Bytes::from(format!("event: {name}\n{id}data: {data}\n\n")))
}

/// What changes only when something happens, and not with time alone.
fn fingerprint(moment: &Moment) -> u64 {
    let mut hash = DefaultHasher::new();
    for stream in &moment.state.streams {
        (stream.id, stream.state, stream.generation, stream.encodes, &stream.channel.name).hash(&mut hash);
        (stream.idle.is_some(), stream.pinned).hash(&mut hash);
        for viewer in &stream.viewers {
            (&viewer.id, viewer.presence).hash(&mut hash);
        }
    }
    for warmed in &moment.state.warmed_up {
        (&warmed.channel.item, &warmed.channel.name, warmed.ready).hash(&mut hash);
    }
    format!("{:?}{:?}", moment.snapshot.tuners, moment.snapshot.tally).hash(&mut hash);
    hash.finish()
}
