//! How good the presence rules are: viewers who behave as players do, judged by the very same pool, beside simpler rules.
//!
//! ```text
//! generate ──┐
//!            ├─► Trace ──► judge ──► Row
//! recordings ┘
//! ```
//!
//! The same seed gives the same rows. The laws of the generated viewers are those that the rules assume (zapping 3.2, 3.3):
//! what they show is that the rules do what they promise if the world is as assumed; recordings show whether it is.

mod chance;
mod detector;
mod generate;
mod judge;
mod trace;

pub use crate::simulate::detector::{Delay, Detector, Row};
pub use crate::simulate::generate::{Player, generate};
pub use crate::simulate::judge::judge;
pub use crate::simulate::trace::{Seen, Trace};

#[cfg(test)]
mod tests;
