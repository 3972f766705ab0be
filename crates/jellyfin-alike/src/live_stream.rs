//! The open live streams (`MediaSourceManager.cs`): one per channel, with a tuner and a count of consumers.
//!
//! Which events give a consumer back is decided in `sessions` and `job`.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::time::{Instant, sleep, timeout};

use crate::channel::Channel;
use crate::consumer::{self, Consumer};
use crate::guid;
use crate::lock::lock;
use crate::response::Refusal;
use crate::server::Server;
use crate::settings::Version;
use crate::tuner::{Fault, Faults, Tuner};

/// All live streams.
#[derive(Debug)]
pub(crate) struct LiveStreams {
    server: Arc<Server>,
    pub(crate) faults: Faults,
    /// Openings and closings of all channels run one at a time, as under the real server's one semaphore.
    turn: tokio::sync::Mutex<()>,
    open: Mutex<BTreeMap<String, LiveStream>>,
    pub(crate) opens: AtomicU64,
    pub(crate) closes: AtomicU64,
    pub(crate) tunes: AtomicU64,
}

/// An open live stream, kept under the channel's `live_stream_id`.
#[derive(Debug)]
struct LiveStream {
    channel: Channel,
    unique_id: String,
    opened_at: Instant,
    consumers: Vec<Consumer>,
    tuner: Tuner,
}

/// A live stream as an opening finds it.
#[derive(Clone, Debug)]
pub(crate) struct OpenStream {
    pub(crate) channel: Channel,
    /// Names the raw file. Each tuning of the channel makes a new one.
    pub(crate) unique_id: String,
}

/// The raw file of an open live stream, for a new reader.
#[derive(Debug)]
pub(crate) struct RawFile {
    pub(crate) path: std::path::PathBuf,
    /// Bytes written so far.
    pub(crate) written: tokio::sync::watch::Receiver<u64>,
    /// Time since the live stream was opened.
    pub(crate) age: Duration,
}

impl LiveStreams {
    pub(crate) fn new(server: Arc<Server>) -> Self {
        Self {
            server,
            faults: Faults::default(),
            turn: tokio::sync::Mutex::default(),
            open: Mutex::default(),
            opens: AtomicU64::new(0),
            closes: AtomicU64::new(0),
            tunes: AtomicU64::new(0),
        }
    }

    /// Opens a channel for one more consumer: joins its live stream or tunes, then probes the channel unless a probe is
    /// cached.
    ///
    /// # Errors
    /// [`Refusal::Failed`] if all tuners have other channels, and if the provider sends nothing.
    pub(crate) async fn open(&self, channel: &Channel, consumer: &Consumer) -> Result<OpenStream, Refusal> {
        let opened = {
            let _turn = self.turn.lock().await;
            match self.join(&channel.live_stream_id, consumer) {
                Some(opened) => opened,
                None if self.others(channel) >= self.server.tuners_for(channel) => {
                    return Err(self.no_tuner().await);
                }
                None => self.tune(channel, consumer).await?,
            }
        };
        self.opens.fetch_add(1, Ordering::Relaxed);
        self.probe(&opened).await;
        Ok(opened)
    }

    /// Gives one consumer back, whoever asks. The last one closes the tuner and deletes its file; an unknown id is ignored.
    pub(crate) async fn close(&self, id: &str, by: &Consumer) {
        let _turn = self.turn.lock().await;
        let mut open = lock(&self.open);
        let Some(stream) = open.get_mut(id) else { return };
        self.closes.fetch_add(1, Ordering::Relaxed);
        consumer::remove(&mut stream.consumers, by);
        if stream.consumers.is_empty() {
            open.remove(id);
        }
    }

    /// The consumers of each open live stream, by its id.
    pub(crate) fn consumers(&self) -> BTreeMap<String, Vec<Consumer>> {
        lock(&self.open).iter().map(|(id, stream)| (id.clone(), stream.consumers.clone())).collect()
    }

    /// The number of connected inputs.
    pub(crate) fn connections(&self) -> usize {
        lock(&self.open).values().filter(|stream| stream.tuner.is_connected()).count()
    }

    /// The open live stream with this id.
    ///
    /// # Errors
    /// [`Refusal::Missing`] or, on 10.11, [`Refusal::Failed`] for one that is not open.
    pub(crate) fn get(&self, id: &str) -> Result<OpenStream, Refusal> {
        lock(&self.open).get(id).map(LiveStream::as_open).ok_or(match self.server.settings.version {
            Version::V12 => Refusal::Missing,
            Version::V10_11 => Refusal::Failed,
        })
    }

