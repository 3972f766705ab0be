//! What came of a simulation.

use crate::simulate::zapping::policy::Policy;

/// What viewers waited for, and what it cost.
#[derive(Clone, Debug, PartialEq)]
pub struct Row {
    /// By which rule.
    pub policy: Policy,
    /// How often viewers tuned, and how long they watched, in hours.
    pub tunes: u64,
    /// See `tunes`.
    pub hours: f64,
    /// The share of tunes that found their channel ready.
    pub warm: f64,
    /// The mean, the median and the 0.95 quantile of waits, in seconds.
    pub mean: f64,
    /// See `mean`.
    pub p50: f64,
    /// See `mean`.
    pub p95: f64,
    /// The shares of waits that nobody notices (0.43 s, Kooij 2006), and of those below what TR-126 asks for (2 s).
    pub unnoticed: f64,
    /// See `unnoticed`.
    pub within_2_s: f64,
    /// Minutes for which channels ran that nobody watched, for each hour of viewing.
    pub idle: f64,
    /// Those of them after which nobody came.
    pub wasted: f64,
    /// Starts for each hour of viewing.
    pub starts: f64,
    /// The share of starts ahead that somebody then watched; `None` if there was none.
    pub precision: Option<f64>,
    /// The share of tunes that found all slots taken by other viewers.
    pub refused: f64,
    /// Channels that were stopped under a viewer.
    pub cut: u64,
    /// The hash of all that happened (FNV-1a): equal rows of equal simulations.
    pub log: u64,
}
