//! Sets up the listener that shows what goes on inside, and says in the log what was found around the gateway.
//!
//! Viewers are served without it.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::sleep;
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use crate::admin::{self, Admin, Examiner};
use crate::background::kept;
use crate::config::{self, Config};
use crate::server::{self, Listener};
use crate::supervisor::Supervisor;
use domain::doctor::Severity;

/// Connections to `admin.listen`.
const CONNECTIONS: usize = 128;
/// Between two attempts to listen at an address that is taken.
const TRY_AGAIN: Duration = Duration::from_secs(1);
/// How long webhooks may take to be told that the gateway stops.
const LAST_WORD: Duration = Duration::from_secs(3);
/// Attempts after which a process that follows another says that the address is still taken: the other lets go of it at once.
const TAKEN_FOR_LONG: u32 = 10;

/// The listener, and what it shows.
#[derive(Debug)]
pub(super) struct Shown {
    address: SocketAddr,
    /// `None` while the address is taken.
    listener: Option<Listener>,
    admin: admin::Handle,
    /// Whether another process did all this before.
    follows: bool,
}

impl Shown {
    /// Listens where the configuration says, if it does. If this process `follows` another, that still listens there.
    pub(super) async fn new(
        config: &Config,
        follows: bool,
        (supervisor, examiner): (&Supervisor, &Arc<Examiner>),
        facts: admin::Facts,
    ) -> Option<Self> {
        let config::Admin { enabled, listen, token, hosts } = config.admin.clone();
        if !enabled {
            return None;
        }
        let admin = Admin::new((supervisor.clone(), Arc::clone(examiner)), facts, (token, hosts));
        let listener = Listener::bind(listen).await;
        if let (Err(error), false) = (&listener, follows) {
            say_taken(listen, error);
        }
        Some(Self {
            address: listen,
            listener: listener.ok(),
            admin: admin::Handle(Arc::new(admin)),
            follows,
        })
    }

    /// The address at which it listens, if that was free.
    pub(super) fn local_addr(&self) -> Option<SocketAddr> {
        self.listener.as_ref().map(Listener::local_addr)
    }

    /// Serves until `stop`, and tells webhooks what happens meanwhile: that the gateway has started, unless it follows another process,
    /// and that it stops once `ends` is cancelled, unless another process goes on.
    pub(super) async fn serve(self, stop: CancellationToken, ends: CancellationToken) {
        let (admin, follows) = (self.admin.clone(), self.follows);
        let watched = Arc::clone(&admin.0);
        let watch = kept("the watch for webhooks", move || {
            let watched = Arc::clone(&watched);
            async move { watched.watch().await }
        });
        tokio::select! {
            () = self.listen(stop) => {}
            () = async {
                if !follows {
                    admin.0.tell(true, Duration::ZERO).await;
                }
                watch.await;
            } => {}
        }
        if ends.is_cancelled() {
            admin.0.tell(false, LAST_WORD).await;
        }
    }

    async fn listen(self, stop: CancellationToken) {
        let (mut bound, mut attempts) = (self.listener, 0);
        let listener = loop {
            if let Some(listener) = bound {
                break listener;
            }
            tokio::select! {
                () = stop.cancelled() => return,
                () = sleep(TRY_AGAIN) => {}
            }
            attempts += 1;
            let listener = Listener::bind(self.address).await;
            if let (Err(error), TAKEN_FOR_LONG) = (&listener, attempts) {
                say_taken(self.address, error);
            }
            bound = listener.ok();
        };
        let limits = server::Limits { connections: CONNECTIONS, ..server::Limits::default() };
        // Events have no natural end.
        listener.limited(limits).serve(self.admin, stop, Duration::ZERO).await;
    }
}

fn say_taken(address: SocketAddr, error: &io::Error) {
    warn!(%address, %error, "cannot listen at admin.listen: until that is free, there is no dashboard, no API and no metrics");
}

/// Says in the log what was found around the gateway, and what to do about it.
pub(super) async fn say_findings(examiner: Arc<Examiner>) {
    let (found, findings) = examiner.examine().await;
    if let Some(version) = found.version {
        info!(version, tuners = found.tuners, key = found.has_key, "Jellyfin answers");
    }
    for finding in findings {
        let (what, cure) = (finding.what(), finding.cure());
        match finding.severity() {
            Severity::Problem => warn!(finding = finding.as_str(), cure, "{what}"),
            Severity::Advice => info!(finding = finding.as_str(), cure, "{what}"),
        }
    }
}