    /// Whether the live stream with this unique id is open and still receives its channel.
    pub(crate) fn is_alive(&self, unique_id: &str) -> bool {
        let open = lock(&self.open);
        open.values().any(|stream| stream.unique_id == unique_id && !stream.tuner.has_ended())
    }

    /// The raw file of the live stream with this unique id.
    pub(crate) fn raw_file(&self, unique_id: &str) -> Option<RawFile> {
        let open = lock(&self.open);
        let stream = open.values().find(|stream| stream.unique_id.eq_ignore_ascii_case(unique_id))?;
        Some(RawFile {
            path: stream.tuner.path.clone(),
            written: stream.tuner.written(),
            age: stream.opened_at.elapsed(),
        })
    }

    /// Disconnects the input of a channel, if it is open.
    pub(crate) fn disconnect(&self, number: u32) {
        for stream in lock(&self.open).values().filter(|stream| stream.channel.number == number) {
            stream.tuner.disconnect();
        }
    }

    /// Closes all live streams without counting it.
    pub(crate) fn clear(&self) {
        lock(&self.open).clear();
    }

    /// Refuses: at once where the server knows its limit, else after having asked the provider.
    async fn no_tuner(&self) -> Refusal {
        if !self.server.settings.tells_tuners {
            sleep(self.server.settings.delays.open).await;
        }
        Refusal::Failed
    }

    /// Ends the oldest connections where the provider does not allow another one.
    fn make_way_at_the_provider(&self) {
        let Some(allowed) = self.server.settings.provider_connections else { return };
        let open = lock(&self.open);
        let mut connected: Vec<_> = open.values().filter(|stream| stream.tuner.is_connected()).collect();
        connected.sort_by_key(|stream| stream.opened_at);
        let surplus = (connected.len() + 1).saturating_sub(allowed);
        connected.iter().take(surplus).for_each(|stream| stream.tuner.disconnect());
    }

    async fn tune(&self, channel: &Channel, consumer: &Consumer) -> Result<OpenStream, Refusal> {
        let nth = self.tunes.fetch_add(1, Ordering::Relaxed) + 1;
        if lock(&self.faults).get(&channel.number) == Some(&Fault::Fails) {
            sleep(self.server.settings.delays.open).await;
            return Err(Refusal::Failed);
        }
        self.make_way_at_the_provider();
        let unique_id = guid::random();
        let connected = async {
            let tuner = Tuner::start(&self.server, &self.faults, channel, &unique_id, nth).await.ok()?;
            let mut written = tuner.written();
            written.wait_for(|bytes| *bytes > 0).await.ok()?;
            Some(tuner)
        };
        let delays = &self.server.settings.delays;
        let (connected, ()) = tokio::join!(timeout(delays.first_bytes, connected), sleep(delays.open));
        let tuner = connected.ok().flatten().ok_or(Refusal::Failed)?;
        let stream = LiveStream {
            channel: channel.clone(),
            unique_id,
            opened_at: Instant::now(),
            consumers: vec![consumer.clone()],
            tuner,
        };
        let opened = stream.as_open();
        // This replaces a live stream that has ended, and loses its consumers: so does the real server.
        lock(&self.open).insert(channel.live_stream_id.clone(), stream);
        Ok(opened)
    }

    async fn probe(&self, opened: &OpenStream) {
        let id = &opened.channel.media_source_id;
        if lock(&self.server.probed).contains(id) {
            return;
        }
        sleep(self.server.settings.delays.probe).await;
        self.server.wipe_once();
        let readable = self.raw_file(&opened.unique_id).is_some_and(|raw| raw.path.exists());
        if readable && self.server.settings.probes {
            lock(&self.server.probed).insert(id.clone());
        }
    }

    /// Adds a consumer to an open live stream, unless its input has ended: such a one is opened anew.
    fn join(&self, id: &str, consumer: &Consumer) -> Option<OpenStream> {
        let mut open = lock(&self.open);
        let stream = open.get_mut(id).filter(|stream| !stream.tuner.has_ended())?;
        stream.consumers.push(consumer.clone());
        Some(stream.as_open())
    }

    /// The open live streams of other channels on the same tuner host.
    fn others(&self, channel: &Channel) -> usize {
        let open = lock(&self.open);
        let others = open.values().map(|stream| &stream.channel);
        others.filter(|other| other.number != channel.number && other.playlist == channel.playlist).count()
    }
}

impl LiveStream {
    fn as_open(&self) -> OpenStream {
        OpenStream { channel: self.channel.clone(), unique_id: self.unique_id.clone() }
    }
}
