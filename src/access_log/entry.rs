//! What a line of the access log tells.

use std::net::IpAddr;
use std::time::{Duration, SystemTime};

/// A request, and how it was answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// When its head had arrived.
    pub at: SystemTime,
    /// The address of the client, as far as trusted proxies tell.
    pub client: Option<IpAddr>,
    /// The method.
    pub method: String,
    /// The path, without what is secret in it.
    pub path: String,
    /// The status.
    pub status: u16,
    /// The bytes of the answer's body that were taken.
    pub bytes: u64,
    /// How long it took until the head of the answer was there.
    pub first_byte: Duration,
    /// How long it took until the answer had ended.
    pub total: Duration,
    /// What it was about.
    pub route: &'static str,
    /// The `Cache-Status` of the answer, if it says one.
    pub cache: Option<String>,
    /// The stream that answered, if the answer names one.
    pub stream: Option<String>,
}
