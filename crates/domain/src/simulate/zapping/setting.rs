//! A gateway on which an audience is simulated.

use crate::simulate::chance::Chance;
use crate::simulate::zapping::policy::Policy;

/// The spread of cold waits over channels (sigma of a lognormal law), and their bounds as factors of the median.
const SIGMA: f64 = 0.5;
const BOUNDS: (f64, f64) = (0.4, 3.0);

/// The gateway.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Setting {
    /// By which rule channels are kept warm.
    pub policy: Policy,
    /// The largest number of channels that run, watched or not.
    pub slots: usize,
    /// The median of cold waits over channels, in milliseconds.
    pub cold: u64,
    /// What the channels' cold waits are drawn from.
    pub seed: u64,
}

impl Setting {
    /// How long viewers wait for each of so many channels if it is not warm, in milliseconds.
    pub(super) fn cold_waits(&self, channels: u32) -> Vec<u64> {
        let mut chance = Chance::of(self.seed ^ 0xc01d);
        let median = self.cold as f64;
        let mut draw = || chance.lognormal(median, SIGMA).clamp(BOUNDS.0 * median, BOUNDS.1 * median) as u64;
        (0..channels).map(|_| draw()).collect()
    }
}
