//! How probably a viewer who has just switched off is back at once: an app that is closed by mistake and opened again, a player that
//! is left for another channel's guide, a phone that rings. Learned from all viewers.
//!
//! How often viewers switch on otherwise is known by `arrivals`.

use std::time::Duration;

/// A return within this time is one at once.
const AT_ONCE: Duration = Duration::from_secs(600);
/// The mean time after which they come who return at once, in seconds (assumed).
const MEAN: f64 = 90.0;
/// The share who do, and how many arrivals that assumption is worth; and how many of them return to the channel that they left.
const SHARE: f64 = 0.25;
const PRIOR: f64 = 8.0;
const TO_THE_SAME: f64 = 0.7;
/// Arrivals are forgotten so that no more than this many count.
const REMEMBERED: f64 = 500.0;

/// The returns of all viewers.
#[derive(Clone, Copy, Debug)]
pub(super) struct Returns {
    at_once: f64,
    all: f64,
}

impl Default for Returns {
    fn default() -> Self {
        Self { at_once: SHARE * PRIOR, all: PRIOR }
    }
}

impl Returns {
    /// A viewer has switched on after it was off for so long.
    pub(super) fn returned(&mut self, off: Duration) {
        self.at_once += f64::from(u8::from(off <= AT_ONCE));
        self.all += 1.0;
        let kept = (REMEMBERED / self.all).min(1.0);
        self.at_once *= kept;
        self.all *= kept;
    }

    /// The probability that a viewer who has been off for `off` is back within `span` seconds on the channel that it left.
    pub(super) fn within(&self, off: Duration, span: f64) -> f64 {
        let share = self.at_once / self.all;
        let away = (-off.as_secs_f64() / MEAN).exp();
        let at_once = share * away * (1.0 - (-span / MEAN).exp());
        TO_THE_SAME * at_once / (1.0 - share * (1.0 - away))
    }
}
