//! The composition root: turns a configuration into bound sockets and running tasks.

pub mod changes;
mod reload;
mod settings;

use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use http::HeaderValue;
use http::uri::Scheme;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::{info, warn};

use crate::app::changes::Changes;
use crate::background::{kept, noted, survived};
use crate::config::{self, Config, CopyWith, Ffmpeg, Rewind, Upstream};
use crate::fetch::{self, Fetcher};
use crate::ffmpeg;
use crate::ffmpeg::launcher::Launcher;
use crate::lineup::{Intervals, Lineups};
use crate::proxy::gateway::{Gateway, Handle};
use crate::server::tls::{Tls, TlsError, TlsFiles};
use crate::server::{self, Listener, TrustedProxies, open_files};
use crate::service_manager::{self, Sockets};
use crate::shutdown;
use crate::spool::Spool;
use crate::supervisor::generation::own::workshop::Encoding;
use crate::supervisor::inputs::provider::Provider;
use crate::supervisor::vital_tasks::Died;
use crate::supervisor::{self, Supervisor};
use crate::telemetry::Level;
use crate::upstream::client::{Client, Target, Timeouts};
use crate::upstream::jellyfin::{Jellyfin, Login};
use crate::wire::trust::{ClientTls, TrustError};
use domain::encoding::health;

/// An FFmpeg that has produced nothing for this long hangs, whatever its input does.
const SILENT: Duration = Duration::from_secs(15);
/// An FFmpeg that has been slow for this long will not catch up.
const SLOW: Duration = Duration::from_secs(15);
/// An FFmpeg is slow if it produces fewer seconds of stream per second than this.
const SLOWEST: f64 = 0.9;

/// Runs the gateway until it is asked to stop, with the configuration that was read from the file at `path`. Whatever changes there
/// later takes effect, and so does another `level` of the log. It listens at `sockets`, and binds those that are missing.
///
/// # Errors
/// If the address cannot be bound, or a task without which the gateway does not work has died.
pub async fn run(mut config: Config, path: PathBuf, level: Level, sockets: Sockets) -> io::Result<()> {
    let stop = shutdown::on_signal()?;
    let requests = reload::Requests::new(path)?;
    let written = config.clone();
    config.state_dir = config.state_dir.or_else(usual_state_dir);
    if config.state_dir.is_none() {
        warn!(
            "there is no state directory, for want of state_dir, STATE_DIRECTORY and HOME: after a crash, what is open at the server stays open"
        );
    }
    config.clients.connections = open_files::room_for(config.clients.connections);
    let upstream = config.upstream.url.to_string();
    let app = App::bind_with(config, written, (Launcher::this_program(), sockets)).await?;
    info!(address = %app.local_addr(), %upstream, "listening");
    if let Some(address) = app.listener.secure_addr() {
        info!(%address, "listening for HTTPS");
    }
    service_manager::ready();
    service_manager::begin_watchdog();
    let (changes, name) = (app.changes(), "the watch over the configuration");
    let reloads = tokio::spawn(noted(name, requests.follow(changes, level)));
    let served = app.serve(stop).await;
    reloads.abort();
    served.map_err(io::Error::other)
}

/// A gateway that is bound and ready to serve.
#[derive(Debug)]
pub struct App {
    config: Config,
    listener: Listener,
    supervisor: Supervisor,
    gateway: Arc<Gateway>,
    lineups: Option<Lineups>,
    changes: Changes,
}

impl App {
    /// Binds the listener and starts the supervisor inside a program other than the gateway's own, such as a test. If that is killed, its
    /// FFmpegs run until the next gateway ends them.
    ///
    /// # Errors
    /// If the address cannot be bound.
    pub async fn bind(config: Config) -> io::Result<Self> {
        Self::bind_with(config.clone(), config, (Launcher::Plain, Sockets::default())).await
    }

