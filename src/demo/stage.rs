//! Starts and stops a media server, the gateway in front of it and the page, all in this process.
//!
//! It does not know which zaps are performed.

use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use jellyfin_alike::{Origin, Settings};
use serde_json::Value;
use tempfile::TempDir;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::app::App;
use crate::config::{Config, Secret};
use crate::demo::error::Error;
use crate::demo::page::Page;
use crate::server::Listener;
use crate::supervisor::Supervisor;
use domain::key::LiveStreamId;

/// How long the page's last responses may take.
const GRACE: Duration = Duration::from_secs(1);

/// A running media server, gateway and page. Dropping it ends them at once; [`strike`](Stage::strike) has the gateway give
/// back its tuners first.
#[derive(Debug)]
pub struct Stage {
    origin: Arc<Origin>,
    gateway: SocketAddr,
    page: SocketAddr,
    dashboard: Option<SocketAddr>,
    reports: watch::Receiver<Option<Value>>,
    supervisor: Supervisor,
    stop: CancellationToken,
    serving: Option<JoinHandle<()>>,
    /// Where the gateway keeps what can be gone back to.
    _spool: TempDir,
}

/// The tuners at the end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Parting {
    /// Tuners that were given back.
    pub given_back: usize,
    /// Tuners that are left to players, which have not stopped. A next process of the gateway would give them back.
    pub left: usize,
    /// Tuners that are still open although nobody needs them.
    pub kept: usize,
}

impl Stage {
    /// Starts a media server with `settings`, the gateway at `gateway` and the page at `page`.
    ///
    /// # Errors
    /// If one of the three does not start.
    pub async fn start(settings: Settings, gateway: SocketAddr, page: SocketAddr) -> Result<Self, Error> {
        let users = settings.users.clone();
        let (tuners, api_key) = (settings.tuners, Secret::new(&settings.api_key));
        let origin = Arc::new(Origin::start(settings).await?);
        let mut config = Config::for_upstream(&format!("http://{}", origin.addr()))?;
        config.listen = gateway;
        config.admin.listen.set_port(0);
        config.upstream.api_key = Some(api_key);
        let spool = tempfile::tempdir().map_err(Error::Spool)?;
        config.rewind.dir = Some(spool.path().to_owned());
        let app = App::bind(config).await.map_err(|error| Error::Listen(gateway, error))?;
        let listener = Listener::bind(page).await.map_err(|error| Error::Listen(page, error))?;

        let (gateway, page, dashboard) = (app.local_addr(), listener.local_addr(), app.admin_addr());
        let (report, reports) = watch::channel(None);
        let supervisor = app.supervisor();
        let player = Page::new(Arc::clone(&origin), supervisor.clone(), gateway, &users, tuners, report);
        let stop = CancellationToken::new();
        let (app_stop, page_stop) = (stop.clone(), stop.clone());
        let serving = tokio::spawn(async move {
            // If it ends with an error, that has been logged, and what it kept is counted at the end.
            let (_, ()) = tokio::join!(app.serve(app_stop), listener.serve(player, page_stop, GRACE));
        });
        let serving = Some(serving);
        Ok(Self { origin, gateway, page, dashboard, reports, supervisor, stop, serving, _spool: spool })
    }

    /// The media server.
    #[must_use]
    pub fn origin(&self) -> &Origin {
        &self.origin
    }

    /// The address of the gateway.
    #[must_use]
    pub const fn gateway(&self) -> SocketAddr {
        self.gateway
    }

    /// The address of the page.
    #[must_use]
    pub const fn page(&self) -> SocketAddr {
        self.page
    }

    /// The address of the gateway's dashboard.
    #[must_use]
    pub const fn dashboard(&self) -> Option<SocketAddr> {
        self.dashboard
    }

    /// The next report of a page that zaps by itself; `None` after the page's end.
    pub async fn report(&mut self) -> Option<Value> {
        self.reports.changed().await.ok()?;
        self.reports.borrow_and_update().clone()
    }

    /// Has the gateway give back its tuners, and ends everything.
    pub async fn strike(mut self) -> Parting {
        let before = self.origin.counts().tuners_open;
        self.stop.cancel();
        if let Some(serving) = self.serving.take() {
            // A panic in there was reported where it happened, and what it kept is counted below.
            let _ = serving.await;
        }
        let counts = self.origin.counts();
        let players = self.supervisor.left_to_clients();
        let left = counts
            .consumers
            .keys()
            .filter(|live_stream| players.contains(&LiveStreamId::new(live_stream.as_str())))
            .count();
        let given_back = before.saturating_sub(counts.tuners_open);
        Parting { given_back, left, kept: counts.tuners_open.saturating_sub(left) }
    }
}

impl Drop for Stage {
    fn drop(&mut self) {
        self.stop.cancel();
        // The media server ends too, and with it the tuners that the gateway would give back.
        self.serving.take().inspect(JoinHandle::abort);
    }
}

impl fmt::Display for Parting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let count = |number: usize| format!("{number} tuner{}", if number == 1 { "" } else { "s" });
        write!(f, "{} given back", count(self.given_back))?;
        if self.left > 0 {
            write!(f, ", {} left to a player that has not stopped", count(self.left))?;
        }
        if self.kept > 0 {
            write!(f, ", {} still held", count(self.kept))?;
        }
        Ok(())
    }
}
