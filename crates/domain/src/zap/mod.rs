//! Measures zaps: what each change of channel consisted of, and how long its viewer waited.
//!
//! ```text
//!  opened ──► listed ──► segment asked ──► segment sent ──► listed again ──► over
//!     │          │                              │
//!     └──────────┴──── passed on, refused ──────┴── nothing more for a while ──► over
//! ```
//!
//! A zap begins with the request that opens the channel, or with the first one for a playlist where the client has opened the
//! channel otherwise, and has come to its picture when the first segment has been sent. `record` is one, `book` keeps those that are under
//! way and the last ones that are over. The module does not know how a stream is found, nor what a player does with it.

mod book;
mod histogram;
mod record;
#[cfg(test)]
mod tests;

pub use crate::zap::book::{Judged, ZapBook};
pub use crate::zap::histogram::{BOUNDS, Histogram};
pub use crate::zap::record::{Zap, Zapper};
