//! The media server as the gateway's own requests see it.

pub mod client;
pub mod follow;
pub mod jellyfin;
