//! The gateway as a plain proxy: before origins that behave, and before some that do not.

#![allow(clippy::unwrap_used, reason = "helpers of tests fail as tests do")]

#[path = "../support/nginx.rs"]
mod started;
#[path = "../support/mod.rs"]
mod support;

mod bodies;
mod failures;
mod fields;
mod nginx;
mod shutdown;
mod upgrades;
mod wire;
