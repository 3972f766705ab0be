//! What a silence means: the probability that a viewer has left, given its own rhythm and everything else that may have
//! silenced it (lateness, its network, a hidden tab, a pause).
//!
//! From that follow two moments, computed when something is heard and not swept for: when a viewer becomes suspect and
//! when it has left. It does not know who the viewers are, nor what hangs on the answer.

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
