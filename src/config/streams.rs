//! The sections about streams of the gateway's own, as they are written, with their defaults.

use std::time::Duration;

use serde::Deserialize;

use crate::config::{ByteSize, scalar};

/// What a stream of the gateway's own keeps, and for how long, when nobody watches it.
#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields, expecting = "a section with keys of its own")]
pub struct Warm {
    /// So long it goes on encoding.
    #[serde(deserialize_with = "scalar::one")]
    pub encode: Duration,
    /// So long it keeps its input.
    #[serde(deserialize_with = "scalar::one")]
    pub feed: Duration,
}

impl Default for Warm {
    fn default() -> Self {
        Self { encode: Duration::from_secs(2 * 60), feed: Duration::from_secs(10 * 60) }
    }
}

/// What is kept of a channel's input, and how patient the gateway is with it.
#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields, expecting = "a section with keys of its own")]
pub struct Feed {
    /// What is kept of it.
    #[serde(deserialize_with = "scalar::one")]
    pub ring: Duration,
    /// Bytes kept of it at most.
    #[serde(deserialize_with = "scalar::one")]
    pub memory: ByteSize,
    /// An input that sends nothing for so long is given up.
    #[serde(deserialize_with = "scalar::one")]
    pub stall: Duration,
    /// So often in a row it is tried, before the channel's next one is. At least 1.
    #[serde(deserialize_with = "scalar::one")]
    pub attempts: u32,
}

impl Default for Feed {
    fn default() -> Self {
        Self {
            ring: Duration::from_secs(12),
            memory: ByteSize(64 << 20),
            stall: Duration::from_secs(10),
            attempts: 3,
        }
    }
}
