//! Measures what viewers and recordings lose by channels that are kept warm: the pool itself on a server with few tuners, for a
//! household that zaps, falls silent, comes back and records.
//!
//! ```text
//! Household ─► house: who does what, by chance ──┐
//!                                                ├─► Pool ─► actions ─► server: who has what open ─► Week
//! ```
//!
//! The same household gives the same week.

mod ahead;
mod house;
mod people;
mod server;
mod shell;
mod week;

use crate::simulate::tuners::shell::Shell;

pub use crate::simulate::tuners::week::{Household, Week};

/// Lets a household live.
#[must_use]
pub fn live(household: &Household) -> Week {
    Shell::new(household).live(household)
}

#[cfg(test)]
mod tests;