    /// Binds the listener, where `sockets` has none for it, and starts the supervisor, which starts FFmpegs through `launcher`. Changes are
    /// told from the configuration as it was `written`, before this machine decided what that leaves open.
    ///
    /// # Errors
    /// If the address cannot be bound.
    async fn bind_with(
        config: Config,
        written: Config,
        (launcher, sockets): (Launcher, Sockets),
    ) -> io::Result<Self> {
        let trusted_proxies = TrustedProxies::new(config.trusted_proxies.clone());
        let connections = server::Limits {
            connections: config.clients.connections,
            trusted_proxies: trusted_proxies.clone(),
        };
        let listener =
            listener(&config, sockets).await?.limited(connections).with_proxy_headers(config.proxy_protocol);
        let url = &config.upstream.url;
        let target = Target { scheme: url.scheme().clone(), authority: url.authority().clone() };
        let timeouts =
            Timeouts { connect: config.upstream.connect_timeout, response: config.upstream.response_timeout };
        let tls = upstream_tls(&config.upstream).map_err(io::Error::other)?;
        let client = Client::trusting(tls, target, timeouts);
        let host = HeaderValue::try_from(url.authority().as_str()).map_err(io::Error::other)?;
        let jellyfin = Jellyfin::new(client.clone(), host);
        let gateway_login = config.upstream.api_key.as_ref().map(|key| Login::api_key(key.expose()));
        let fetcher = Fetcher::new(fetch::Timeouts::default());
        let lineups = lineups(&config, &fetcher);
        let encoding = encoding(&config, launcher, listener.local_addr())?;
        let ffmpeg = encoding.as_ref().map(|encoding| encoding.ffmpeg.clone());
        let connections = config.lineup.iter().map(|playlist| playlist.tuners).collect();
        let provider = lineups.clone().map(|lineups| Provider::new(lineups, fetcher, ffmpeg));
        let settings = supervisor::Settings {
            limits: settings::limits(&config),
            size: settings::window_size(&config),
            spool: spool(&config),
            feed: settings::feed_limits(&config),
            encoding,
            provider,
            connections,
            gateway_login,
            ledger: state_file(&config, listener.local_addr(), "open"),
            learned_limits: state_file(&config, listener.local_addr(), "tuners"),
            playlists: settings::playlists(&config),
        };
        let supervisor = Supervisor::new(settings, jellyfin.clone());
        let settings = settings::gateway(&config, trusted_proxies.clone(), lineups.clone());
        let settings = (settings, settings::choices(&config));
        let gateway = Arc::new(Gateway::new(settings, client, jellyfin, supervisor.clone()));
        let changes = Changes::new(written, (Arc::clone(&gateway), supervisor.clone(), trusted_proxies));
        Ok(Self { config, listener, supervisor, gateway, lineups, changes })
    }

    /// The address it listens at.
    #[must_use]
    pub fn local_addr(&self) -> SocketAddr {
        self.listener.local_addr()
    }

    /// The address at which it speaks TLS, if it does.
    #[must_use]
    pub fn secure_addr(&self) -> Option<SocketAddr> {
        self.listener.secure_addr()
    }

    /// The supervisor of its streams.
    #[must_use]
    pub fn supervisor(&self) -> Supervisor {
        self.supervisor.clone()
    }

    /// The provider's playlists, if any are configured.
    #[must_use]
    pub fn lineups(&self) -> Option<Lineups> {
        self.lineups.clone()
    }

    /// Changes its configuration while it runs.
    #[must_use]
    pub fn changes(&self) -> Changes {
        self.changes.clone()
    }

    /// Serves until `stop`, then closes everything within the grace period.
    ///
    /// # Errors
    /// If a task without which the gateway does not work has died, which ends the gateway too.
    pub async fn serve(self, stop: CancellationToken) -> Result<(), Died> {
        let stop = stop.child_token();
        let grace = self.config.shutdown.grace;
        let stopped = stop.clone();
        let serving = self.listener.serve(Handle(self.gateway), stop, grace);
        // Streams are closed while the last answers are finished: both share the grace period.
        let releasing = async {
            tokio::select! {
                () = stopped.cancelled() => {}
                () = self.supervisor.task_dies() => stopped.cancel(),
            }
            service_manager::stopping();
            self.supervisor.shut_down(grace).await
        };
        let ((), result) = tokio::join!(serving, releasing);
        result
    }
}

async fn listener(config: &Config, mut sockets: Sockets) -> io::Result<Listener> {
    let listener = Listener::on(sockets.plain(config.listen).await?)?;
    match &config.tls {
        None if sockets.is_one_left() => {
            Err(io::Error::other("the service manager gives a socket for HTTPS, but tls.listen is not set"))
        }
        None => Ok(listener),
        Some(files) => {
            let tls = tls(files).map_err(io::Error::other)?;
            listener.and_secure_on(sockets.secure(files.listen).await?, tls)
        }
    }
}

