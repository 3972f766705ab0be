//! Measures what rules for warm channels are worth: made-up viewers change channels on few slots.
//!
//! ```text
//! Audience ─► generate: persons with habits ─► Zaps ─► run ─► Gateway: slots, rules ─┐
//!                                                      └────────────────────────────┴─► ledger ─► Row
//! ```
//!
//! The same audience and setting give the same row. The laws of the generated viewers are in docs/worth.md 1.

mod audience;
mod build;
mod clairvoyant;
mod gateway;
mod generate;
mod habits;
mod indexed;
mod keeping;
mod ledger;
mod neighbours;
mod person;
mod policy;
mod popularity;
mod predecessor;
mod recency;
mod row;
mod rules;
mod run;
mod setting;
mod slot_gateway;
mod slots;
mod workload;

pub use crate::simulate::zapping::audience::{Audience, Zap};
pub use crate::simulate::zapping::generate::generate;
pub use crate::simulate::zapping::policy::{NoPolicy, Policy};
pub use crate::simulate::zapping::row::Row;
pub use crate::simulate::zapping::run::run;
pub use crate::simulate::zapping::setting::Setting;
pub use crate::simulate::zapping::workload::{NoWorkload, Workload};

#[cfg(test)]
mod tests;
