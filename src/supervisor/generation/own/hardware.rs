//! Asks the server whether it is configured to encode in hardware, and caches the answer.
//!
//! The gateway leaves software encodings to such a server. The module does not know what is encoded.

use std::time::Duration;

use moka::sync::Cache;
use tokio::time::timeout;
use tracing::debug;

use crate::supervisor::held::caller::Caller;
use crate::upstream::jellyfin::Error;

/// How long an answer is cached: operators rarely change the setting.
const CACHE_TTL: Duration = Duration::from_secs(10 * 60);
/// How long the answer is waited for, since a viewer waits meanwhile.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(1);

/// The cached answer of the server.
#[derive(Debug)]
pub(super) struct ServerHardware(Cache<(), bool>);

impl Default for ServerHardware {
    fn default() -> Self {
        Self(Cache::builder().max_capacity(1).time_to_live(CACHE_TTL).build())
    }
}

impl ServerHardware {
    /// Whether the server encodes in hardware; `None` if that is not known.
    pub(super) fn known(&self) -> Option<bool> {
        self.0.get(&())
    }

    /// Asks the server, unless an answer is cached. Gives up after `ANSWER_TIMEOUT`.
    pub(super) async fn learn(&self, caller: &Caller) {
        if self.known().is_some() {
            return;
        }
        let ask = caller.call(|login, place| async move {
            caller.jellyfin.encodes_in_hardware(&place.prefix, &login).await
        });
        match timeout(ANSWER_TIMEOUT, ask).await.unwrap_or_else(|_| Err(Error::late())) {
            Ok(in_hardware) => self.0.insert((), in_hardware),
            Err(error) => debug!(cause = %error, "could not ask whether the server encodes in hardware"),
        }
    }
}
