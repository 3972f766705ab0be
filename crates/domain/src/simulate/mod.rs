//! Measures how good the rules of presence are: the pool itself judges viewers that behave as players do, beside simpler
//! rules.
//!
//! ```text
//! generate ──┐
//!            ├─► Trace ──► judge ──► Row
//! recordings ┘
//! ```
//!
//! The same seed gives the same rows. The laws of the generated viewers are those that the rules assume (docs/presence.md 2):
//! what they show is that the rules do what they promise if the world is as assumed; recordings show whether it is.

mod chance;
mod detector;
mod generate;
mod judge;
mod limits;
mod trace;
pub mod tuners;
pub mod zapping;

pub use crate::simulate::chance::Chance;
pub use crate::simulate::detector::{Delay, Detector, Row};
pub use crate::simulate::generate::{Player, generate};
pub use crate::simulate::judge::judge;
pub use crate::simulate::trace::{Seen, Trace};

#[cfg(test)]
mod tests;
