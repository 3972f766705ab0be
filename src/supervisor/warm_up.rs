//! Warms up channels that somebody expects to be watched, and says how far they are.
//!
//! It does not know who expects that.

use std::sync::Arc;

use tracing::{debug, info};

use crate::background::noted;
use crate::supervisor::Supervisor;
use crate::supervisor::handle::Handle;
use crate::supervisor::inputs::Inputs;
use crate::supervisor::names::Names;
use crate::supervisor::tuners::Tuners;
use crate::upstream::jellyfin::{Login, Place};
use domain::key::{Channel, ItemId};
use domain::pool::{Event, Expecter};
use domain::reason::WarmUpRefusal;

/// How warm a channel is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ChannelWarmth {
    /// Nothing of it is open here.
    Cold,
    /// Its input is being opened.
    Opening,
    /// Its input is pulled, so that a stream of it begins at once.
    Feed,
    /// A stream of it runs.
    Stream,
}

/// Opens channels for viewers who may come. Clones share everything.
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

    async fn warm_up(&self, item: ItemId, by: Expecter) -> Result<(), WarmUpRefusal> {
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

impl Supervisor {
    /// Opens the input of a channel, or keeps it open, for as long as `warm.feed` says.
    ///
    /// # Errors
    /// It would cost a viewer something, or the server does not say what the channel is.
    pub async fn warm_up(&self, item: ItemId) -> Result<(), WarmUpRefusal> {
        self.warm_ups.warm_up(item, Expecter::Operator).await
    }

    /// Expects nobody at a channel any more. Returns whether somebody was expected.
    #[must_use]
    pub fn release(&self, item: &ItemId) -> bool {
        self.handle.ask(|pool, _| pool.release(item))
    }

    /// How warm a channel is.
    #[must_use]
    pub fn warmth_of(&self, item: &ItemId) -> ChannelWarmth {
        let pool = self.handle.pool();
        if pool.is_warm(item) {
            return ChannelWarmth::Stream;
        }
        match pool.input_warmth(item) {
            Some(true) => ChannelWarmth::Feed,
            Some(false) => ChannelWarmth::Opening,
            None => ChannelWarmth::Cold,
        }
    }
}

impl ChannelWarmth {
    /// The one spelling.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Cold => "cold",
            Self::Opening => "opening",
            Self::Feed => "feed",
            Self::Stream => "stream",
        }
    }

    /// Whether a viewer who tunes has a picture at once.
    #[must_use]
    pub const fn is_ready(self) -> bool {
        match self {
            Self::Feed | Self::Stream => true,
            Self::Cold | Self::Opening => false,
        }
    }
}
