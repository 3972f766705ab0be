//! The composition root: turns a configuration into bound sockets and running tasks.

pub mod changes;
mod handover;
mod reload;
mod resources;
mod settings;
mod shown;

use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

use futures_util::future::OptionFuture;
use http::HeaderValue;
use http::uri::Scheme;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;
use tracing::{info, warn};

use crate::admin::{self, Examiner};
use crate::app::changes::Changes;
use crate::app::handover::{Before, Giver, Listening, Predecessor};
use crate::app::resources::{
    access_log, encoding, history, spool, spool_folder, state_file, tested, usual_state_dir,
};
use crate::app::shown::Shown;
use crate::background::noted;
use crate::config::{self, Config, Running, Upstream};
use crate::fetch::{self, Fetcher};
use crate::ffmpeg::launcher::Launcher;
use crate::lineup::{Intervals, Lineups};
use crate::proxy::gateway::{Gateway, Handle};
use crate::proxy::passed_on::PassedOn;
use crate::server::tls::{Tls, TlsError, TlsFiles};
use crate::server::{self, Listener, Phase, Phases, TrustedProxies, open_files};
use crate::service_manager::{self, Sockets};
use crate::shutdown;
use crate::supervisor::inputs::provider::Provider;
use crate::supervisor::vital_tasks::Died;
use crate::supervisor::{self, Supervisor};
use crate::telemetry::Level;
use crate::telemetry::counts::Requests;
use crate::upstream::client::{Client, Target, Timeouts};
use crate::upstream::jellyfin::{Jellyfin, Login};
use crate::webhooks::Webhooks;
use crate::wire::trust::{ClientTls, TrustError};

/// Runs the gateway until it is asked to stop, with the configuration that was read from the file at `path`. Whatever changes there
/// later takes effect, and so does another `level` of the log. It listens at `sockets`, and binds those that are missing.
///
/// # Errors
/// If the address cannot be bound, or a task without which the gateway does not work has died.
pub async fn run(mut config: Config, path: PathBuf, level: Level, sockets: Sockets) -> io::Result<()> {
    let stop = shutdown::on_signal()?;
    // Before it is said to be ready: without a handler, the signal would end the process.
    let asked = signal(SignalKind::user_defined2())?;
    let upstream = config.upstream.url.to_string();
    let predecessor = Predecessor::find(&upstream, addresses(&config)).await.map_err(io::Error::other)?;
    let requests = reload::Requests::new(path)?;
    let written = config.clone();
    config.state_dir = config.state_dir.or_else(usual_state_dir);
    if config.state_dir.is_none() {
        warn!(
            "there is no state directory, because none of state_dir, STATE_DIRECTORY and HOME is set: after a crash, what is open at the server stays open, and what is watched is forgotten"
        );
    }
    config.clients.connections = open_files::room_for(config.clients.connections);
    let (predecessor, sockets) = predecessor.map_or((None, sockets), |(it, sockets)| (Some(it), sockets));
    let is_first = predecessor.is_none();
    let app = App::bind_with(config, written, (Launcher::this_program(), sockets), predecessor).await?;
    info!(address = %app.local_addr(), %upstream, "listening");
    if let Some(address) = app.listener.secure_addr() {
        info!(%address, "listening for HTTPS");
    }
    if let Some(address) = app.admin_addr() {
        info!(dashboard = %format_args!("http://{address}/"), "serving the dashboard, the API and the metrics");
    }
    if is_first {
        service_manager::ready();
    }
    let watchdog = service_manager::begin_watchdog();
    tokio::spawn(noted(
        "the first examination of the surroundings",
        shown::say_findings(Arc::clone(&app.examiner)),
    ));
    let (changes, name) = (app.changes(), "the watch over the configuration");
    let reloads = AbortOnDropHandle::new(tokio::spawn(noted(name, requests.follow(changes, level))));
    let served = app.serve_or_give(stop, Some((asked, (watchdog, reloads)))).await;
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
    giver: Giver,
    /// Where the process before this one passes requests on, and what it still has to tell.
    before: Option<(Listener, Before)>,
    shown: Option<Shown>,
    examiner: Arc<Examiner>,
}

impl App {
    /// Binds the listener and starts the supervisor inside a program other than the gateway's own, such as a test. If that is killed, its
    /// FFmpegs run until the next gateway ends them.
    ///
    /// # Errors
    /// If the address cannot be bound.
    pub async fn bind(config: Config) -> io::Result<Self> {
        Self::bind_with(config.clone(), config, (Launcher::Plain, Sockets::default()), None).await
    }

