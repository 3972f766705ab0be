//! Remembers for which channel the server was seen to open a live stream.
//!
//! A client names channel and live stream side by side, and the server plays the live stream whatever the channel. The id of a built-in
//! tuner's live stream contains its media source; of any other only the server can say whose it is.

use std::time::Duration;

use moka::sync::Cache;

use domain::key::{Channel, LiveStreamId};

/// The number of pairings that are remembered at once.
const PAIRINGS: u64 = 10_000;
/// How long a pairing is remembered after it was last asked for.
const IDLE: Duration = Duration::from_secs(24 * 3600);

/// The channels and live streams that the server itself has paired.
#[derive(Debug)]
pub(crate) struct Pairings(Cache<(Channel, LiveStreamId), ()>);

impl Default for Pairings {
    fn default() -> Self {
        Self(Cache::builder().max_capacity(PAIRINGS).time_to_idle(IDLE).build())
    }
}

impl Pairings {
    /// The server has opened `live_stream` for `channel`.
    pub(in crate::proxy) fn seen(&self, channel: Channel, live_stream: LiveStreamId) {
        self.0.insert((channel, live_stream), ());
    }

    /// Whether `live_stream` is known to be one of `channel`'s.
    pub(in crate::proxy) fn is_proven(&self, channel: &Channel, live_stream: &LiveStreamId) -> bool {
        live_stream.proves(&channel.source) == Some(true)
            || self.0.get(&(channel.clone(), live_stream.clone())).is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use domain::key::{ItemId, MediaSourceId};

    #[test]
    fn only_what_the_server_paired_is_proven() {
        let channel = |digit: &str, source: &str| {
            let item = ItemId::parse(&digit.repeat(32)).unwrap();
            Channel { item, source: MediaSourceId::new(source) }
        };
        let (pairings, live_stream) = (Pairings::default(), LiveStreamId::new("plugin_1"));
        pairings.seen(channel("a", "default"), live_stream.clone());
        assert!(pairings.is_proven(&channel("a", "default"), &live_stream));
        assert!(!pairings.is_proven(&channel("b", "default"), &live_stream));
        assert!(!pairings.is_proven(&channel("a", "other"), &live_stream));
        assert!(!pairings.is_proven(&channel("a", "default"), &LiveStreamId::new("plugin_2")));
        let (provider, service, source) = ("c".repeat(32), "d".repeat(32), "e".repeat(32));
        let built_in = LiveStreamId::new(format!("{provider}_{service}_{source}"));
        assert!(pairings.is_proven(&channel("a", &source), &built_in));
    }
}
