//! Judges a measurement of the CPU. It does not know how the CPU is measured, nor what follows.

/// The CPU is short if less than this share of its time is idle.
const IDLE_SHARE: f64 = 0.1;

/// Whether the CPU is short of which so much was idle. Where nobody knows, it may be.
#[must_use]
pub fn is_cpu_short(idle: Option<f64>) -> bool {
    idle.is_none_or(|idle| idle < IDLE_SHARE)
}
