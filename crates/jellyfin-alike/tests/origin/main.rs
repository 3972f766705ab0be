//! The demo's origin against the recorded Jellyfin: same status, same fields, same order of events.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod client;
mod life;
mod replay;
#[path = "../../../../tests/gateway/support/wait.rs"]
mod wait;
