//! A running server: started, asked about what it holds, disturbed, killed.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use http_body_util::{BodyExt, Limited};
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto::Builder;
use tokio::net::{TcpListener, TcpStream};

use crate::auth;
use crate::channel::Channel;
use crate::consumer::Consumer;
use crate::guid;
use crate::lock::lock;
use crate::notices::Message;
use crate::recording::{Recording, Timer, calls, recorder};
use crate::reports;
use crate::request_log::LoggedRequest;
use crate::route;
use crate::server::Playlist;
use crate::settings::{Settings, User};
use crate::state::State;
use crate::tuner::Fault;

/// The longest M3U playlist that is read, in bytes.
const LONGEST_PLAYLIST: usize = 1 << 20;

/// Why a server does not start, or does not tune by a playlist.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The address cannot be bound.
    #[error("cannot listen on {0}")]
    Listen(SocketAddr, #[source] std::io::Error),
    /// The playlist cannot be fetched, or names no channel; with the reason.
    #[error("no channels in this playlist: {0}")]
    Playlist(String),
    /// The folder for raw files, playlists and segments cannot be created.
    #[error("cannot create a transcode folder")]
    Folder(#[source] std::io::Error),
}

/// A running server. Dropping it ends it, its FFmpegs and its files.
#[derive(Debug)]
pub struct Origin {
    state: Arc<State>,
}

/// What a server holds at one moment, and what it has done since its start.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Open live streams, which are what the tuner limit counts.
    pub tuners_open: usize,
    /// Consumers of each open live stream, by its id.
    pub consumers: BTreeMap<String, usize>,
    /// Running HLS jobs, an FFmpeg each.
    pub jobs: usize,
    /// HLS jobs started so far.
    pub jobs_started: u64,
    /// Consumers taken so far, by an opening each.
    pub opens: u64,
    /// Consumers given back so far.
    pub closes: u64,
    /// Openings so far that tuned a tuner, rather than joined an open live stream.
    pub tunes: u64,
    /// Connected inputs of open live streams.
    pub tuner_connections: usize,
    /// Open WebSockets.
    pub websockets: usize,
    /// Size of all files in the transcode folder.
    pub bytes_on_disk: u64,
}

impl Origin {
    /// Starts a server, which runs until it is killed or dropped.
    ///
    /// # Errors
    /// [`Error::Listen`] and [`Error::Folder`].
    pub async fn start(settings: Settings) -> Result<Self, Error> {
        let wanted = settings.listen;
        let listener = TcpListener::bind(wanted).await.map_err(|error| Error::Listen(wanted, error))?;
        let address = listener.local_addr().map_err(|error| Error::Listen(wanted, error))?;
        let name = format!("warmgate-origin-{}-{}", std::process::id(), guid::random());
        let folder = std::env::temp_dir().join(name);
        std::fs::create_dir(&folder).map_err(Error::Folder)?;
        let timers = settings.timers.clone();
        let state = Arc::new(State::new(settings, address, folder));
        state.server.spawn(accept(state.clone(), listener));
        state.server.spawn(reports::stop_idle_sessions(state.clone()));
        timers.into_iter().for_each(|timer| recorder::start(&state, timer));
        Ok(Self { state })
    }

    /// The address it listens on.
    #[must_use]
    pub fn addr(&self) -> SocketAddr {
        self.state.server.address
    }

    /// The folder of its raw files, playlists and segments.
    #[must_use]
    pub fn folder(&self) -> &Path {
        &self.state.server.folder
    }

    /// Its channels, in the order of their numbers.
    #[must_use]
    pub fn channels(&self) -> Vec<Channel> {
        self.state.server.channels().to_vec()
    }

    /// Replaces its channels by those of the M3U playlist at `url`, whose URLs it pulls from now on. Works once per server.
    ///
    /// # Errors
    /// [`Error::Playlist`].
    pub async fn tune_by(&self, url: &str) -> Result<(), Error> {
        let failed = |error: std::io::Error| Error::Playlist(error.to_string());
        let response = self.state.server.provider.get(url).await.map_err(failed)?;
        let status = response.status();
        let body = Limited::new(response.into_body(), LONGEST_PLAYLIST).collect().await;
        let bytes = body.map(|body| body.to_bytes()).unwrap_or_default();
        let channels = Channel::from_playlist(url, &String::from_utf8_lossy(&bytes));
        let playlist = Playlist { url: url.to_owned(), channels };
        if playlist.channels.is_empty() || self.state.server.pulled.set(playlist).is_err() {
            return Err(Error::Playlist(format!("it was answered with {status}")));
        }
        Ok(())
    }

