//! Toward the media server: the pooled client, the gateway's own calls, following an adopted stream.

pub mod client;
mod connector;
mod error;
pub mod follow;
pub mod jellyfin;
pub mod job;

pub use crate::upstream::error::Error;
