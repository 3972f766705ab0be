//! A server without what is open on it: its settings, address, folder, channels, users and cached probes, and its tasks.

use std::collections::BTreeSet;
use std::future::Future;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, OnceLock};

use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::channel::{Channel, PLAYLIST, SECOND_PLAYLIST};
use crate::guid;
use crate::input::Provider;
use crate::lock::lock;
use crate::recording::Timer;
use crate::settings::{Settings, User};

/// An M3U playlist, whose channels replace the generated ones.
#[derive(Debug)]
pub(crate) struct Playlist {
    pub(crate) url: String,
    pub(crate) channels: Vec<Channel>,
}

/// What every part of a server shares.
#[derive(Debug)]
pub(crate) struct Server {
    /// As the server was started. `users` and `probed` below replace its own, which go stale.
    pub(crate) settings: Settings,
    /// The address it listens on, with the real port.
    pub(crate) address: SocketAddr,
    /// The transcode folder: raw files, playlists and segments.
    pub(crate) folder: PathBuf,
    generated: Vec<Channel>,
    /// The playlist given to `Origin::tune_by`.
    pub(crate) pulled: OnceLock<Playlist>,
    pub(crate) provider: Provider,
    pub(crate) users: Mutex<Vec<User>>,
    /// The media source ids whose probe is cached.
    pub(crate) probed: Mutex<BTreeSet<String>>,
    wiped: AtomicBool,
    ending: CancellationToken,
    tasks: TaskTracker,
}

impl Server {
    pub(crate) fn new(settings: Settings, address: SocketAddr, folder: PathBuf) -> Self {
        Self {
            generated: (1..=settings.channels)
                .map(|number| match settings.plugin_tuner {
                    true => Channel::of_plugin(number),
                    false if settings.second_host.is_some_and(|host| number >= host.from) => {
                        Channel::on(SECOND_PLAYLIST, number)
                    }
                    false => Channel::new(number),
                })
                .collect(),
            pulled: OnceLock::new(),
            provider: Provider::default(),
            users: Mutex::new(settings.users.clone()),
            probed: Mutex::new(settings.probed.clone()),
            wiped: AtomicBool::new(!settings.first_play_fails),
            ending: CancellationToken::new(),
            tasks: TaskTracker::new(),
            settings,
            address,
            folder,
        }
    }

    /// Runs a task until it is done or the server ends, whether or not anybody awaits it.
    pub(crate) fn spawn<T>(&self, task: impl Future<Output = T> + Send + 'static) -> JoinHandle<Option<T>>
    where
        T: Send + 'static,
    {
        self.tasks.spawn(self.ending.clone().run_until_cancelled_owned(task))
    }

    /// Ends every task.
    pub(crate) fn end(&self) {
        self.ending.cancel();
        self.tasks.close();
    }

    /// Waits until the last task has ended.
    pub(crate) async fn ended(&self) {
        self.tasks.wait().await;
    }

    /// The server's channels.
    pub(crate) fn channels(&self) -> &[Channel] {
        self.pulled.get().map_or(&self.generated, |playlist| &playlist.channels)
    }

    /// Its tuner hosts: the URL of each one's playlist, and its tuners.
    pub(crate) fn tuner_hosts(&self) -> Vec<(&str, usize)> {
        let first = self.pulled.get().map_or(PLAYLIST, |playlist| &playlist.url);
        let second = self.settings.second_host.map(|host| (SECOND_PLAYLIST, host.tuners));
        [(first, self.settings.tuners)].into_iter().chain(second).collect()
    }

    /// The tuners of the host that a channel is on.
    pub(crate) fn tuners_for(&self, channel: &Channel) -> usize {
        let hosts = self.tuner_hosts();
        let on = hosts.iter().find(|(playlist, _)| *playlist == channel.playlist);
        on.map_or(self.settings.tuners, |(_, tuners)| *tuners)
    }

    /// The channel with this item id, dashed or not.
    pub(crate) fn channel(&self, item_id: &str) -> Option<&Channel> {
        let id = guid::normalize(item_id);
        self.channels().iter().find(|channel| channel.item_id == id)
    }

    /// Whether the probe of a channel is cached.
    pub(crate) fn is_probed(&self, channel: &Channel) -> bool {
        lock(&self.probed).contains(&channel.media_source_id)
    }

    /// The URL of a shared raw stream, with the host by which the server reaches itself.
    pub(crate) fn raw_stream_url(&self, unique_id: &str) -> String {
        let base = &self.settings.base_path;
        let mut address = self.address;
        if address.ip().is_unspecified() {
            address.set_ip(Ipv4Addr::LOCALHOST.into());
        }
        format!("http://{address}{base}/LiveTv/LiveStreamFiles/{unique_id}/stream.ts")
    }

    /// Deletes all files in the transcode folder at the first call, if `Settings::first_play_fails` asks for it. The real
    /// server does so when it constructs its `TranscodeManager`, at the first HLS request.
    pub(crate) fn wipe_once(&self) {
        if self.wiped.swap(true, Ordering::AcqRel) {
            return;
        }
        for entry in std::fs::read_dir(&self.folder).into_iter().flatten().flatten() {
            let _ = std::fs::remove_file(entry.path());
        }
    }

    /// The settings of a server restarted at the same address.
    pub(crate) fn settings_after(&self, timers: Vec<Timer>) -> Settings {
        Settings {
            timers,
            listen: self.address,
            users: lock(&self.users).clone(),
            probed: lock(&self.probed).clone(),
            ..self.settings.clone()
        }
    }
}