    /// What it holds now and has done since its start.
    #[must_use]
    pub fn counts(&self) -> Counts {
        let state = &self.state;
        let consumers: BTreeMap<_, _> =
            self.consumers().into_iter().map(|(id, consumers)| (id, consumers.len())).collect();
        Counts {
            tuners_open: consumers.len(),
            consumers,
            jobs: state.jobs.count(),
            jobs_started: state.jobs.started.load(Ordering::Relaxed),
            opens: state.live_streams.opens.load(Ordering::Relaxed),
            closes: state.live_streams.closes.load(Ordering::Relaxed),
            tunes: state.live_streams.tunes.load(Ordering::Relaxed),
            tuner_connections: state.live_streams.connections(),
            websockets: state.websockets.load(Ordering::Relaxed),
            bytes_on_disk: size(&state.server.folder),
        }
    }

    /// The consumers of each open live stream, by its id. The real server counts them without names: where a party gives
    /// back what it does not hold, the oldest consumer of another one goes.
    #[must_use]
    pub fn consumers(&self) -> BTreeMap<String, Vec<Consumer>> {
        self.state.live_streams.consumers()
    }

    /// Schedules a recording, and tells the clients by their WebSockets.
    pub fn schedule(&self, timer: Timer) {
        calls::schedule(&self.state, timer);
    }

    /// Cancels a timer, and tells the clients. An unknown id is ignored.
    pub fn cancel(&self, id: &str) {
        calls::cancel(&self.state, id);
    }

    /// All timers since the start, and what became of them.
    #[must_use]
    pub fn recordings(&self) -> Vec<Recording> {
        self.state.timers.all()
    }

    /// The messages that were sent to sessions.
    #[must_use]
    pub fn messages(&self) -> Vec<Message> {
        self.state.notices.messages()
    }

    /// The last 10,000 requests, in order of arrival.
    #[must_use]
    pub fn requests(&self) -> Vec<LoggedRequest> {
        self.state.requests.all()
    }

    /// Has the channel's provider refuse connections from now on, and disconnect an open one.
    pub fn fail(&self, number: u32) {
        lock(&self.state.live_streams.faults).insert(number, Fault::Fails);
        self.state.live_streams.disconnect(number);
    }

    /// Has the channel's provider send nothing from now on, while it stays connected.
    pub fn stall(&self, number: u32) {
        lock(&self.state.live_streams.faults).insert(number, Fault::Stalls);
    }

    /// Has the channel's provider disconnect once; the next opening is served.
    pub fn end(&self, number: u32) {
        self.state.live_streams.disconnect(number);
    }

    /// Ends [`fail`](Self::fail) and [`stall`](Self::stall) of the channel.
    pub fn recover(&self, number: u32) {
        lock(&self.state.live_streams.faults).remove(&number);
    }

    /// Revokes a token.
    pub fn revoke(&self, token: &str) {
        auth::revoke(&self.state, token);
    }

    /// Adds a user.
    pub fn add_user(&self, user: User) {
        lock(&self.state.server.users).push(user);
    }

    /// Ends the server as a crash does: connections drop, FFmpegs die, and live streams, jobs and files are lost.
    /// Returns the settings of a server restarted at the same address, with the users, tokens, probes and timers of this one.
    pub async fn kill(self) -> Settings {
        self.state.end();
        // A task that does not end in time must not delay the crash.
        let _ = tokio::time::timeout(Duration::from_secs(5), self.state.server.ended()).await;
        self.state.server.settings_after(self.state.timers.open())
    }

    /// Ends the server as a crash does, and starts it again at the same address.
    ///
    /// # Errors
    /// As [`start`](Self::start).
    pub async fn restart(self) -> Result<Self, Error> {
        Self::start(self.kill().await).await
    }
}

impl Drop for Origin {
    fn drop(&mut self) {
        self.state.end();
        // Nothing depends on it: the folder lies among other temporary files.
        let _ = std::fs::remove_dir_all(&self.state.server.folder);
    }
}

async fn accept(state: Arc<State>, listener: TcpListener) {
    loop {
        let Ok((stream, _)) = listener.accept().await else { continue };
        // Otherwise small responses wait for the peer's acknowledgement. A failure is harmless.
        let _ = stream.set_nodelay(true);
        state.server.spawn(connection(state.clone(), stream));
    }
}

async fn connection(state: Arc<State>, stream: TcpStream) {
    let service = service_fn(move |request| {
        let state = state.clone();
        async move { Ok::<_, Infallible>(route::serve(state, request).await) }
    });
    let builder = Builder::new(TokioExecutor::new());
    // A broken connection concerns its client alone.
    let _ = builder.serve_connection_with_upgrades(TokioIo::new(stream), service).await;
}

fn size(folder: &Path) -> u64 {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    entries.filter_map(|entry| entry.metadata().ok()).map(|metadata| metadata.len()).sum()
}
