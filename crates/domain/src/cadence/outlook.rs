//! The probability that a viewer has left, as a function of its silence.

use std::time::Duration;

use crate::cadence::class::Class;
use crate::cadence::laws;
use crate::cadence::laws::Rates;
use crate::cadence::rhythm::Rhythm;

/// By how much of itself a crossing may be off.
const OFF: f64 = 0.005;
/// Where the search for a crossing ends, in seconds: longer than any silence is waited out.
const LONGEST: f64 = 4.0 * 3600.0;

/// The evidence about a viewer's pauses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pause {
    /// None: it pauses as often as others of its class.
    Usual,
    /// It said that it pauses, and has been silent since.
    UnderWay,
    /// It says when it pauses, and goes on sending reports.
    Told,
}

/// Everything but the silence itself that the probability of a viewer's absence depends on.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Outlook {
    /// After how many seconds it is expected to ask again.
    pub expected: f64,
    /// The stream's target duration, in seconds.
    pub target: f64,
    /// The habits of its class.
    pub rates: Rates,
    /// Whether it sends reports, so that it would probably have said goodbye.
    pub reports: bool,
    /// The evidence about its pauses.
    pub pause: Pause,
    /// The factor by which the evidence besides its silence multiplies the odds.
    pub odds: f64,
}

impl Outlook {
    /// The outlook of a viewer of which only the rhythm and the class are known.
    #[must_use]
    pub fn new(rhythm: &Rhythm, class: Class, target: Duration, rates: Rates) -> Self {
        let expected = match class {
            Class::Pull => rhythm.expected(target).max(rhythm.buffer),
            Class::Web | Class::App | Class::Unknown => rhythm.expected(target),
        };
        // Rounded up to quarters of a second, so that the crossings need not be computed anew at each request.
        let expected = (expected * 4.0).ceil() / 4.0;
        Self { expected, target: target.as_secs_f64(), rates, reports: false, pause: Pause::Usual, odds: 1.0 }
    }

    /// The probability that it has left after this silence (docs/presence.md 3).
    #[must_use]
    pub fn absence(&self, silence: Duration) -> f64 {
        self.after(silence.as_secs_f64())
    }

    /// The shortest silence after which it has left with probability `p`.
    #[must_use]
    pub fn crossing(&self, p: f64) -> Duration {
        let (mut low, mut high) = (0.0, LONGEST);
        while high - low > 0.01 {
            let middle = f64::midpoint(low, high);
            if self.after(middle) < p { low = middle } else { high = middle }
        }
        Duration::from_secs_f64(high)
    }

    /// The same, where that of a similar outlook is `known`: the known one is kept while it is off by less than half a percent. A class's
    /// habits change a little with every return, and a search for each of a crowd's viewers would cost more than their requests.
    #[must_use]
    pub fn crossing_near(&self, known: Duration, p: f64) -> Duration {
        let known_seconds = known.as_secs_f64();
        let holds =
            self.after(known_seconds * (1.0 + OFF)) >= p && self.after(known_seconds * (1.0 - OFF)) < p;
        if holds { known } else { self.crossing(p) }
    }

    fn after(&self, silence: f64) -> f64 {
        let late = silence - self.expected;
        if late <= 0.0 {
            return 0.0;
        }
        let wordless = if self.reports { laws::WORDLESS } else { 1.0 };
        let left = self.rates.left * wordless * self.odds;
        let pauses = match self.pause {
            Pause::Usual => self.rates.pause,
            Pause::UnderWay => laws::UNDER_WAY,
            Pause::Told => self.rates.pause * laws::SILENT_ALTHOUGH_REPORTING,
        };
        // A tab may be hidden just before it would have asked.
        let hidden = if silence < laws::HIDDEN + self.target { self.rates.hidden } else { 0.0 };
        let late_only = 3600.0 * (-late / laws::JITTER).exp() / self.target.max(1.0);
        let alive = self.rates.gap * laws::beyond(late / laws::GAP)
            + hidden
            + pauses * laws::beyond(silence / laws::PAUSE)
            + late_only;
        left / (left + alive)
    }
}
