//! The open live streams and their consumers (`MediaSourceManager.cs`): one entry per channel, whoever watches.
//!
//! It counts; which event gives a consumer back is decided in `reports` and `transcode`.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::time::{Instant, sleep, timeout};

use crate::demo::origin::answer::Refusal;
use crate::demo::origin::library::{Channel, new_guid};
use crate::demo::origin::lock;
use crate::demo::origin::state::State;
use crate::demo::origin::tuner::{Fault, Tuner};

/// A provider that sends nothing is given up after this.
const FIRST_BYTES: Duration = Duration::from_secs(10);

/// All live streams.
#[derive(Debug, Default)]
pub(super) struct LiveStreams {
    /// The one lock that opens and closes of all channels queue for.
    turn: tokio::sync::Mutex<()>,
    open: Mutex<BTreeMap<String, LiveStream>>,
    pub(super) opens: AtomicU64,
    pub(super) closes: AtomicU64,
    pub(super) tunes: AtomicU64,
}

/// One open channel.
#[derive(Debug)]
struct LiveStream {
    channel: Channel,
    unique_id: String,
    opened: Instant,
    consumers: usize,
    tuner: Tuner,
}

/// What is told of an open live stream.
#[derive(Clone, Debug)]
pub(super) struct Opened {
    pub(super) channel: Channel,
    /// Names the raw file; fresh with each real open.
    pub(super) unique_id: String,
}

/// The shared raw file of a live stream, for a reader who comes now.
#[derive(Debug)]
pub(super) struct Shared {
    pub(super) file: std::path::PathBuf,
    pub(super) written: tokio::sync::watch::Receiver<u64>,
    /// How long it has been open.
    pub(super) age: Duration,
}

impl LiveStreams {
    /// Those open, by id.
    pub(super) fn consumers(&self) -> BTreeMap<String, usize> {
        lock(&self.open).iter().map(|(id, stream)| (id.clone(), stream.consumers)).collect()
    }

    /// How many inputs are connected.
    pub(super) fn connections(&self) -> usize {
        lock(&self.open).values().filter(|stream| !stream.tuner.is_gone()).count()
    }

    /// The live stream with this id.
    pub(super) fn get(&self, id: &str) -> Option<Opened> {
        lock(&self.open).get(id).map(LiveStream::opened)
    }

    /// The raw file with this unique id.
    pub(super) fn shared(&self, unique_id: &str) -> Option<Shared> {
        let open = lock(&self.open);
        let stream = open.values().find(|stream| stream.unique_id.eq_ignore_ascii_case(unique_id))?;
        Some(Shared {
            file: stream.tuner.file.clone(),
            written: stream.tuner.written(),
            age: stream.opened.elapsed(),
        })
    }

    /// Ends the input of a channel, if it is open.
    pub(super) fn hang_up(&self, number: u32) {
        for stream in lock(&self.open).values().filter(|stream| stream.channel.number == number) {
            stream.tuner.hang_up();
        }
    }

    /// Closes everything at once, without counting.
    pub(super) fn clear(&self) {
        lock(&self.open).clear();
    }

    fn join(&self, id: &str) -> Option<Opened> {
        let mut open = lock(&self.open);
        let stream = open.get_mut(id).filter(|stream| !stream.tuner.ended())?;
        stream.consumers += 1;
        Some(stream.opened())
    }

    fn others(&self, id: &str) -> usize {
        lock(&self.open).keys().filter(|other| *other != id).count()
    }
}

impl LiveStream {
    fn opened(&self) -> Opened {
        Opened { channel: self.channel.clone(), unique_id: self.unique_id.clone() }
    }
}

/// Opens a channel for one more consumer: joins the live stream there is, or tunes; then probes, if nobody ever has.
///
/// # Errors
/// [`Refusal::Failed`] when all tuners are busy with other channels, or the provider does not deliver.
pub(super) async fn open(state: &State, channel: &Channel) -> Result<Opened, Refusal> {
    let live = &state.live;
    let opened = {
        let _turn = live.turn.lock().await;
        match live.join(&channel.live_stream_id) {
            Some(opened) => opened,
            None if live.others(&channel.live_stream_id) >= state.settings.tuners => {
                return Err(Refusal::Failed);
            }
            None => tune(state, channel).await?,
        }
    };
    live.opens.fetch_add(1, Ordering::Relaxed);
    probe(state, &opened).await;
    Ok(opened)
}

async fn tune(state: &State, channel: &Channel) -> Result<Opened, Refusal> {
    state.live.tunes.fetch_add(1, Ordering::Relaxed);
    if lock(&state.faults).get(&channel.number) == Some(&Fault::Fails) {
        sleep(state.settings.delays.open).await;
        return Err(Refusal::Failed);
    }
    let unique_id = new_guid();
    let tuner = Tuner::start(state, channel, &unique_id).await.map_err(|_| Refusal::Failed)?;
    let mut written = tuner.written();
    let first = timeout(FIRST_BYTES, written.wait_for(|bytes| *bytes > 0));
    let (first, ()) =
        tokio::join!(async { matches!(first.await, Ok(Ok(_))) }, sleep(state.settings.delays.open));
    if !first {
        return Err(Refusal::Failed);
    }
    let stream =
        LiveStream { channel: channel.clone(), unique_id, opened: Instant::now(), consumers: 1, tuner };
    let opened = stream.opened();
    // One that had ended under the same id is overwritten, and its consumers with it: so does the real server.
    lock(&state.live.open).insert(channel.live_stream_id.clone(), stream);
    Ok(opened)
}

async fn probe(state: &State, opened: &Opened) {
    let id = &opened.channel.media_source_id;
    if lock(&state.probed).contains(id) {
        return;
    }
    sleep(state.settings.delays.probe).await;
    state.wipe_once();
    let readable = state.live.shared(&opened.unique_id).is_some_and(|shared| shared.file.exists());
    if readable && state.settings.probes {
        lock(&state.probed).insert(id.clone());
    }
}

/// Gives one consumer back; with the last one the tuner is closed and its file deleted. Unknown ids are ignored.
pub(super) async fn close(state: &State, id: &str) {
    let _turn = state.live.turn.lock().await;
    let mut open = lock(&state.live.open);
    let Some(stream) = open.get_mut(id) else { return };
    state.live.closes.fetch_add(1, Ordering::Relaxed);
    stream.consumers = stream.consumers.saturating_sub(1);
    if stream.consumers == 0 {
        open.remove(id);
    }
}
