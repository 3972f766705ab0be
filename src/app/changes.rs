//! Changes the configuration of a gateway while it runs: nobody who plays notices, and what a viewer was given when it tuned stays.
//!
//! It does not know where the new configuration comes from.

use std::sync::Arc;

use crate::access_log::AccessLog;
use crate::app::settings;
use crate::config::{Config, Running};
use crate::proxy::gateway::Gateway;
use crate::server::TrustedProxies;
use crate::supervisor::Supervisor;

/// Changes one gateway. Clones change the same one.
#[derive(Clone, Debug)]
pub struct Changes(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    gateway: Arc<Gateway>,
    supervisor: Supervisor,
    trusted_proxies: TrustedProxies,
    /// Whether FFmpeg was tested at the start.
    has_encoder: bool,
    running: Running,
    access_log: Option<AccessLog>,
}

impl Changes {
    pub(super) fn new(
        running: Running,
        (gateway, supervisor, trusted_proxies): (Arc<Gateway>, Supervisor, TrustedProxies),
        access_log: Option<AccessLog>,
    ) -> Self {
        let has_encoder = settings::makes_streams(&running.get());
        Self(Arc::new(Shared { gateway, supervisor, trusted_proxies, has_encoder, running, access_log }))
    }

    /// Writes to the files that are now at the logs' paths.
    pub fn reopen_logs(&self) {
        self.0.access_log.iter().for_each(AccessLog::reopen);
    }

    /// Goes on with `new`. Returns the keys whose new values need a restart.
    pub fn apply(&self, mut new: Config) -> Vec<&'static str> {
        let Shared { gateway, supervisor, trusted_proxies, has_encoder, running, .. } = &*self.0;
        let mut running = running.get();
        let mut waiting = new.keep_fixed(&running);
        if settings::makes_streams(&new) && !has_encoder {
            new.produce = running.produce.clone();
            new.clients.rules.iter_mut().for_each(|rule| rule.set.produce = None);
            waiting.push("produce");
        }
        gateway.change(settings::choices(&new));
        supervisor.change_limits(settings::limits(&new));
        trusted_proxies.change(new.trusted_proxies.clone());
        *running = new;
        waiting
    }
}
