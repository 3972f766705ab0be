//! The data plane: what a request becomes.

pub mod error;
pub mod forward;
pub mod headers;
pub mod tunnel;
