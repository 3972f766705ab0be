//! Computes the probability that a silent viewer has left, given its own rhythm and everything else that may have silenced
//! it: a late request, a gap in its network, a hidden tab, a pause.
//!
//! Two moments follow from it: when a viewer becomes suspect, and when it has left. They are computed when a viewer gives a
//! sign, so that nothing needs to be polled. docs/presence.md holds the formula, its constants and their sources. This module
//! does not know who the viewers are, nor what their absence leads to.

mod class;
mod habits;
pub mod laws;
mod outlook;
mod rhythm;

pub use crate::cadence::class::Class;
pub use crate::cadence::habits::Habits;
pub use crate::cadence::outlook::{Outlook, Pause};
pub use crate::cadence::rhythm::Rhythm;

#[cfg(test)]
mod tests;
