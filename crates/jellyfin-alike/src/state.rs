//! The state of one server, which every handler is given.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;

use crate::job::Jobs;
use crate::live_stream::LiveStreams;
use crate::notices::Notices;
use crate::recording::timers::Timers;
use crate::request_log::RequestLog;
use crate::server::Server;
use crate::sessions::Sessions;
use crate::settings::Settings;

/// A server and what is open on it.
#[derive(Debug)]
pub(crate) struct State {
    pub(crate) server: Arc<Server>,
    pub(crate) live_streams: Arc<LiveStreams>,
    pub(crate) sessions: Arc<Sessions>,
    pub(crate) jobs: Arc<Jobs>,
    pub(crate) timers: Timers,
    pub(crate) notices: Notices,
    pub(crate) requests: RequestLog,
    /// Open WebSockets.
    pub(crate) websockets: AtomicUsize,
}

impl State {
    pub(crate) fn new(settings: Settings, address: SocketAddr, folder: PathBuf) -> Self {
        let server = Arc::new(Server::new(settings, address, folder));
        let live_streams = Arc::new(LiveStreams::new(server.clone()));
        let sessions = Arc::new(Sessions::new(server.settings.version, server.settings.delays.idle));
        let jobs = Jobs::new(server.clone(), live_streams.clone(), sessions.clone());
        Self {
            server,
            live_streams,
            sessions,
            jobs: Arc::new(jobs),
            timers: Timers::default(),
            notices: Notices::default(),
            requests: RequestLog::default(),
            websockets: AtomicUsize::new(0),
        }
    }

    /// Ends every task and every FFmpeg.
    pub(crate) fn end(&self) {
        self.server.end();
        self.jobs.kill_all();
        self.live_streams.clear();
    }
}
