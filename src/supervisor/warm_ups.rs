//! Opens channels before anybody asks for them, as the pool or the operator wants it.
//!
//! Whether that costs anybody anything, the pool decides.

use std::sync::Arc;

use tracing::{debug, info};

use crate::background::noted;
use crate::supervisor::handle::Handle;
use crate::supervisor::inputs::Inputs;
use crate::supervisor::names::Names;
use crate::supervisor::tuners::Tuners;
use crate::upstream::jellyfin::{Login, Place};
use domain::key::{Channel, ItemId};
use domain::pool::{Event, Expecter};
use domain::reason::WarmUpRefusal;

/// See the module. Clones share everything.
#[derive(Clone, Debug)]
pub(super) struct WarmUps {
    pub(super) handle: Handle,
    pub(super) gateway_login: Option<Login>,
    pub(super) tuners: Arc<Tuners>,
    pub(super) inputs: Inputs,
    pub(super) names: Names,
    /// The channels that the pool starts not by itself: their names, numbers or ids.
    pub(super) never_ahead: Arc<[String]>,
}

impl WarmUps {
    /// Warms a channel up as the pool has decided, and tells it if that comes to nothing.
    pub(super) fn begin(&self, item: ItemId, by: Expecter) {
        let this = self.clone();
        tokio::spawn(noted("a channel's warm-up", async move {
            match this.warm_up(item.clone(), by).await {
                Ok(()) => info!(%item, by = by.as_str(), "warming the channel up"),
                Err(refusal) => {
                    debug!(%item, by = by.as_str(), reason = refusal.as_str(), "the channel is not warmed up");
                    this.handle.tell(Event::NotStarted(item, refusal));
                }
            }
        }));
    }

    /// Opens the input of a channel, or keeps it open.
    ///
    /// # Errors
    /// It would cost a viewer something, or the server does not say what the channel is.
    pub(super) async fn warm_up(&self, item: ItemId, by: Expecter) -> Result<(), WarmUpRefusal> {
        if by == Expecter::Foresight && self.is_excluded(&item) {
            return Err(WarmUpRefusal::Excluded);
        }
        let place = Place { prefix: self.tuners.prefix(), item: item.clone(), user: None };
        let known = self.handle.pool().source_of(&item);
        let source = match known {
            Some(source) => source,
            None => {
                let login = self.gateway_login.as_ref().ok_or(WarmUpRefusal::NoKey)?;
                self.tuners.ask_for_source(&place, login).await.ok_or(WarmUpRefusal::Unknown)?
            }
        };
        self.inputs.warm_up(place, &Channel { item, source }, by)
    }

    fn is_excluded(&self, item: &ItemId) -> bool {
        if self.never_ahead.is_empty() {
            return false;
        }
        // It may be one of them by its name.
        let Some(name) = self.names.channel(item) else { return true };
        let id = item.to_string();
        let called = [Some(name.name.as_str()), name.number.as_deref(), Some(&id)];
        let is_never = |called: &str| self.never_ahead.iter().any(|never| never.eq_ignore_ascii_case(called));
        called.into_iter().flatten().any(is_never)
    }
}
