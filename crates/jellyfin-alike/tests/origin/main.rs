//! The origin compared with the recorded Jellyfin: the same status, the same fields, the same order of events.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod client;
mod consumers;
mod life;
mod recordings;
mod replay;
mod set;
mod tuners;
#[path = "../../../../tests/gateway/support/wait.rs"]
mod wait;
