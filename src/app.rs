//! The composition root: from a configuration to bound sockets and running tasks.

use std::hash::RandomState;
use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

use http::HeaderValue;
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use crate::config::Config;
use crate::domain::pool::Limits;
use crate::proxy::auth::Auth;
use crate::proxy::cors::Cors;
use crate::proxy::forward::{Forwarder, Identity};
use crate::proxy::lendings::Lendings;
use crate::proxy::misses::Misses;
use crate::proxy::opening::Hopeless;
use crate::proxy::prime::Primer;
use crate::proxy::reload::Held;
use crate::proxy::{Gateway, Handle};
use crate::server::Listener;
use crate::shutdown;
use crate::supervisor::Supervisor;
use crate::supervisor::stream::WindowSize;
use crate::upstream::client::{Client, Target, Timeouts};
use crate::upstream::jellyfin::{Jellyfin, Login};

/// Runs the gateway until it is asked to stop.
///
/// # Errors
/// If the address to listen on cannot be had.
pub async fn run(mut config: Config) -> io::Result<()> {
    let stop = shutdown::on_signal()?;
    config.state_dir = config.state_dir.or_else(usual_state_dir);
    let upstream = config.upstream.url.to_string();
    let app = App::bind(config).await?;
    info!(address = %app.local_addr(), %upstream, "listening");
    app.serve(stop).await;
    Ok(())
}

/// A gateway that is bound and ready to serve.
#[derive(Debug)]
pub struct App {
    config: Config,
    listener: Listener,
    supervisor: Supervisor,
    client: Client,
    jellyfin: Jellyfin,
}

impl App {
    /// Binds the listener and starts the supervisor.
    ///
    /// # Errors
    /// If the address to listen on cannot be had.
    pub async fn bind(config: Config) -> io::Result<Self> {
        let listener = Listener::bind(config.listen).await?;
        let url = &config.upstream.url;
        let target = Target { scheme: url.scheme().clone(), authority: url.authority().clone() };
        let timeouts =
            Timeouts { connect: config.upstream.connect_timeout, response: config.upstream.response_timeout };
        let client = Client::new(target, timeouts);
        let host = HeaderValue::try_from(url.authority().as_str()).map_err(io::Error::other)?;
        let jellyfin = Jellyfin::new(client.clone(), host);
        let own = config.upstream.api_key.as_ref().map(|key| Login::api_key(key.expose()));
        let ledger = ledger(&config, listener.local_addr());
        let supervisor =
            Supervisor::new(limits(&config), window_size(&config), jellyfin.clone(), own, ledger);
        Ok(Self { config, listener, supervisor, client, jellyfin })
    }

    /// Where it listens.
    #[must_use]
    pub fn local_addr(&self) -> SocketAddr {
        self.listener.local_addr()
    }

    /// Its streams.
    #[must_use]
    pub fn supervisor(&self) -> Supervisor {
        self.supervisor.clone()
    }

    /// Serves until `stop`, then gives everything back, all within the grace period.
    pub async fn serve(self, stop: CancellationToken) {
        let identity =
            Identity { name: self.config.name.clone(), trusted_proxies: self.config.trusted_proxies.clone() };
        let gateway = Gateway {
            name: self.config.name,
            cold_timeout: self.config.upstream.cold_timeout,
            blocking_reload: self.config.viewers.blocking_reload,
            held: Held::default(),
            forwarder: Forwarder::new(self.client, identity),
            auth: Auth::new(self.jellyfin.clone(), self.config.upstream.live_tv_right),
            jellyfin: self.jellyfin,
            supervisor: self.supervisor.clone(),
            misses: Misses::default(),
            hopeless: Hopeless::default(),
            lendings: Lendings::default(),
            primer: Primer::default(),
            cors: Cors::default(),
            fingerprint: RandomState::new(),
        };
        let grace = self.config.shutdown.grace;
        let stopped = stop.clone();
        let serving = self.listener.serve(Handle(Arc::new(gateway)), stop, grace);
        // Streams are given back while the last answers are finished: both have the same grace.
        let releasing = async {
            stopped.cancelled().await;
            self.supervisor.shut_down(grace).await;
        };
        tokio::join!(serving, releasing);
    }
}

/// As systemd gives it, else as the XDG base directories have it.
fn usual_state_dir() -> Option<PathBuf> {
    let folder = |name| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    folder("STATE_DIRECTORY")
        .or_else(|| Some(folder("XDG_STATE_HOME")?.join("warmgate")))
        .or_else(|| Some(folder("HOME")?.join(".local/state/warmgate")))
}

/// A file for each gateway: told apart by where it listens.
fn ledger(config: &Config, address: SocketAddr) -> Option<PathBuf> {
    let folder = config.state_dir.as_ref()?;
    if let Err(cause) = std::fs::create_dir_all(folder) {
        warn!(folder = %folder.display(), %cause, "what is open at the server will not be known after a crash");
        return None;
    }
    Some(folder.join(format!("open-{}.json", address.port())))
}

fn limits(config: &Config) -> Limits {
    Limits {
        slots: config.pool.slots,
        idle_timeout: config.pool.idle_timeout,
        silence: config.viewers.silence,
        patience: config.viewers.patience,
        cold_timeout: config.upstream.cold_timeout,
        farewell: config.viewers.goodbye,
        unfollowed: config.viewers.unfollowed,
        refusals: config.upstream.failures,
        disk_budget: config.upstream.disk_budget.0,
        memory: config.window.memory,
        own_credential: config.upstream.api_key.is_some(),
    }
}

fn window_size(config: &Config) -> WindowSize {
    WindowSize { join: config.window.join, length: config.window.length, segment: config.window.segment }
}
