//! The set: a media server, the gateway before it and the page, in one process, and how all of it comes down again.
//!
//! It does not know what is played on it.

use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::app::App;
use crate::config::Config;
use crate::demo::Error;
use crate::demo::origin::{Origin, Settings};
use crate::demo::page::Page;
use crate::server::Listener;

/// For the page's last answers.
const GRACE: Duration = Duration::from_secs(1);

/// All of it, running. Dropping it ends it at once; [`strike`](Stage::strike) gives back first.
#[derive(Debug)]
pub struct Stage {
    origin: Arc<Origin>,
    gateway: SocketAddr,
    page: SocketAddr,
    reports: watch::Receiver<Option<Value>>,
    stop: CancellationToken,
    serving: Option<JoinHandle<()>>,
}

/// How the end went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Parting {
    /// Tuners that are free again.
    pub given_back: usize,
    /// Tuners still held, by the gateway or by a player that has not stopped.
    pub kept: usize,
}

impl Stage {
    /// Starts a media server as `settings` say, the gateway at `gateway` and the page at `page`.
    ///
    /// # Errors
    /// If one of the three does not start.
    pub async fn start(settings: Settings, gateway: SocketAddr, page: SocketAddr) -> Result<Self, Error> {
        let users = settings.users.clone();
        let tuners = settings.tuners;
        let origin = Arc::new(Origin::start(settings).await?);
        let mut config = Config::for_upstream(&format!("http://{}", origin.addr()))?;
        config.listen = gateway;
        let app = App::bind(config).await.map_err(|error| Error::Listen(gateway, error))?;
        let listener = Listener::bind(page).await.map_err(|error| Error::Listen(page, error))?;

        let (gateway, page) = (app.local_addr(), listener.local_addr());
        let (report, reports) = watch::channel(None);
        let player = Page::new(Arc::clone(&origin), app.supervisor(), gateway, &users, tuners, report);
        let stop = CancellationToken::new();
        let (app_stop, page_stop) = (stop.clone(), stop.clone());
        let serving = tokio::spawn(async move {
            tokio::join!(app.serve(app_stop), listener.serve(player, page_stop, GRACE));
        });
        Ok(Self { origin, gateway, page, reports, stop, serving: Some(serving) })
    }

    /// The media server.
    #[must_use]
    pub fn origin(&self) -> &Origin {
        &self.origin
    }

    /// Where the gateway listens.
    #[must_use]
    pub const fn gateway(&self) -> SocketAddr {
        self.gateway
    }

    /// Where the page is.
    #[must_use]
    pub const fn page(&self) -> SocketAddr {
        self.page
    }

    /// The next report of a page that zapped by itself; `None` once there can be none.
    pub async fn report(&mut self) -> Option<Value> {
        self.reports.changed().await.ok()?;
        self.reports.borrow_and_update().clone()
    }

    /// Gives everything back and ends.
    pub async fn strike(mut self) -> Parting {
        let before = self.origin.counts().tuners_open;
        self.stop.cancel();
        if let Some(serving) = self.serving.take() {
            // A panic in there was reported where it happened, and what it kept is counted below.
            let _ = serving.await;
        }
        let kept = self.origin.counts().tuners_open;
        Parting { given_back: before.saturating_sub(kept), kept }
    }
}

impl Drop for Stage {
    fn drop(&mut self) {
        self.stop.cancel();
        // What it would give back goes with the media server.
        self.serving.take().inspect(JoinHandle::abort);
    }
}

impl fmt::Display for Parting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let count = |number: usize| format!("{number} tuner{}", if number == 1 { "" } else { "s" });
        write!(f, "{} given back", count(self.given_back))?;
        if self.kept > 0 {
            write!(f, ", {} still held", count(self.kept))?;
        }
        Ok(())
    }
}
