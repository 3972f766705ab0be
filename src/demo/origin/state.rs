//! What all handlers of one server share, and the tasks that end with it.

use std::collections::BTreeSet;
use std::future::Future;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Mutex, OnceLock};

use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::demo::origin::library::{Channel, plain_id};
use crate::demo::origin::live::LiveStreams;
use crate::demo::origin::lock;
use crate::demo::origin::reports::Sessions;
use crate::demo::origin::seen::Log;
use crate::demo::origin::settings::{Settings, User};
use crate::demo::origin::transcode::Jobs;
use crate::demo::origin::tuner::Faults;
use crate::fetch::{Fetcher, Timeouts};

/// A server's memory.
#[derive(Debug)]
pub(super) struct State {
    /// As started, with the real address; users and probes live on below.
    pub(super) settings: Settings,
    pub(super) address: SocketAddr,
    /// The transcode folder: raw files, playlists and segments.
    pub(super) folder: PathBuf,
    painted: Vec<Channel>,
    /// Those of its playlist, once it tunes by one.
    pub(super) listed: OnceLock<Vec<Channel>>,
    pub(super) fetcher: Fetcher,
    pub(super) users: Mutex<Vec<User>>,
    pub(super) probed: Mutex<BTreeSet<String>>,
    pub(super) live: LiveStreams,
    pub(super) jobs: Jobs,
    pub(super) sessions: Sessions,
    pub(super) faults: Faults,
    pub(super) websockets: AtomicUsize,
    pub(super) seen: Log,
    wiped: AtomicBool,
    ending: CancellationToken,
    tasks: TaskTracker,
}

impl State {
    pub(super) fn new(settings: Settings, address: SocketAddr, folder: PathBuf) -> Self {
        Self {
            painted: (1..=settings.channels).map(Channel::new).collect(),
            listed: OnceLock::new(),
            fetcher: Fetcher::new(Timeouts::default()),
            users: Mutex::new(settings.users.clone()),
            probed: Mutex::new(settings.probed.clone()),
            live: LiveStreams::default(),
            jobs: Jobs::default(),
            sessions: Sessions::default(),
            faults: Faults::default(),
            websockets: AtomicUsize::new(0),
            seen: Log::default(),
            wiped: AtomicBool::new(!settings.first_play_fails),
            ending: CancellationToken::new(),
            tasks: TaskTracker::new(),
            settings,
            address,
            folder,
        }
    }

    /// Runs a task until it is done or the server ends; nobody need wait for it.
    pub(super) fn spawn<T>(&self, task: impl Future<Output = T> + Send + 'static) -> JoinHandle<Option<T>>
    where
        T: Send + 'static,
    {
        self.tasks.spawn(self.ending.clone().run_until_cancelled_owned(task))
    }

    /// Ends every task and FFmpeg; what they held is dropped as they notice.
    pub(super) fn end(&self) {
        self.ending.cancel();
        self.tasks.close();
        self.jobs.kill_all();
        self.live.clear();
    }

    /// Until the last task has gone.
    pub(super) async fn ended(&self) {
        self.tasks.wait().await;
    }

    /// Its channels.
    pub(super) fn channels(&self) -> &[Channel] {
        self.listed.get().unwrap_or(&self.painted)
    }

    /// The channel of an item id, dashed or not.
    pub(super) fn channel(&self, item_id: &str) -> Option<&Channel> {
        let id = plain_id(item_id);
        self.channels().iter().find(|channel| channel.item_id == id)
    }

    /// The URL of the shared raw stream, as the server names itself.
    pub(super) fn raw_url(&self, unique_id: &str) -> String {
        let base = &self.settings.base_path;
        let mut address = self.address;
        if address.ip().is_unspecified() {
            address.set_ip(Ipv4Addr::LOCALHOST.into());
        }
        format!("http://{address}{base}/LiveTv/LiveStreamFiles/{unique_id}/stream.ts")
    }

    /// The transcode manager's first sight of the folder: it deletes all files, if this server is to do so.
    pub(super) fn wipe_once(&self) {
        if self.wiped.swap(true, Ordering::AcqRel) {
            return;
        }
        for entry in std::fs::read_dir(&self.folder).into_iter().flatten().flatten() {
            let _ = std::fs::remove_file(entry.path());
        }
    }

    /// The settings a restart on the same address would have.
    pub(super) fn settings_after(&self) -> Settings {
        Settings {
            listen: self.address,
            users: lock(&self.users).clone(),
            probed: lock(&self.probed).clone(),
            ..self.settings.clone()
        }
    }
}