    /// Binds the listener, where `sockets` has none for it, and starts the supervisor, which starts FFmpegs through `launcher`. Changes are
    /// told from the configuration as it was `written`, before this machine decided what that leaves open. If there is a `predecessor`, takes
    /// over from it once all else is done that can fail.
    ///
    /// # Errors
    /// If the address cannot be bound, or the predecessor gives nothing.
    async fn bind_with(
        config: Config,
        written: Config,
        (launcher, sockets): (Launcher, Sockets),
        predecessor: Option<Predecessor>,
    ) -> io::Result<Self> {
        let phases = watch::Sender::new(Phase::Serving);
        let trusted_proxies = TrustedProxies::new(config.trusted_proxies.clone());
        let connections = server::Limits {
            connections: config.clients.connections,
            trusted_proxies: trusted_proxies.clone(),
            ..server::Limits::default()
        };
        let (requests, connection_ends) = (Requests::default(), connections.ends.clone());
        let listener = listener(&config, sockets).await?.limited(connections);
        let listener = listener.with_proxy_headers(config.proxy_protocol).following(Phases::from(&phases));
        let listening = Listening::at(&listener)?;
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
        let places = admin::Places {
            jellyfin: jellyfin.clone(),
            gateway_login: gateway_login.clone(),
            ffmpeg: ffmpeg.clone(),
            spool: spool_folder(&config).map(|folder| (folder, config.rewind.budget)),
        };
        let provider = lineups.clone().map(|lineups| Provider::new(lineups, fetcher.clone(), ffmpeg));
        let mut settings = supervisor::Settings {
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
            history: None,
            never_ahead: config.pool.never_ahead.clone(),
            zap_objective: config.zap.slo,
            playlists: settings::playlists(&config),
        };
        let (running, access_log) = (Running::new(written), access_log(&config));
        let facts = admin::Facts {
            running: running.clone(),
            webhooks: Webhooks::start(config.webhooks.clone(), &fetcher),
            upstream: config.upstream.url.to_string(),
            slo: config.zap.slo,
            requests: requests.clone(),
            connection_ends,
            health: client.health().clone(),
            spool: settings.spool.clone(),
            tls: listener.tls(),
            access_log: access_log.clone(),
        };
        let (taken, inherited) = match predecessor {
            Some(predecessor) => {
                tested(settings.encoding.as_ref()).await;
                let taken = predecessor.take(settings.spool.as_ref()).await.map_err(io::Error::other)?;
                (Some(taken.0), Some(taken.1))
            }
            None => (None, None),
        };
        // Now the process before, if there is one, has written all of it.
        settings.history = history(&config, listener.local_addr(), inherited.is_some()).await;
        let supervisor = Supervisor::new(settings, jellyfin.clone(), inherited);
        let examiner = Arc::new(Examiner::new(places, supervisor.clone()));
        let shown = Shown::new(&config, taken.is_some(), (&supervisor, &examiner), facts).await;
        let secret = taken.as_ref().map_or_else(supervisor::random, |taken| taken.gateway.secret);
        let settings = settings::gateway(
            &config,
            (trusted_proxies.clone(), lineups.clone()),
            (secret, Phases::from(&phases)),
            (requests, access_log.clone()),
        );
        let settings = (settings, settings::choices(&config));
        let gateway = Arc::new(Gateway::new(settings, client, jellyfin, supervisor.clone()));
        let parts = (Arc::clone(&gateway), supervisor.clone(), trusted_proxies);
        let changes = Changes::new(running, parts, access_log);
        let mut giver = Giver::new(
            (listening, addresses(&config), config.upstream.url.to_string()),
            phases,
            Arc::clone(&gateway),
            supervisor.clone(),
        );
        let before = match taken {
            Some(taken) => Some(giver.follows(taken).await?),
            None => None,
        };
        supervisor.begin();
        Ok(Self { config, listener, supervisor, gateway, lineups, changes, giver, before, shown, examiner })
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

    /// The address at which it shows what goes on inside, if it does.
    #[must_use]
    pub fn admin_addr(&self) -> Option<SocketAddr> {
        self.shown.as_ref().and_then(Shown::local_addr)
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
        self.serve_or_give::<()>(stop, None).await
    }

    /// The same; gives the gateway to another process when that is asked for by a signal. What is with the signal is dropped then.
    async fn serve_or_give<T>(self, stop: CancellationToken, asked: Option<(Signal, T)>) -> Result<(), Died> {
        let Self { config, listener, supervisor, gateway, giver, before, shown, .. } = self;
        let (stop, grace) = (stop.child_token(), config.shutdown.grace);
        let hidden = stop.child_token();
        let showing = OptionFuture::from(shown.map(|shown| shown.serve(hidden.clone(), stop.clone())));
        let back_door = before.map(|(back_door, before)| {
            let following = before.follow(supervisor.clone());
            tokio::spawn(noted("the news of the process before this one", following));
            let service = PassedOn::new(Handle(Arc::clone(&gateway)), giver.passed_on());
            back_door.serve(service, stop.clone(), grace)
        });
        let serving = async {
            tokio::join!(listener.serve(Handle(gateway), stop.clone(), grace), OptionFuture::from(back_door))
        };
        let given = async {
            match asked {
                Some((mut asked, with)) => (giver.give_when(&mut asked).await, with).0,
                None => std::future::pending().await,
            }
        };
        // Streams are closed while the last answers are finished: both share the grace period.
        let releasing = async {
            let is_main = tokio::select! {
                () = stop.cancelled() => true,
                () = supervisor.task_dies() => {
                    stop.cancel();
                    true
                }
                given = given => {
                    // The other process listens there now.
                    hidden.cancel();
                    tokio::select! {
                        () = given.release(&supervisor) => return Ok(()),
                        () = stop.cancelled() => false,
                    }
                }
            };
            if is_main {
                service_manager::stopping();
            }
            supervisor.shut_down(grace).await
        };
        let (_, _, result) = tokio::join!(serving, showing, releasing);
        result
    }
}

/// Where this process is told to listen: for HTTP, and for HTTPS.
fn addresses(config: &Config) -> (SocketAddr, Option<SocketAddr>) {
    (config.listen, config.tls.as_ref().map(|files| files.listen))
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
