//! What a warm channel is worth, and what follows from it: what stays, what goes, and what is started before anybody asks.
//!
//! ```text
//! prediction: Moment ──► demand ─┐
//! ColdWaits: what is spared ─────┼─► worth ──► Appraisal: time-outs, victim, starts ──► Decision
//! Offer: readiness, price ───────┘       └───► next_time_out: when to look again
//! ```
//!
//! The index is the seconds of waiting that viewers are expected to be saved, for each second that a channel is warm for nobody
//! (docs/worth.md 3). Whether there are slots, tuners and connections, who watches, and whether a channel works, is not known here.

mod appraisal;
mod deadline;
mod decision;
mod offer;
mod thrift;
mod waits;
mod worth;

pub use crate::value::appraisal::{Appraisal, Idle, Room};
pub use crate::value::deadline::next_time_out;
pub use crate::value::decision::{Decision, Verdict};
pub use crate::value::offer::{Offer, Readiness};
pub use crate::value::thrift::{NoThrift, Thrift};
pub use crate::value::waits::ColdWaits;
pub use crate::value::worth::Worth;

#[cfg(test)]
mod tests;
