//! Warms up channels that somebody expects to be watched, and says how far they are.
//!
//! It does not know who expects that.

use std::collections::BTreeMap;

use crate::supervisor::Supervisor;
use domain::key::ItemId;
use domain::pool::{Expecter, Snapshot};
use domain::producer::State;
use domain::reason::WarmUpRefusal;

/// How warm a channel is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
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
    /// How warm each channel is of which something is open.
    #[must_use]
    pub fn of_all(snapshot: &Snapshot) -> BTreeMap<ItemId, Self> {
        let streams = snapshot.streams.iter().filter(|stream| stream.state == State::Live);
        let streams = streams.map(|stream| (&stream.item, Self::Stream));
        let of_input = |is_ready| if is_ready { Self::Feed } else { Self::Opening };
        let inputs = snapshot.inputs.iter().filter(|input| input.is_open);
        let inputs =
            inputs.flat_map(|input| input.items.iter().map(move |item| (item, of_input(input.is_ready))));
        let warmed_up = snapshot.warmed_up.iter().map(|warmed| (&warmed.item, of_input(warmed.is_ready)));
        let mut warmths = BTreeMap::new();
        for (item, warmth) in streams.chain(inputs).chain(warmed_up) {
            let known = warmths.entry(item.clone()).or_insert(warmth);
            *known = warmth.max(*known);
        }
        warmths
    }

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
