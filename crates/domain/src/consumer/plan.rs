//! Computes after how much silence a consumer is suspect, and after how much it has left.

use std::time::Duration;

use super::Consumer;
use crate::cadence::laws::{ABORTED, LEFT, Rates, SOCKET_CLOSED, SUSPECT};
use crate::cadence::{Class, Outlook, Pause};
use crate::consumer::terms::Terms;
use crate::reason::Evidence;

/// A consumer that requests a playlist and no segment within this (or four target durations) was a probe (docs/presence.md 3).
const PROBE: Duration = Duration::from_secs(10);
/// Silence means nothing before this many target durations, whatever the odds.
const SILENT_TARGETS: u32 = 4;
/// After this many reports in a pause, further reports are expected.
const TELLS: u32 = 2;

impl Consumer {
    /// Computes the two spans anew. To be called whenever something that they depend on has changed.
    pub(super) fn plan(&mut self, terms: &Terms) {
        let Some(target) = terms.target else {
            // Before the first segment of the stream a viewer waits, and is silent.
            self.left_after = terms.silence.max(terms.cold_timeout);
            self.suspect_after = self.left_after;
            return;
        };
        let outlook = self.outlook(target, terms.rates);
        if self.outlook != Some(outlook) {
            let (suspect, left) = self.crossings;
            self.crossings = (outlook.crossing_near(suspect, SUSPECT), outlook.crossing_near(left, LEFT));
            self.outlook = Some(outlook);
        }
        let least = terms.silence.max(target * SILENT_TARGETS);
        (self.suspect_after, self.left_after) = if self.segment.is_none() {
            let probing = least.max(PROBE);
            (probing, probing)
        } else {
            let left = self.crossings.1.clamp(least, terms.patience.max(least));
            (self.crossings.0.min(left), left)
        };
        if self.clues.contains(&Evidence::ConnectionClosed) {
            let least = self.connections.least(self.seen, target);
            (self.suspect_after, self.left_after) =
                (self.suspect_after.max(least), self.left_after.max(least));
        }
    }

    fn outlook(&self, target: Duration, rates: Rates) -> Outlook {
        let told = self.pause.map(|(_, told)| told >= TELLS);
        let pause = match (self.class, told) {
            (Class::Pull, Some(false)) => Pause::UnderWay,
            (Class::Pull, None) if self.reports => Pause::Told,
            (_, Some(true)) => Pause::Told,
            (Class::Web | Class::App | Class::Pull | Class::Unknown, Some(false) | None) => Pause::Usual,
        };
        let odds = |clue, factor| if self.clues.contains(&clue) { factor } else { 1.0 };
        Outlook {
            reports: self.reports,
            pause,
            odds: odds(Evidence::SocketClosed, SOCKET_CLOSED)
                * odds(Evidence::Aborted, ABORTED)
                * odds(Evidence::ConnectionClosed, self.connections.odds()),
            ..Outlook::new(&self.rhythm, self.class, target, rates)
        }
    }
}
