//! A small Jellyfin-alike with synthetic channels: what `warmgate demo` shows and what the tests stand before.
//!
//! It behaves as the real server does in all that a gateway can see (`jellyfin-observed.md`, and the sources it
//! names); its video is real, made by FFmpeg. It knows nothing of the gateway.
//!
//! Left out: compression, fMP4 segments, subtitles, guide, images, legacy `PlayingItems`.

mod answer;
mod auth;
mod fields;
mod files;
mod hls;
mod input;
mod library;
mod live;
mod plan;
mod playback;
mod process;
mod raw;
mod reports;
mod route;
mod seen;
mod settings;
mod socket;
mod source;
mod state;
mod system;
mod transcode;
mod tuner;

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use http::HeaderMap;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto::Builder;
use tokio::net::{TcpListener, TcpStream};
use url::Url;

use crate::body;
pub use crate::demo::origin::library::{Channel, Reception};
pub use crate::demo::origin::seen::Seen;
pub use crate::demo::origin::settings::{Delays, Policy, Settings, Token, User, Version};
use crate::demo::origin::state::State;
use crate::demo::origin::tuner::Fault;

/// The longest playlist it reads.
const LONGEST_PLAYLIST: usize = 1 << 20;

/// Why a server does not start, or does not do as it is told.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The address is not to be had.
    #[error("cannot listen on {0}")]
    Listen(SocketAddr, #[source] std::io::Error),
    /// There are no channels at the address of the playlist.
    #[error("no channels to tune to by this playlist: {0}")]
    Playlist(String),
    /// No folder for the raw files, playlists and segments.
    #[error("cannot make a transcode folder")]
    Folder(#[source] std::io::Error),
}

/// A running server. Dropping it ends it, its FFmpegs and its files.
#[derive(Debug)]
pub struct Origin {
    state: Arc<State>,
}

/// What a server holds at a moment, and what it has done so far.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Open channels: what the tuner limit counts.
    pub tuners_open: usize,
    /// Consumers by live stream id; a closed stream is not listed.
    pub consumers: BTreeMap<String, usize>,
    /// HLS FFmpegs running.
    pub jobs: usize,
    /// HLS FFmpegs ever started.
    pub jobs_started: u64,
    /// Consumers ever taken.
    pub opens: u64,
    /// Consumers ever given back.
    pub closes: u64,
    /// Times a tuner really was tuned.
    pub tunes: u64,
    /// Inputs connected.
    pub tuner_connections: usize,
    /// WebSockets open.
    pub websockets: usize,
    /// Size of the transcode folder in bytes.
    pub bytes_on_disk: u64,
}

impl Origin {
    /// Starts a server; it runs until it is killed or dropped.
    ///
    /// # Errors
    /// [`Error`], if its address or its folder cannot be had.
    pub async fn start(settings: Settings) -> Result<Self, Error> {
        let wanted = settings.listen;
        let listener = TcpListener::bind(wanted).await.map_err(|error| Error::Listen(wanted, error))?;
        let address = listener.local_addr().map_err(|error| Error::Listen(wanted, error))?;
        let name = format!("warmgate-origin-{}-{}", std::process::id(), library::new_guid());
        let folder = std::env::temp_dir().join(name);
        std::fs::create_dir(&folder).map_err(Error::Folder)?;
        let state = Arc::new(State::new(settings, address, folder));
        state.spawn(accept(state.clone(), listener));
        Ok(Self { state })
    }

    /// Where it listens.
    #[must_use]
    pub fn addr(&self) -> SocketAddr {
        self.state.address
    }

    /// Where its raw files, playlists and segments lie.
    #[must_use]
    pub fn folder(&self) -> &Path {
        &self.state.folder
    }

    /// Its channels, by number.
    #[must_use]
    pub fn channels(&self) -> Vec<Channel> {
        self.state.channels().to_vec()
    }

