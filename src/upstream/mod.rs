//! Toward the media server: the pooled client, the gateway's own calls, following an adopted job, and the ledger of what
//! is open there.

pub mod call;
pub mod client;
#[cfg(test)]
pub(crate) mod fake;
pub mod follow;
pub mod jellyfin;
pub mod job;
pub mod ledger;

pub use crate::wire::Error;
