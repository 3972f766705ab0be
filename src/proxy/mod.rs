//! The data plane: what a request becomes.

pub mod credential;
pub mod query;
pub mod route;
