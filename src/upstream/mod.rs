//! Toward the media server.

pub mod client;
mod connector;
mod error;

pub use crate::upstream::error::Error;
