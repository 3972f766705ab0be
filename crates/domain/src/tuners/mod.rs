//! Knows how many tuners the server has and which recordings it is to make, and decides when a channel that is open for nobody
//! has to go for them.
//!
//! ```text
//! TunerHosts, tuners.limit ─► hosts, limits ─┐
//! what opening a channel did ─► learning ────┤
//! who has what open ─────────► occupancy ────┼─► guard ─► one idle channel more has to go, and why
//! LiveTv/Timers ─────────────► timers ───────┘
//! ```
//!
//! `explanation` words what a viewer is told who gets no tuner. Which idle channel goes is decided by the pool. Players that use the server beside the gateway are not seen.

mod explanation;
mod guard;
mod harm;
mod hosts;
mod learning;
mod limits;
mod occupancy;
mod providers;
mod pulls;
mod server_tuners;
mod shortage;
mod timers;

pub use crate::tuners::explanation::{TakenBy, TakenTuner, all_are_taken, too_many_streams};
pub use crate::tuners::guard::{Purpose, Want};
pub use crate::tuners::hosts::{HostKind, TunerHost};
pub use crate::tuners::learning::Learned;
pub use crate::tuners::limits::{Reserve, Scope, Settings, TunerLimit};
pub use crate::tuners::occupancy::{Needed, Occupancy, Use};
pub use crate::tuners::pulls::ProviderView;
pub use crate::tuners::server_tuners::{HostView, ServerTuners};
pub use crate::tuners::timers::{Timer, TimerStatus};
