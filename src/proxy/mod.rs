//! The data plane: turns each request into an answer. Everything passes through to the server, except live TV playlists and our own
//! segments, which are answered here.
//!
//! ```text
//! request ─► route ─┬─ live.m3u8 ───► auth ─► hls ──► supervisor ─► playlist
//!                   │                          └───── miss ───────► forward
//!                   ├─ our segment ─► segments ─────► supervisor ─► bytes
//!                   ├─ opening ─────► openings ─────► forward, and read from the answer what was opened
//!                   ├─ report, end ─► signals ──────► supervisor, then forward
//!                   ├─ timer ───────► timers ───────► supervisor, if a tuner is needed at once; then forward
//!                   └─ anything else ───────────────► forward
//! ```

mod access;
mod auth;
mod away;
mod blocked_requests;
mod cmcd;
mod connection;
mod cors;
pub mod credential;
mod error;
pub mod explain;
pub mod forward;
mod forwarded;
pub mod gateway;
pub mod handed_over;
mod headers;
mod hls;
mod injected_panics;
mod lineup;
mod list_path;
mod listing;
mod miss;
mod miss_counters;
mod openings;
mod passage;
pub mod passed_on;
mod passing_on;
mod playbacks;
mod programmes;
pub mod query;
mod range;
mod recipe;
mod reload;
pub mod route;
mod segments;
pub mod served_lineup;
mod signals;
pub mod succession;
mod timers;
mod to_the_end;
mod tuning;
mod tunnel;
mod wanted;
mod websocket;
mod wishes;
