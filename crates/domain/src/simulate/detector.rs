//! The rules that are compared, and how well each does.

/// A rule for when a viewer has left.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Detector {
    /// The pool's.
    Posterior,
    /// After this many seconds of silence.
    Fixed(u16),
    /// Phi-accrual (Hayashibara 2004) with a normal law over the last gaps, at this threshold.
    PhiAccrual(u8),
}

impl Detector {
    /// Every detector that is compared.
    pub const ALL: [Self; 7] = [
        Self::Posterior,
        Self::Fixed(5),
        Self::Fixed(10),
        Self::Fixed(30),
        Self::Fixed(60),
        Self::PhiAccrual(3),
        Self::PhiAccrual(8),
    ];

    /// Its name.
    #[must_use]
    pub fn name(self) -> String {
        match self {
            Self::Posterior => "posterior".to_owned(),
            Self::Fixed(seconds) => format!("fixed {seconds} s"),
            Self::PhiAccrual(threshold) => format!("phi {threshold}"),
        }
    }
}

/// How one detector did on some traces.
#[derive(Clone, Debug, PartialEq)]
pub struct Row {
    /// The detector.
    pub detector: Detector,
    /// Hours of viewing.
    pub hours: f64,
    /// How often a viewer was held to have left who had not.
    pub false_left: u64,
    /// How long after a viewer's leaving it was suspect, in seconds.
    pub suspect: Delay,
    /// … and held to have left.
    pub left: Delay,
}

/// Delays in seconds.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Delay {
    /// Half of them are shorter.
    pub median: f64,
    /// Nineteen of twenty are shorter.
    pub p95: f64,
}

impl Row {
    /// Wrong verdicts per hour of viewing.
    #[must_use]
    pub fn false_per_hour(&self) -> f64 {
        if self.hours > 0.0 {
            f64::from(u32::try_from(self.false_left).unwrap_or(u32::MAX)) / self.hours
        } else {
            0.0
        }
    }
}