    /// From here on it tunes by the M3U playlist at `url`: its channels are that playlist's, and their URLs are asked.
    /// That can be said once.
    ///
    /// # Errors
    /// [`Error::Playlist`], if there is none, or no channel in it.
    pub async fn tune_by(&self, url: &str) -> Result<(), Error> {
        let none = |why: String| Error::Playlist(why);
        let at = Url::parse(url).map_err(|error| none(error.to_string()))?;
        let answer = self.state.fetcher.get(&at, &HeaderMap::new()).await;
        let answer = answer.map_err(|error| none(error.to_string()))?.response;
        let status = answer.status();
        let bytes = body::read(answer.into_body(), LONGEST_PLAYLIST).await.unwrap_or_default();
        let channels = Channel::all_of(&String::from_utf8_lossy(&bytes));
        if channels.is_empty() || self.state.listed.set(channels).is_err() {
            return Err(none(format!("it was answered with {status}")));
        }
        Ok(())
    }

    /// What it holds and has done.
    #[must_use]
    pub fn counts(&self) -> Counts {
        let state = &self.state;
        let consumers = state.live.consumers();
        Counts {
            tuners_open: consumers.len(),
            consumers,
            jobs: state.jobs.count(),
            jobs_started: state.jobs.started.load(Ordering::Relaxed),
            opens: state.live.opens.load(Ordering::Relaxed),
            closes: state.live.closes.load(Ordering::Relaxed),
            tunes: state.live.tunes.load(Ordering::Relaxed),
            tuner_connections: state.live.connections(),
            websockets: state.websockets.load(Ordering::Relaxed),
            bytes_on_disk: size(&state.folder),
        }
    }

    /// Every request seen, in order of arrival; the last 10,000.
    #[must_use]
    pub fn log(&self) -> Vec<Seen> {
        self.state.seen.all()
    }

    /// From here on the channel's provider refuses, and hangs up if it is connected.
    pub fn fail(&self, number: u32) {
        lock(&self.state.faults).insert(number, Fault::Fails);
        self.state.live.hang_up(number);
    }

    /// From here on the channel's provider sends nothing, but stays connected.
    pub fn stall(&self, number: u32) {
        lock(&self.state.faults).insert(number, Fault::Stalls);
    }

    /// The channel's provider hangs up now; whoever opens it again is served.
    pub fn end(&self, number: u32) {
        self.state.live.hang_up(number);
    }

    /// The channel's provider is well again.
    pub fn recover(&self, number: u32) {
        lock(&self.state.faults).remove(&number);
    }

    /// Makes a token unknown.
    pub fn revoke(&self, token: &str) {
        auth::revoke(&self.state, token);
    }

    /// Lets somebody more in.
    pub fn add_user(&self, user: User) {
        lock(&self.state.users).push(user);
    }

    /// Ends it as a crash does: connections drop, FFmpegs die, live streams, jobs and files are forgotten.
    /// What is left is what a restart needs: the same address, users, tokens and probes.
    pub async fn kill(self) -> Settings {
        self.state.end();
        // A task that does not yield cannot hold a crash up.
        let _ = tokio::time::timeout(Duration::from_secs(5), self.state.ended()).await;
        self.state.settings_after()
    }
}

impl Drop for Origin {
    fn drop(&mut self) {
        self.state.end();
        // Best effort: the folder lies among other temporary files.
        let _ = std::fs::remove_dir_all(&self.state.folder);
    }
}

async fn accept(state: Arc<State>, listener: TcpListener) {
    loop {
        let Ok((stream, _)) = listener.accept().await else { continue };
        // Without it small answers wait for the peer's acknowledgement; failing is harmless.
        let _ = stream.set_nodelay(true);
        state.spawn(connection(state.clone(), stream));
    }
}

async fn connection(state: Arc<State>, stream: TcpStream) {
    let service = service_fn(move |request| {
        let state = state.clone();
        async move { Ok::<_, Infallible>(route::serve(state, request).await) }
    });
    let builder = Builder::new(TokioExecutor::new());
    // A connection that breaks is its client's loss.
    let _ = builder.serve_connection_with_upgrades(TokioIo::new(stream), service).await;
}

fn size(folder: &Path) -> u64 {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    entries.filter_map(|entry| entry.metadata().ok()).map(|metadata| metadata.len()).sum()
}

/// A panic elsewhere does not make what it held unreadable.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