/// What the gateway needs to reach the server over TLS, if it does.
///
/// # Errors
/// If a file cannot be read, or certificate and key are not fit for each other.
pub fn upstream_tls(upstream: &Upstream) -> Result<ClientTls, TrustError> {
    if *upstream.url.scheme() == Scheme::HTTPS {
        ClientTls::of(&upstream.trust)
    } else {
        Ok(ClientTls::unneeded())
    }
}

/// Reads the certificate for players.
///
/// # Errors
/// If a file cannot be read, or what is in the files does not belong together.
pub fn tls(files: &config::Tls) -> Result<Tls, TlsError> {
    let config::Tls { certificate, key, client_ca, .. } = files.clone();
    Tls::open(TlsFiles { certificate, key, client_ca })
}

/// Starts to fetch the provider's playlists, if any are configured.
fn lineups(config: &Config, fetcher: &Fetcher) -> Option<Lineups> {
    if config.lineup.is_empty() {
        return None;
    }
    let (playlists, folder) = (config.lineup.clone(), config.state_dir.clone());
    Some(Lineups::start(
        playlists,
        fetcher,
        folder,
        settings::site(&config.lineup_server),
        Intervals::default(),
    ))
}

/// The state directory of the systemd unit, else that of the XDG Base Directory Specification.
fn usual_state_dir() -> Option<PathBuf> {
    let folder = |name| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    folder("STATE_DIRECTORY")
        .or_else(|| Some(folder("XDG_STATE_HOME")?.join("warmgate")))
        .or_else(|| Some(folder("HOME")?.join(".local/state/warmgate")))
}

/// The path of a file in the state directory. Gateways that share the directory are told apart by their ports.
fn state_file(config: &Config, address: SocketAddr, name: &str) -> Option<PathBuf> {
    let folder = config.state_dir.as_ref()?;
    if let Err(cause) = std::fs::create_dir_all(folder) {
        warn!(folder = %folder.display(), %cause, "cannot create the state directory: after a crash, what is open at the server stays open");
        return None;
    }
    Some(folder.join(format!("{name}-{}.json", address.port())))
}

/// Where old pieces are kept, if there is a place for them.
fn spool(config: &Config) -> Option<Spool> {
    let Rewind { length, budget, dir } = &config.rewind;
    if *budget == 0 || *length <= config.window.length {
        return None;
    }
    let usual = || config.state_dir.as_ref().map(|folder| folder.join("spool"));
    let Some(folder) = dir.clone().or_else(usual) else {
        warn!("there is no folder for rewind.dir: viewers can go back no farther than window.length");
        return None;
    };
    match Spool::open(&folder, *budget) {
        Ok(spool) => Some(spool),
        Err(cause) => {
            warn!(
                folder = %folder.display(),
                %cause,
                "cannot write in rewind.dir: viewers can go back no farther than window.length"
            );
            None
        }
    }
}

/// The encoder, if any stream may be produced here. FFmpeg's abilities are probed in the background; until they are known, or if there is no
/// FFmpeg, streams that need encoding are left to the server.
fn encoding(config: &Config, launcher: Launcher, address: SocketAddr) -> io::Result<Option<Encoding>> {
    if !settings::makes_streams(config) {
        return Ok(None);
    }
    let Ffmpeg { path, copy, encoders, preset, processes, encodes, nice, memory } = config.ffmpeg.clone();
    let limits = health::Limits { silence: SILENT, patience: SLOW, speed: SLOWEST, memory };
    let owner = address.to_string();
    let settings = ffmpeg::Settings {
        path,
        launcher,
        encoders: encoders.0,
        processes,
        encodes,
        nice: i32::try_from(nice).unwrap_or(0),
        limits,
        owner: owner.clone(),
    };
    let ffmpeg = ffmpeg::Ffmpeg::new(settings)?;
    let probed = ffmpeg.clone();
    tokio::spawn(kept("the test of FFmpeg", move || {
        let (ffmpeg, owner) = (probed.clone(), owner.clone());
        async move {
            let ending = tokio::task::spawn_blocking(move || {
                survived("the end of an earlier process's FFmpegs", || ffmpeg::leftovers::end(&owner))
            });
            let _ = ending.await;
            ffmpeg.probe().await;
        }
    }));
    let copies_natively = match copy {
        CopyWith::Native => true,
        CopyWith::Ffmpeg => false,
    };
    Ok(Some(Encoding { ffmpeg, preset, copies_natively, tasks: TaskTracker::new() }))
}
