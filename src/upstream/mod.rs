//! Everything toward the media server: the pooled client, the gateway's own calls, following an adopted job, and the ledger of what
//! the gateway and its clients have open there.
//!
//! Nothing here decides when a call is made, or what its answer means for a stream.

mod call;
pub mod client;
#[cfg(test)]
pub(crate) mod fake;
pub mod follow;
pub mod jellyfin;
pub mod job;
pub mod ledger;
pub mod live_tv;
mod opening;
mod raw_path;
pub mod sessions;
pub mod state_file;

pub use crate::wire::Error;
