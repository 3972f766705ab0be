//! Whether the server encodes in hardware, as its operator has set it up: what the processor would have to do here is left to
//! it then. Asked when it matters, and believed for a while.
//!
//! It does not know what is to be encoded.

use std::time::Duration;

use moka::sync::Cache;
use tokio::time::timeout;
use tracing::debug;

use crate::supervisor::held::caller::Caller;
use crate::upstream::jellyfin::Error;

/// Operators change such things rarely.
const BELIEVED: Duration = Duration::from_secs(10 * 60);
/// A viewer waits meanwhile, and what it is asked for is not worth much of that.
const PATIENCE: Duration = Duration::from_secs(1);

/// See the module.
#[derive(Debug)]
pub(super) struct ServerHardware(Cache<(), bool>);

impl Default for ServerHardware {
    fn default() -> Self {
        Self(Cache::builder().max_capacity(1).time_to_live(BELIEVED).build())
    }
}

impl ServerHardware {
    /// Whether it does, if that is known.
    pub(super) fn known(&self) -> Option<bool> {
        self.0.get(&())
    }

    /// Finds out, unless that is known or takes too long.
    pub(super) async fn learn(&self, caller: &Caller) {
        if self.known().is_some() {
            return;
        }
        let ask = caller.call(|login, place| async move {
            caller.jellyfin.encodes_in_hardware(&place.prefix, &login).await
        });
        match timeout(PATIENCE, ask).await.unwrap_or_else(|_| Err(Error::late())) {
            Ok(does) => self.0.insert((), does),
            Err(error) => debug!(cause = %error, "how the server encodes is not known"),
        }
    }
}
