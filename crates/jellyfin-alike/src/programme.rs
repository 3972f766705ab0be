//! A programme: what a channel shows, and when.

use std::time::SystemTime;

/// A programme of the guide.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Programme {
    /// The number of the channel.
    pub channel: u32,
    /// When it begins.
    pub start: SystemTime,
    /// When it ends.
    pub end: SystemTime,
}
