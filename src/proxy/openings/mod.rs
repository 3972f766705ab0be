//! Openings: the requests with which a client has the server open a channel, and everything that follows from one.
//!
//! ```text
//! PlaybackInfo, LiveStreams/Open ─► open ─► client_limits ─► hls_warmup ─► forward ─► open_response: which live streams are open now
//!                                     │                      │                             └─► pairings: for which channel
//!                                     │                      └─ denied a tuner ─► tuner_denials ─► forward again ─► refusal
//!                                     └─ no right to live TV ─► live_tv_access: close it again, 403
//! any later request ─► mentions: which opening it belongs to
//! ```
//!
//! `domain::openings` decides which opening has to be closed in its client's name, and when; nothing here does.

mod client_limits;
pub(super) mod hls_warmup;
mod live_tv_access;
mod mentions;
mod open;
mod open_response;
pub(super) mod pairings;
mod refusal;
pub(super) mod tuner_denials;
